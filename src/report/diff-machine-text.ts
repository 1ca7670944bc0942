/**
 * What changed of the machine: the accounts of its memory, which add up to MemTotal on both sides, its other figures, and
 * the large folios. Figures that did not change are not printed, except among the accounts, which are a whole.
 */
import type { CaptureDiff, FolioChange, MachineChange, Range } from "../study/index.ts";
import type { ChangeLine } from "./diff-columns.ts";
import { formatCount, formatDifference, formatSize, kbOf } from "./format-number.ts";
import { printedKb } from "./memory-table.ts";
import { type TextPlace, title } from "./scope-text.ts";
import { DERIVED_MARK, UNCERTAIN_MARK } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

const HEADINGS = ["A", "B", "B - A"];

/** Accounts, machine and folios as blocks of lines; none where nothing changed. `groups`: the sum of all groups. */
export function renderMachine(diff: CaptureDiff, groups: ChangeLine, place: TextPlace): string[][] {
  return [renderAccounts(diff, groups, place), renderFigures(diff, place), renderFolios(diff, place)].filter(
    (lines) => lines.length > 0,
  );
}

function columnsOf(heading: string): Column[] {
  return [
    { heading, align: "left", rank: 0, cutTo: 20 },
    ...HEADINGS.map((each, index): Column => ({ heading: each, align: "right", rank: 2 - index })),
  ];
}

const isSame = (a: Range | null, b: Range | null): boolean => a?.least === b?.least && a?.most === b?.most;

function differenceCells(a: number, b: number, mark: (text: string) => Cell): Cell[] {
  const difference = formatDifference(b - a);
  return [
    mark(formatCount(a)),
    mark(formatCount(b)),
    a === b ? { text: difference, style: "faint" } : { text: difference },
  ];
}

const derivedCell = (text: string): Cell => ({ text: `${DERIVED_MARK}${text}`, style: "derived" });
const plainCell = (text: string): Cell => ({ text });

/** All accounts in kB, each side's with the sum MemTotal. */
function renderAccounts({ accounts, totals }: CaptureDiff, groups: ChangeLine, place: TextPlace): string[] {
  if (accounts.every(({ a, b }) => isSame(a, b))) return [];
  const [pss] = groups;
  const a = accountsKb(accounts, "a", { bytes: totals.a.pssBytes, kb: pss.a.least });
  const b = accountsKb(accounts, "b", { bytes: totals.b.pssBytes, kb: pss.b.least });
  const total = (side: readonly number[]): number => side.reduce((sum, each) => sum + each, 0);
  const rows = accounts.map(({ label, origin }, index) => [
    { text: label },
    ...differenceCells(a[index], b[index], origin === "measured" ? plainCell : derivedCell),
  ]);
  const sums: Cell[] = [{ text: "MemTotal" }, ...differenceCells(total(a), total(b), plainCell)];
  const table = {
    columns: columnsOf("Memory, kB"),
    rows,
    sums: [sums.map((cell): Cell => ({ ...cell, style: "sum" }))],
  };
  return [title("What memory is used for", place), ...renderTable(table, place).lines];
}

/** The accounts of one side; those of the processes as the table of groups prints their sum, if that is of all. */
function accountsKb(
  accounts: readonly MachineChange[],
  side: "a" | "b",
  processes: { readonly bytes: number; readonly kb: number },
): number[] {
  const memory = accounts.map((account) => ({
    label: account.label,
    origin: account.origin,
    bytes: account[side]?.least ?? 0,
  }));
  return printedKb(memory, kbOf(memory.reduce((sum, { bytes }) => sum + bytes, 0)), processes);
}

/** Figures that are known on both sides and differ. */
function renderFigures({ machine }: CaptureDiff, place: TextPlace): string[] {
  const rows = machine.flatMap(({ label, unit, origin, a, b }): Cell[][] => {
    if (a === null || b === null || isSame(a, b)) return [];
    const uncertain = a.least !== a.most || b.least !== b.most;
    const mark = (text: string): Cell => {
      const cell = origin === "measured" ? plainCell(text) : derivedCell(text);
      return uncertain ? { text: `${cell.text}${UNCERTAIN_MARK}`, style: "uncertain" } : cell;
    };
    const value = (range: Range): number => (unit === "bytes" ? kbOf(range.least) : range.least);
    return [[{ text: unit === "bytes" ? `${label}, kB` : label }, ...differenceCells(value(a), value(b), mark)]];
  });
  if (rows.length === 0) return [];
  return [title("The machine", place), ...renderTable({ columns: columnsOf("Figure"), rows }, place).lines];
}

/** Counts of large folios; those of an order and kind that did not change are left out. */
const FOLIO_COUNTS = [
  ["folios", "folios"],
  ["mappedByOne", "by 1 mm"],
  ["partiallyMapped", "partial"],
] as const;

function renderFolios({ folios, a }: CaptureDiff, place: TextPlace): string[] {
  const countsOf = (change: FolioChange, key: (typeof FOLIO_COUNTS)[number][0]): readonly [number, number] => [
    change.a?.[key] ?? 0,
    change.b?.[key] ?? 0,
  ];
  const changed = folios.filter((change) =>
    FOLIO_COUNTS.some(([key]) => {
      const [before, after] = countsOf(change, key);
      return before !== after;
    }),
  );
  if (changed.length === 0) return [];
  const columns: Column[] = [
    { heading: "Order", align: "right", rank: 0 },
    { heading: "Size", align: "right", rank: 3 },
    { heading: "Kind", align: "left", rank: 0 },
    ...FOLIO_COUNTS.flatMap(([, group], at) =>
      HEADINGS.map((heading, index): Column => ({ heading, group, align: "right", rank: 4 * at + 2 - index })),
    ),
  ];
  const rows = changed.map((change): Cell[] => [
    { text: String(change.order) },
    { text: formatSize(2 ** change.order * a.machine.pageSizeBytes) },
    { text: change.kind },
    ...FOLIO_COUNTS.flatMap(([key]) => differenceCells(...countsOf(change, key), plainCell)),
  ]);
  return [title("Large folios with a mapping", place), ...renderTable({ columns, rows }, place).lines];
}
