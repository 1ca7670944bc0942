/**
 * A comparison of two captures as text: what is compared, whether it is the same, the machine, then who changed, and
 * which of their mappings.
 *
 * Figures are floored to kB before differences and sums are taken, so that whoever adds up a printed column gets the
 * printed sum; every table says what it leaves out in a line of its own.
 */
import type { CaptureDiff, DiffScope, GroupChange, GroupPresence, MappingChange } from "../study/index.ts";
import { type ChangeLine, changeColumns, changeLine, hasRanges, restOfLines, sumChangeLines } from "./diff-columns.ts";
import { renderMachine } from "./diff-machine-text.ts";
import { chooseWidth, escapeControls } from "./display-text.ts";
import { formatCount, formatDuration, formatQuantity, formatTime } from "./format-number.ts";
import { type TextPlace, describeGaps, paragraph, title } from "./scope-text.ts";
import { type DiffSelection, type SelectedDiff, selectGroups } from "./select-diff.ts";
import type { Styles } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

/** How to print. */
export interface DiffTextOptions {
  readonly selection: DiffSelection;
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
}

const NAME_AT_MOST = 40;

const GROUP_WORDS = {
  process: ["process", "processes"],
  program: ["program", "programs"],
  cgroup: ["control group", "control groups"],
  user: ["user", "users"],
} as const;

const PRESENCE_WORDS: Readonly<Record<GroupPresence, string>> = {
  both: "",
  "only-a": "went",
  "only-b": "came",
  "unread-a": "unread A",
  "unread-b": "unread B",
};

