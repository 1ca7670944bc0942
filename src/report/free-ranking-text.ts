/**
 * Processes by what their end would free, as a table: each alone, or those that together free most, in the order taken.
 */
import type { FreeRanking, RankedProcess } from "../study/index.ts";
import { chooseWidth, escapeControls } from "./display-text.ts";
import { type FreeTextOptions, processCells, whatKeeps } from "./free-text.ts";
import { formatCount, formatKb, formatQuantity } from "./format-number.ts";
import { kbCell } from "./kind-columns.ts";
import { type TextPlace, describeGaps, describeScope, paragraph, title } from "./scope-text.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

/** Stands behind the command of a process whose address space others share. */
const SHARES_MARK = "*";

/** A column and what it prints of a process. */
interface RankColumn extends Column {
  readonly bytes: (ranked: RankedProcess) => number;
  /** Left out where no row has any. */
  readonly isOptional?: boolean;
}

const COLUMNS: readonly RankColumn[] = [
  { heading: "Freed", align: "right", rank: 0, bytes: ({ free }) => free.freed.least },
  { heading: "up to", align: "right", rank: 5, bytes: ({ free }) => free.freed.most, isOptional: true },
  { heading: "anon", group: "of it", align: "right", rank: 3, bytes: ({ free }) => free.anonBytes + free.ksmBytes },
  { heading: "tables", group: "of it", align: "right", rank: 4, bytes: ({ free }) => free.pageTablesBytes },
  { heading: "swap", align: "right", rank: 6, bytes: ({ free }) => free.swapBytes.most, isOptional: true },
  {
    heading: "cache left",
    align: "right",
    rank: 7,
    bytes: ({ free }) => free.cacheFileBytes + free.cacheShmemBytes,
  },
  { heading: "Uss", align: "right", rank: 2, bytes: ({ aloneBytes }) => aloneBytes },
  { heading: "Mapped", align: "right", rank: 1, bytes: ({ mappedBytes }) => mappedBytes },
];

/** The ranking as text, with its last newline. */
export async function formatFreeRanking(ranking: FreeRanking, options: FreeTextOptions): Promise<string> {
  const { processes, order } = ranking;
  const texts = processes.flatMap(({ process }) => [process.command, process.user]);
  const place: TextPlace = { ...options, widthOf: await chooseWidth([...texts, ...ranking.notes]) };
  const heading =
    order === "each"
      ? "What comes free if one of them ends, kB"
      : `The ${formatQuantity(processes.length, "process", "processes")} that together free most, kB`;
  return `${[
    ...describeScope(ranking, place),
    "",
    title(heading, place),
    ...renderRanking(ranking, options.top, place),
    "",
    ...[
      ...describeRanking(ranking),
      ...describeGaps(ranking),
      ...ranking.notes.map((note) => `Note: ${escapeControls(note)}`),
    ]
      .flatMap((text) => paragraph(text, place))
      .map((line) => place.styles.faint(line)),
  ].join("\n")}\n`;
}

function renderRanking({ processes, order }: FreeRanking, top: number, place: TextPlace): readonly string[] {
  const columns = COLUMNS.filter(
    ({ isOptional, heading, bytes }) =>
      isOptional !== true ||
      processes.some((ranked) => (heading === "up to" ? bytes(ranked) > ranked.free.freed.least : bytes(ranked) > 0)),
  );
  let together = 0;
  const rows = processes.slice(0, top).map((ranked): Cell[] => {
    together += ranked.free.freed.least;
    const names = processCells(ranked.process);
    const mark = ranked.sharedWith.length > 0 ? ` ${SHARES_MARK}` : "";
    names[names.length - 1] = { text: `${names[names.length - 1].text}${mark}` };
    const figures = columns.map(({ bytes }) => kbCell(bytes(ranked)));
    return order === "each" ? [...names, ...figures] : [...names, kbCell(together), ...figures];
  });
  const left = processes.length - rows.length;
  const more = left === 0 ? [] : [`${formatCount(left)} more; --top 0 and --json have all.`];
  const { lines } = renderTable(
    {
      columns: [
        { heading: "PID", align: "right", rank: 0 },
        { heading: "User", align: "left", rank: 9, cutTo: 8, atMost: 12 },
        { heading: "Command", align: "left", rank: 0, cutTo: 12, atMost: 40 },
        ...(order === "each" ? [] : [{ heading: "Together", align: "right", rank: 0 } as const]),
        ...columns,
      ],
      rows,
    },
    place,
  );
  return [...lines, ...more];
}

function describeRanking(ranking: FreeRanking): string[] {
  const { processes, order, candidates } = ranking;
  const sentences =
    order === "each"
      ? [
          `${formatQuantity(candidates, "process", "processes")} ranked. What two of them share comes free only when both ` +
            "end: this column does not add up; --best takes that into account.",
        ]
      : [
          "Each is the one that frees most beside those above it, so the column Freed adds up to Together; another choice " +
            "may free more where processes share much.",
        ];
  sentences.push(
    "Freed: anonymous memory, page tables, shared memory that goes with its last mapping. cache left: pages of files and " +
      "shared memory that stay without a mapping.",
  );
  const sharing = processes.filter(({ sharedWith }) => sharedWith.length > 0);
  if (sharing.length > 0) {
    sentences.push(`${SHARES_MARK}: its address space is shared, and comes free when all who share it end.`);
  }
  const up = processes.reduce((most, { free }) => Math.max(most, free.freed.most - free.freed.least), 0);
  if (up > 0) sentences.push(`up to (at most ${formatKb(up)} more): if ${whatKeeps(ranking)} keeps any of it.`);
  if (processes.some(({ free }) => free.cacheFileBytes + free.cacheShmemBytes < 0)) {
    sentences.push("cache left below 0: it ends shared memory that those above it have left in the page cache.");
  }
  return sentences;
}
