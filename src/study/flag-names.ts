/**
 * The bits of a kpageflags entry by name, in the order of bits.
 */
import { KPF_NAMES } from "../kernel/index.ts";

/** Names of the bits that are set; a bit without a name is left out. */
export function flagNames({ low, high }: { readonly low: number; readonly high: number }): string[] {
  const isSet = (bit: number): boolean => ((bit < 32 ? low >>> bit : high >>> (bit - 32)) & 1) !== 0;
  return KPF_NAMES.filter((name, bit) => name !== "" && isSet(bit));
}
