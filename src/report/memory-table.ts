/**
 * What the machine's memory is used for, in accounts whose printed kB add up to MemTotal.
 *
 * The processes' account is the printed sum of their Pss, each floored to kB; the fractions, less than a kB a process,
 * end up in the account of what is left.
 */
import type { CaptureReport, MemoryAccount } from "../study/index.ts";
import { formatCount, formatShare, kbOf } from "./format-number.ts";
import { DERIVED_MARK, type Styles } from "./styles.ts";
import { type Cell, renderTable } from "./text-table.ts";

/** The account that takes what flooring leaves. */
const REST = "rest";

/** Draws the accounts. `processesPssKb`: the sum of the column Pss. */
export function renderMemoryTable(
  { memory, machine, figures, schemes }: CaptureReport,
  processesPssKb: number,
  options: { readonly width: number; readonly styles: Styles },
): readonly string[] {
  const totalKb = kbOf(machine.memTotalBytes);
  const printed = printedKb(memory, totalKb, { bytes: figures[schemes[0]].pssBytes, kb: processesPssKb });
  const rows = memory.map(({ label, origin }, index): Cell[] => {
    const derived = origin !== "measured";
    const mark = derived ? DERIVED_MARK : "";
    const style = derived ? ({ style: "derived" } as const) : {};
    return [
      { text: label },
      { text: `${mark}${formatCount(printed[index])}`, ...style },
      { text: formatShare(printed[index], totalKb), ...style },
    ];
  });
  return renderTable(
    {
      columns: [
        { heading: "Memory", align: "left", rank: 0, cutTo: 20 },
        { heading: "kB", align: "right", rank: 0 },
        { heading: "%", align: "right", rank: 1 },
      ],
      rows,
      sums: [
        [
          { text: "MemTotal", style: "sum" },
          { text: formatCount(totalKb), style: "sum" },
          { text: "100%", style: "sum" },
        ],
      ],
    },
    options,
  ).lines;
}

/** Each account in kB, that of the processes as printed before; what flooring loses goes to the rest. */
export function printedKb(
  memory: readonly MemoryAccount[],
  totalKb: number,
  processes: { readonly bytes: number; readonly kb: number },
): number[] {
  const ofProcesses = memory.findIndex(({ origin, bytes }) => origin === "derived" && bytes === processes.bytes);
  const known = memory.map(({ origin, bytes }, index) => {
    if (origin === REST) return 0;
    return index === ofProcesses ? processes.kb : kbOf(bytes);
  });
  const left = totalKb - known.reduce((all, kb) => all + kb, 0);
  return memory.map(({ origin }, index) => (origin === REST ? left : known[index]));
}
