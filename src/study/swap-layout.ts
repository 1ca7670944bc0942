/**
 * Which types of swap entries a captured kernel has: its configuration says it, where it could be read.
 */
import type { Machine } from "../capture/index.ts";
import { type SwapLayout, swapLayoutFromConfig } from "../kernel/index.ts";

/** The layout; undefined where the configuration is not known (then swapTypeTable has the sure part). */
export function swapLayoutOf({ options }: Pick<Machine, "options">): SwapLayout | undefined {
  const config = new Map(Object.entries(options));
  return config.size === 0 ? undefined : swapLayoutFromConfig(config, { deviceTypes: 4 });
}
