/**
 * What programs that read counts would say of each process at a dump: by the page tables, and under every scheme.
 *
 * A figure that is not the truth is marked `!`, with its difference; one for which the reverse map had to be asked is
 * marked `?`: it is the truth so far, and costs a walk. Sizes are kB.
 */
import type { ConsumerFigures, ConsumerValues, ScenarioView } from "../scenario/index.ts";
import { escapeControls, wrapText } from "./display-text.ts";
import { formatDifference, formatKb, kbOf } from "./format-number.ts";
import { ASK_MARK, WRONG_MARK, type ScenarioViewOptions } from "./scenario-view.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

const FIGURES: readonly (readonly [keyof ConsumerValues, string])[] = [
  ["privateDirtyBytes", "Redis: copy-on-write"],
  ["procrankPssBytes", "procrank: Pss"],
  ["procrankUssBytes", "procrank: Uss"],
];

/** The table of a dump, with a newline at its end; "" if the dump has no consumers. */
export function formatConsumers(view: ScenarioView, { width, styles }: ScenarioViewOptions): string {
  const { consumers, schemes } = view;
  if (consumers === undefined || consumers.length === 0) return "";
  const columns: Column[] = [
    { heading: "process", align: "left", rank: 0, cutTo: 7, atMost: 24 },
    { heading: "figure (kB)", align: "left", rank: 0 },
    { heading: "truth", align: "right", rank: 0 },
    ...schemes.map((heading, index): Column => ({ heading, align: "right", rank: index + 1 })),
  ];
  const rows = consumers.flatMap(rowsOfProcess);
  const { lines, leftOut } = renderTable({ columns, rows }, { width, styles });
  const shown = rows.flat();
  const notes = [
    ...(shown.some(({ style }) => style === "uncertain") ? [`${WRONG_MARK} is not the truth`] : []),
    ...(shown.some(({ style }) => style === "faint") ? [`${ASK_MARK} only by walking the reverse map`] : []),
    ...(leftOut.length > 0 ? [`no room for ${leftOut.join(", ")}`] : []),
  ];
  const legend = notes.length === 0 ? [] : wrapText(notes.join("; "), width, "  ").map((line) => styles.faint(line));
  return `${[styles.heading("what programs read"), ...lines, ...legend].join("\n")}\n`;
}

function rowsOfProcess({ process, truth, byScheme }: ConsumerFigures): Cell[][] {
  return FIGURES.map(([figure, title], index) => [
    index === 0 ? { text: escapeControls(process), style: "heading" } : { text: "" },
    { text: title },
    { text: formatKb(truth[figure]) },
    ...byScheme.map((values): Cell => {
      const text = formatKb(values[figure]);
      const differenceKb = kbOf(values[figure]) - kbOf(truth[figure]);
      const asked = values.foliosWalked > 0 ? ASK_MARK : "";
      if (differenceKb !== 0) {
        return { text: `${WRONG_MARK} ${text}${asked} (${formatDifference(differenceKb)})`, style: "uncertain" };
      }
      return asked === "" ? { text } : { text: `${text}${asked}`, style: "faint" };
    }),
  ]);
}
