/**
 * Large folios with a mapping: how many of each order and kind, and by how many address spaces they are mapped.
 */
import type { CaptureReport, FolioOrderReport } from "../study/index.ts";
import { formatCount, formatSize, kbOf } from "./format-number.ts";
import type { Styles } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

type CountOf = (folios: FolioOrderReport) => number;

const MAPPED_BY = "mapped by";

const COUNT_COLUMNS: readonly (Column & { readonly count: CountOf })[] = [
  { heading: "Folios", align: "right", rank: 0, count: ({ folios }) => folios },
  { heading: "kB", align: "right", rank: 5, count: ({ bytes }) => kbOf(bytes) },
  { heading: "mapped kB", align: "right", rank: 4, count: ({ mappedBytes }) => kbOf(mappedBytes) },
  { heading: "1 mm", group: MAPPED_BY, align: "right", rank: 0, count: ({ mappedByOne }) => mappedByOne },
  { heading: "2 mms", group: MAPPED_BY, align: "right", rank: 0, count: ({ mappedByTwo }) => mappedByTwo },
  { heading: "3+ mms", group: MAPPED_BY, align: "right", rank: 0, count: ({ mappedByMore }) => mappedByMore },
  { heading: "partial", align: "right", rank: 2, count: ({ partiallyMapped }) => partiallyMapped },
];

/** Draws the table; one line where there is no large folio. */
export function renderFolioTable(
  {
    folios,
    machine,
  }: {
    readonly folios: readonly FolioOrderReport[];
    readonly machine: Pick<CaptureReport["machine"], "pageSizeBytes">;
  },
  options: { readonly width: number; readonly styles: Styles },
): readonly string[] {
  if (folios.length === 0) return ["No large folio is mapped: all schemes agree on small folios."];
  return renderTable(
    {
      columns: [
        { heading: "Order", align: "right", rank: 0 },
        { heading: "Size", align: "right", rank: 3 },
        { heading: "Kind", align: "left", rank: 0 },
        ...COUNT_COLUMNS,
      ],
      rows: folios.map((each): Cell[] => [
        { text: String(each.order) },
        { text: formatSize(2 ** each.order * machine.pageSizeBytes) },
        { text: each.kind },
        ...COUNT_COLUMNS.map(({ count }) => ({ text: formatCount(count(each)) })),
      ]),
      sums: [
        [
          { text: "", style: "sum" },
          { text: "", style: "sum" },
          { text: "total", style: "sum" },
          ...COUNT_COLUMNS.map(({ count }): Cell => ({
            text: formatCount(folios.reduce((all, each) => all + count(each), 0)),
            style: "sum",
          })),
        ],
      ],
    },
    options,
  ).lines;
}
