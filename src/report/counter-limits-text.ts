/**
 * How often a folio can be mapped before a counter overflows, as tables: one a form of mapping, one row for all schemes
 * with the same figures.
 */
import type { CounterLimit } from "../study/index.ts";
import { wrapText } from "./display-text.ts";
import { formatCount, formatSize } from "./format-number.ts";
import { type Cell, type Column, type TableOptions, renderTable } from "./text-table.ts";

const PAGE_BYTES = 4096;
/** Below 2^53 a number is exact; above, what fits is a power of two less one, and no machine has it. */
const EXACT_MAX = Number.MAX_SAFE_INTEGER;

const COLUMNS: readonly Column[] = [
  { heading: "each adds", group: "mapcount", align: "right", rank: 4 },
  { heading: "fit", group: "mapcount", align: "right", rank: 0 },
  { heading: "each adds", group: "references", align: "right", rank: 3 },
  { heading: "fit", group: "references", align: "right", rank: 0 },
  { heading: "32 bits", group: "sum of pages, fit", align: "right", rank: 1 },
  { heading: "64 bits", group: "sum of pages, fit", align: "right", rank: 2 },
  { heading: "schemes", align: "left", rank: 0, cutTo: 12 },
];

const LEGEND =
  "Address spaces that can map the whole folio, each once, before a word overflows: a mapcount of 32 bits, a signed " +
  "reference count of 32 bits, a sum of mapped pages of 32 or 64 bits. Mapping has to be refused (at fork, at a fault) " +
  'before the smallest of them. "-": no such word. "never": it saturates, or is not there.';

/** The tables, each below its heading; ends with a newline. */
export function formatCounterLimits(limits: readonly CounterLimit[], options: TableOptions): string {
  const { styles, width } = options;
  const forms = groupBy(limits, ({ order, level }) => `${formatSize(PAGE_BYTES * 2 ** order)} mapped by ${level}s`);
  const parts = [...forms].flatMap(([form, own]) => {
    const rows = [...groupBy(own, (limit) => cellsOf(limit).join())].map(([, same]) => {
      const cells = cellsOf(same[0]).map((text): Cell => ({ text }));
      return [...cells, { text: same.map(({ scheme }) => scheme).join(", ") }];
    });
    return [styles.heading(`A folio of ${form}`), ...renderTable({ columns: COLUMNS, rows }, options).lines, ""];
  });
  return `${[...parts, ...wrapText(LEGEND, width).map((line) => styles.faint(line))].join("\n")}\n`;
}

/** Rows by a key, in the order in which keys appear. */
function groupBy(limits: readonly CounterLimit[], keyOf: (limit: CounterLimit) => string): Map<string, CounterLimit[]> {
  const groups = new Map<string, CounterLimit[]>();
  for (const limit of limits) {
    const key = keyOf(limit);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [limit]);
    else group.push(limit);
  }
  return groups;
}

function cellsOf(limit: CounterLimit): string[] {
  const { countAdds, countFits, referencesAdd, referencesMost, referencesFit, pagesFit32, pagesFit64 } = limit;
  return [
    countAdds === 0 ? "-" : formatCount(countAdds),
    countFits === null ? "never" : formatCount(countFits),
    referencesMost === null ? formatCount(referencesAdd) : `${referencesAdd}, ${referencesMost} in all`,
    referencesFit === null ? "never" : formatCount(referencesFit),
    pagesFit32 === null ? "-" : formatCount(pagesFit32),
    pagesFit64 === null ? "-" : pagesFit64 > EXACT_MAX ? "over 2^53" : formatCount(pagesFit64),
  ];
}
