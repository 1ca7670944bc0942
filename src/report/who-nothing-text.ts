/**
 * What lies where no folio is mapped, in one sentence.
 */
import type { WhoNothingReport } from "../study/index.ts";
import { escapeControls } from "./display-text.ts";
import { formatQuantity } from "./format-number.ts";

/** The answer as text, with its last newline; `asked` names the place, "0x7f0000001000 of 4711". */
export function formatWhoNothingText(report: WhoNothingReport, asked: string): string {
  return `${sentenceOf(report, escapeControls(asked))}\n`;
}

function sentenceOf(report: WhoNothingReport, asked: string): string {
  const { state, vma, swap, pfn } = report;
  const named = vma === null || vma.name === "" ? "" : `, in ${escapeControls(vma.name)}`;
  const where = vma === null ? "" : ` (${vma.rights}${named})`;
  switch (state) {
    case "empty":
      return `No page is at ${asked}${where}: nobody has touched it, or its page was dropped.`;
    case "none-present":
      return `Nobody who was read maps a page of ${asked}${where}: not touched, dropped, swapped out, or not read from its file.`;
    case "unmapped":
      return describeUnmapped(report, asked);
    case "device":
      return `At ${asked}${where} is device memory${pfn === null ? "" : `, frame ${pfn}`}: the kernel keeps no mapcount of it.`;
    case "swap":
      return `The page at ${asked}${where} is swapped out: area ${swap?.area ?? ""}, slot ${swap?.slot ?? ""}.`;
    case "hwpoison":
      return `The page at ${asked}${where} is broken memory that the kernel has taken away (hwpoison).`;
    case "migration-read":
    case "migration-read-exclusive":
    case "migration-write":
      return `The page at ${asked}${where} is being moved to another frame; ask again.`;
    case "marker":
      return `At ${asked}${where} is a marker and no page: a guard region, a poisoned page, or a userfaultfd mark.`;
    case "special":
    default:
      return `At ${asked}${where} is a special entry and no page; the kernel's configuration, which says what kind, is not known.`;
  }
}

function describeUnmapped({ flags, kernelCount }: WhoNothingReport, asked: string): string {
  const known = flags === null ? "" : `; its flags: ${flags.join(" ") || "none"}`;
  const missing =
    (kernelCount ?? 0) === 0
      ? ""
      : ` The kernel counts ${formatQuantity(kernelCount ?? 0, "mapping", "mappings")} of it, by whoever could not be read or came meanwhile.`;
  return `Nobody who was read maps ${asked}${known}.${missing}`;
}