/** The comparison as text, with its last newline. */
export async function formatDiffText(diff: CaptureDiff, options: DiffTextOptions): Promise<string> {
  const selected = selectGroups(diff, options.selection);
  const names = selected.shown.flatMap(({ name, processes, mappings }) => [
    name,
    ...[...processes.a, ...processes.b].flatMap(({ command, user }) => [command, user]),
    ...mappings.map((mapping) => mapping.name),
  ]);
  const place: TextPlace = { ...options, widthOf: await chooseWidth([...names, ...diff.notes]) };
  const blocks = [
    describeSides(diff).flatMap((text) => paragraph(text, place)),
    paragraph(describeVerdict(diff), place).map((line) => place.styles.heading(line)),
    ...renderMachine(diff, sumChangeLines(diff.groups.map(changeLine)), place),
    renderGroups(diff, selected, place),
    renderMappings(diff, selected, { place, ...options.selection }),
    describeFooter(diff, selected)
      .flatMap((text) => paragraph(text, place))
      .map((line) => place.styles.faint(line)),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function describeSides({ a, b, matching }: CaptureDiff): string[] {
  if (matching === "one-capture") {
    return [describeSide("", a), `A: under ${a.scheme}. B: the same under ${b.scheme}. Sizes in kB of 1024 bytes.`];
  }
  const apartMs = b.machine.beganAtMs - a.machine.beganAtMs;
  const apart = `B is ${formatDuration(Math.abs(apartMs))} ${apartMs < 0 ? "before" : "after"} A`;
  const how =
    matching === "pid"
      ? `One boot, ${apart}: processes are matched by pid and name.`
      : `Two boots or two machines, ${apart}: processes are matched by user, name and command line, in the order of pids.`;
  const sentences = [
    `${describeSide("A: ", a)} Under ${a.scheme}.`,
    `${describeSide("B: ", b)} Under ${b.scheme}.`,
    `${how} Sizes in kB of 1024 bytes.`,
  ];
  if (a.machine.mapcountConfig !== b.machine.mapcountConfig) {
    sentences.push(
      `The two kernels count differently (A: ${a.machine.mapcountConfig}, B: ${b.machine.mapcountConfig}): what meminfo ` +
        "prints does not compare, what is computed under one scheme does.",
    );
  }
  if (a.wholeMachine !== b.wholeMachine) {
    const chosen = a.wholeMachine ? "B" : "A";
    sentences.push(
      `${chosen} holds chosen processes only: of all others nobody knows whether they were there, and what is computed for ` +
        "the machine does not compare.",
    );
  }
  if (a.machine.architecture !== b.machine.architecture) {
    sentences.push(
      "The two machines are of different architectures: sizes of programs and page tables differ by nature.",
    );
  }
  return sentences;
}

function describeSide(label: string, { source, machine, coverage }: DiffScope): string {
  const { kernelRelease, architecture, beganAtMs, endedAtMs } = machine;
  const read = formatQuantity(coverage.processesRead, "process", "processes");
  return (
    `${label}${escapeControls(source)}, Linux ${escapeControls(kernelRelease)} ${escapeControls(architecture)}, ${read}, ` +
    `captured ${formatTime(beganAtMs)} in ${formatDuration(Math.max(0, endedAtMs - beganAtMs))}.`
  );
}

function describeTolerance({ percent, bytes }: CaptureDiff["tolerance"]): string {
  const parts = [
    ...(percent > 0 ? [`${percent}%`] : []),
    ...(bytes > 0 ? [`${formatCount(Math.floor(bytes / 1024))} kB`] : []),
  ];
  return parts.length === 0 ? "" : ` by more than ${parts.join(" and ")}`;
}

function describeVerdict({ by, groups, differing, tolerance, leftOut }: CaptureDiff): string {
  const all = groups.length + leftOut.groups;
  const [one, many] = GROUP_WORDS[by];
  const what = formatQuantity(all, one, many);
  const beyond = describeTolerance(tolerance);
  return differing === 0
    ? `The same: none of ${what} differs${beyond}.`
    : `${formatCount(differing)} of ${what} ${differing === 1 ? "differs" : "differ"}${beyond}.`;
}

/** Names of processes, or of groups with their processes counted. */
function nameColumns({ by, matching }: CaptureDiff): Column[] {
  const two = (group: string): Column[] => [
    { heading: "A", group, align: "right", rank: 9 },
    { heading: "B", group, align: "right", rank: 0 },
  ];
  if (by !== "process") {
    const heading = { program: "Program", cgroup: "Control group", user: "User" }[by];
    return [...two("Procs"), { heading, align: "left", rank: 0, cutTo: 12, atMost: NAME_AT_MOST }];
  }
  return [
    ...(matching === "command" ? two("PID") : [{ heading: "PID", align: "right", rank: 0 } as const]),
    { heading: "User", align: "left", rank: 8, cutTo: 8, atMost: 12 },
    { heading: "Command", align: "left", rank: 0, cutTo: 12, atMost: NAME_AT_MOST },
  ];
}

function nameCells({ by, matching }: CaptureDiff, { name, processes }: GroupChange): Cell[] {
  const { a, b } = processes;
  if (by !== "process") {
    return [{ text: formatCount(a.length) }, { text: formatCount(b.length) }, { text: escapeControls(name) }];
  }
  const process = b.at(0) ?? a[0];
  const pidOf = (side: typeof a): Cell => ({ text: side.length === 0 ? "-" : String(side[0].pid) });
  return [
    ...(matching === "command" ? [pidOf(a), pidOf(b)] : [{ text: String(process.pid) }]),
    { text: escapeControls(process.user) },
    { text: escapeControls(process.command === "" ? process.name : process.command) },
  ];
}

/** A line below a table: a label in the last of the columns of names. */
function sumCells(columns: readonly Column[], label: string, count: number | null): Cell[] {
  const cells: Cell[] = columns.map(() => ({ text: "", style: "sum" }));
  cells[cells.length - 1] = { text: count === null ? label : `${label} (${formatCount(count)})`, style: "sum" };
  return cells;
}

function renderGroups(diff: CaptureDiff, selected: SelectedDiff, place: TextPlace): readonly string[] {
  const { shown, leftOut, unchanged } = selected;
  if (shown.length === 0) return [];
  const lines = {
    shown: shown.map(changeLine),
    leftOut: leftOut.map(changeLine),
    unchanged: unchanged.map(changeLine),
  };
  const all = [...lines.shown, ...lines.leftOut, ...lines.unchanged];
  const figures = changeColumns(all, { a: diff.a.derived, b: diff.b.derived });
  const marks = shown.some(({ presence }) => presence !== "both");
  const names: Column[] = [...(marks ? [{ heading: "", align: "left", rank: 0 } as const] : []), ...nameColumns(diff)];
  const sum = (label: string, count: number | null, some: readonly ChangeLine[]): Cell[] => [
    ...sumCells(names, label, count),
    ...figures.cells(sumChangeLines(some)).map((cell): Cell => ({ ...cell, style: "sum" })),
  ];
  const rows = shown.map((group, index): Cell[] => [
    ...(marks ? [{ text: PRESENCE_WORDS[group.presence] }] : []),
    ...nameCells(diff, group),
    ...figures.cells(lines.shown[index]),
  ]);
  const sums: Cell[][] = [];
  if (leftOut.length > 0) sums.push(sum("others that changed", leftOut.length, lines.leftOut));
  if (unchanged.length > 0) sums.push(sum("unchanged", unchanged.length, lines.unchanged));
  sums.push(sum("sum", null, all));
  const heading = `What changed, by ${GROUP_WORDS[diff.by][0]}`;
  return [title(heading, place), ...renderTable({ columns: [...names, ...figures.columns], rows, sums }, place).lines];
}

/** The mappings of the groups shown that are on both sides; the sum is what these groups changed by. */
function renderMappings(
  diff: CaptureDiff,
  { shown }: SelectedDiff,
  { place, top, atLeastBytes }: { readonly place: TextPlace } & DiffSelection,
): readonly string[] {
  const groups = shown.filter(({ presence, mappings }) => presence === "both" && mappings.length > 0);
  const all = groups.flatMap((group) =>
    group.mappings.map((mapping) => ({ group, mapping, line: changeLine(mapping) })),
  );
  const isLarge = (line: ChangeLine): boolean => sizeOf(line) * 1024 >= atLeastBytes;
  const sorted = all.filter(({ line }) => isLarge(line)).toSorted((one, two) => sizeOf(two.line) - sizeOf(one.line));
  const listed = sorted.slice(0, top);
  if (listed.length === 0) return [];
  const total = sumChangeLines(groups.map(changeLine));
  const lines = listed.map(({ line }) => line);
  const figures = changeColumns([...lines, total], { a: diff.a.derived, b: diff.b.derived });
  const one = diff.by === "process";
  const byAddress = listed.some(({ mapping }) => mapping.place !== null);
  const names: Column[] = [
    { heading: one ? "PID" : "Of", align: one ? "right" : "left", rank: 0, ...(one ? {} : { cutTo: 8, atMost: 20 }) },
    ...(byAddress
      ? ([
          { heading: "Address", align: "right", rank: 30 },
          { heading: "Rights", align: "left", rank: 31 },
        ] as const)
      : ([
          { heading: "A", group: "VMAs", align: "right", rank: 31 },
          { heading: "B", group: "VMAs", align: "right", rank: 30 },
        ] as const)),
    { heading: "Mapping", align: "left", rank: 0, cutTo: 16, atMost: NAME_AT_MOST },
  ];
  const rows = listed.map(({ group, mapping, line }): Cell[] => [
    { text: escapeControls(one ? String((group.processes.b.at(0) ?? group.processes.a[0]).pid) : group.name) },
    ...(byAddress
      ? placeCells(mapping)
      : [{ text: formatCount(mapping.vmas.a) }, { text: formatCount(mapping.vmas.b) }]),
    { text: mapping.name === "" ? "(anonymous)" : escapeControls(mapping.name) },
    ...figures.cells(line),
  ]);
  const sum = (label: string, line: ChangeLine): Cell[] => [
    ...sumCells(names, label, null),
    ...figures.cells(line).map((cell): Cell => ({ ...cell, style: "sum" })),
  ];
  const left = all.length - listed.length;
  const rest = left > 0 ? `unchanged, and others (${formatCount(left)})` : "unchanged";
  const sums = [sum(rest, restOfLines(total, lines)), sum("sum", total)];
  return [
    title("Mappings that changed, of those above that are on both sides", place),
    ...renderTable({ columns: [...names, ...figures.columns], rows, sums }, place).lines,
  ];
}

/** The largest change of a line in kB, without its sign. */
function sizeOf(line: ChangeLine): number {
  return line.reduce((size, { a, b }) => Math.max(size, Math.abs(b.least - a.least), Math.abs(b.most - a.most)), 0);
}

/** Where it is in B, or where it was in A. */
function placeCells({ place }: MappingChange): Cell[] {
  const at = place?.b ?? place?.a;
  return [{ text: at?.address ?? "" }, { text: at?.perms ?? "" }];
}

function describeFooter(diff: CaptureDiff, { shown, leftOut }: SelectedDiff): string[] {
  const sentences: string[] = [];
  if (shown.length > 0) {
    sentences.push("A + (B - A) = B in every row, and the rows above a line of dashes add up to those below it.");
  }
  if (shown.some(({ a, b }) => (a?.pmdMappedBytes ?? 0) !== (b?.pmdMappedBytes ?? 0)))
    sentences.push("PMD: mapped by PMDs.");
  if (leftOut.length > 0) sentences.push("--top 0 lists all that changed, --json with every mapping.");
  if (shown.some(({ presence }) => presence.startsWith("unread"))) {
    sentences.push(
      "unread: that side could not or was not to read the process, or counted it with another whose address space it shares; " +
        "it counts as nothing there and as no difference.",
    );
  }
  if (diff.a.derived || diff.b.derived) sentences.push("~ not what the captured kernel prints, but what it would.");
  if (hasRanges(shown.map(changeLine))) {
    sentences.push("? depends on the past of folios, which no capture shows: this is the least, --json has both ends.");
  }
  const gaps = (label: string, side: DiffScope): string[] => describeGaps(side).map((gap) => `${label}${gap}`);
  sentences.push(...gaps(diff.matching === "one-capture" ? "" : "A: ", diff.a));
  if (diff.matching !== "one-capture") sentences.push(...gaps("B: ", diff.b));
  return [...sentences, ...diff.notes.map((note) => `Note: ${escapeControls(note)}`)];
}
