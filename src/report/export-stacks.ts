/**
 * What processes map as collapsed stacks, which flame graph tools read: one path a line, its bytes behind it.
 *
 *     /system.slice/redis.service;redis-server;4021;[heap];order-9 357564416
 *
 * Invariant: the bytes of all lines together are the sum over processes; address spaces shared by several processes
 * count once. Semicolons in names become commas and line ends become escapes, because the format knows no quoting.
 */
import type { MemoryStack, StackReport } from "../study/index.ts";
import { escapeControls } from "./display-text.ts";
import type { ExportHistory } from "./export-csv.ts";

/** Which figure a line's bytes are. */
export type StackValue = "rss" | "pss" | "uss";

/** The lines; paths of 0 bytes are left out. */
export function formatCollapsedStacks(
  { stacks }: Pick<StackReport, "stacks">,
  { value, history }: { readonly value: StackValue; readonly history: ExportHistory },
): string {
  const lines: string[] = [];
  for (const stack of stacks) {
    const bytes = stackBytes(stack, value, history);
    if (bytes > 0) lines.push(`${stackFrames(stack).map(frameText).join(";")} ${bytes}\n`);
  }
  return lines.join("");
}

/**
 * A stack's frames from the outside in: control group, program, pid, mapping, order of the folios. None is empty: a name
 * may be (prctl), and the control group of a process that ended or hides it; readers drop or misplace empty frames.
 */
export function stackFrames({ process, mapping, order }: MemoryStack): [string, string, string, string, string] {
  const { cgroup, name, pid } = process;
  return [cgroup || "[no cgroup]", name || "[no name]", `${pid}`, mapping || "[anonymous]", `order-${order}`];
}

/** Bytes of a stack by figure. */
export function stackBytes(
  { rssBytes, pssBytes, ussBytes }: MemoryStack,
  value: StackValue,
  history: ExportHistory,
): number {
  if (value === "rss") return rssBytes;
  if (value === "pss") return pssBytes;
  return history === "most-private" ? ussBytes.most : ussBytes.least;
}

function frameText(name: string): string {
  return escapeControls(name).replaceAll(";", ",");
}
