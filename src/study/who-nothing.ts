/**
 * What lies where no folio is: an entry that is empty, swapped out, on its way elsewhere, or device memory. Plain data.
 *
 * What an entry that is not present means depends on three build options of the kernel (kernel-facts 3.7); without them
 * only what is sure is said.
 */
import type { Machine, NothingThere } from "../capture/index.ts";
import { SWAP_ENTRY_KINDS, SWAP_TYPE_MASK, type SwapEntryKind, swapTypeTable } from "../kernel/index.ts";
import { flagNames } from "./flag-names.ts";
import { swapLayoutOf } from "./swap-layout.ts";
import { WHO_VERSION, type WhoVma, whoVmaOf } from "./who-maps.ts";

/** States of NothingThere that are answers and not mistakes of the asker. */
export type AnsweredNothing =
  | Extract<NothingThere, { state: "empty" | "none-present" | "not-present" | "beyond-frames" }>
  | { readonly state: "unmapped"; readonly pfn: number };

/** The answer where nobody maps a folio. */
export interface WhoNothingReport {
  readonly schema: "foliometer-who-nothing";
  readonly version: typeof WHO_VERSION;
  /**
   * "empty": no entry; "none-present": none of many pages is mapped; "unmapped": a frame that nobody who was read maps;
   * "device": a frame without a count.
   */
  readonly state: "empty" | "none-present" | "unmapped" | "device" | SwapEntryKind;
  readonly vma: WhoVma | null;
  /** Of "swap": area and slot. */
  readonly swap: { readonly area: number; readonly slot: string } | null;
  /** The frame, hexadecimal, where one is known. */
  readonly pfn: string | null;
  /** Of "unmapped": what kpageflags says of the frame. */
  readonly flags: readonly string[] | null;
  /** Of "unmapped": how many mappings the kernel counts; above 0 somebody maps it who was not read. */
  readonly kernelCount: number | null;
}

/** What the kernel says of a frame that nobody was seen to map. */
export interface FrameNobodyMaps {
  readonly flags: { readonly low: number; readonly high: number } | undefined;
  readonly kernelCount: number | undefined;
}

/** The report; with `frame` what is known of the frame that nobody maps. */
export function reportWhoNothing(
  nothing: AnsweredNothing,
  { options }: Pick<Machine, "options">,
  { flags, kernelCount }: Partial<FrameNobodyMaps> = {},
): WhoNothingReport {
  const common = { schema: "foliometer-who-nothing", version: WHO_VERSION } as const;
  const none = { vma: null, swap: null, pfn: null, flags: null, kernelCount: null };
  switch (nothing.state) {
    case "empty":
    case "none-present":
      return { ...common, ...none, state: nothing.state, vma: whoVmaOf(nothing.vma) };
    case "beyond-frames":
      return { ...common, ...none, state: "device", vma: whoVmaOf(nothing.vma), pfn: hex(nothing.frame) };
    case "unmapped":
      return {
        ...common,
        ...none,
        state: "unmapped",
        pfn: hex(nothing.pfn),
        flags: flags === undefined ? null : flagNames(flags),
        kernelCount: kernelCount ?? null,
      };
    case "not-present": {
      const layout = swapLayoutOf({ options });
      const type = nothing.frame % (SWAP_TYPE_MASK + 1);
      const state = SWAP_ENTRY_KINDS[swapTypeTable(layout)[type]];
      const slot = hex(Math.floor(nothing.frame / (SWAP_TYPE_MASK + 1)));
      return {
        ...common,
        ...none,
        state,
        vma: whoVmaOf(nothing.vma),
        swap: state === "swap" ? { area: type, slot } : null,
      };
    }
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
