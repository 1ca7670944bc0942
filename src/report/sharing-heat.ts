/**
 * Who shares with whom as a heat map in the terminal: a square for each two, darker the more they have in common.
 *
 * Levels are powers of four below the largest, so that kilobytes beside gigabytes are still seen; which level is how much
 * stands below. On the diagonal is what a group has for itself. Colours add nothing that the blocks do not say.
 */
import type { SharingReport } from "../study/index.ts";
import { chooseWidth, cutText, escapeControls } from "./display-text.ts";
import { formatCount, formatQuantity, formatSize } from "./format-number.ts";
import { type TextPlace, describeGaps, describeScope, paragraph, title } from "./scope-text.ts";
import { type SelectedSharing, selectSharing } from "./select-sharing.ts";
import type { SharingTextOptions } from "./sharing-text.ts";

const BLOCKS = ["··", "░░", "▒▒", "▓▓", "██"] as const;
const NOTHING = "  ";
/** From one level to the next. */
const LEVEL_FACTOR = 4;
const CELL_COLUMNS = 3;
const LABEL_COLUMNS = 24;
/** Groups in a map that no terminal limits. */
const GROUPS_MAX = 60;

/** The map as text, with its last newline. */
export async function formatSharingHeat(report: SharingReport, options: SharingTextOptions): Promise<string> {
  const place: TextPlace = { ...options, widthOf: await chooseWidth(report.groups.map(({ name }) => name)) };
  const selected = selectSharing(report, options.selection);
  const chosen = selected.groups.filter((group) => report.groups[group].shared.bytes > 0);
  const sharing = [...chosen, ...partnersOf(selected)];
  if (sharing.length === 0) return formatNothing(report, place);
  const room = Math.max(1, Math.floor((place.width - LABEL_COLUMNS) / CELL_COLUMNS));
  const shown = sharing.slice(0, Math.min(room, GROUPS_MAX));
  const bytes = tableOf(report, shown);
  const most = bytes.reduce((largest, each) => Math.max(largest, each), 1);
  const left = sharing.length - shown.length + selected.groupsLeftOut.length;
  const notes = [
    `${legendOf(most)}. On the diagonal: what a group has for itself.`,
    ...(shown.length > chosen.length ? [`Chosen: ${rangeTo(chosen.length)}; the others share with them.`] : []),
    ...(left > 0
      ? [`${formatQuantity(left, "more group has", "more groups have")} no place here; --edges has all pairs.`]
      : []),
    ...describeGaps(report),
  ];
  return `${[
    ...describeScope(report, place),
    "",
    title("What each two share", place),
    place.styles.heading(headingOf(shown.length)),
    ...shown.map((group, row) => {
      const label = `${formatCount(row + 1).padStart(2)} ${escapeControls(report.groups[group].name)}`;
      return drawRow(label, bytes.subarray(row * shown.length, (row + 1) * shown.length), most, place);
    }),
    "",
    ...notes.flatMap((text) => paragraph(text, place)).map((line) => place.styles.faint(line)),
  ].join("\n")}\n`;
}

function rangeTo(last: number): string {
  return last <= 1 ? "1" : `1 to ${formatCount(last)}`;
}

/** Groups that were not chosen and share with those that were, most first. */
function partnersOf({ groupsFiltered, pairs }: SelectedSharing): readonly number[] {
  const filtered = new Set(groupsFiltered);
  return [...new Set(pairs.flatMap(({ a, b }) => [a, b]))].filter((group) => filtered.has(group));
}

function formatNothing(report: SharingReport, place: TextPlace): string {
  const gaps = describeGaps(report).flatMap((text) => paragraph(text, place));
  const lines = [...describeScope(report, place), "", "They share no memory."];
  return `${[...lines, ...(gaps.length > 0 ? ["", ...gaps.map((line) => place.styles.faint(line))] : [])].join("\n")}\n`;
}

/** Bytes that two of the groups share, row by row. */
function tableOf({ groups, pairs }: SharingReport, shown: readonly number[]): Float64Array {
  const bytes = new Float64Array(shown.length * shown.length);
  const placeOf = new Map(shown.map((group, place) => [group, place]));
  for (const [group, place] of placeOf) bytes[place * shown.length + place] = groups[group].private.bytes;
  for (const { a, b, shared } of pairs) {
    const [row, column] = [placeOf.get(a), placeOf.get(b)];
    if (row === undefined || column === undefined) continue;
    bytes[row * shown.length + column] = shared.bytes;
    bytes[column * shown.length + row] = shared.bytes;
  }
  return bytes;
}

function headingOf(count: number): string {
  let line = "".padEnd(LABEL_COLUMNS);
  for (let place = 0; place < count; place++)
    line += String(place + 1)
      .padStart(2)
      .padEnd(CELL_COLUMNS);
  return line.trimEnd();
}

/** 0 to 4: the more, the higher; -1: nothing. */
function levelOf(bytes: number, most: number): number {
  if (bytes === 0) return -1;
  for (let level = BLOCKS.length - 1; level > 0; level--) {
    if (bytes * LEVEL_FACTOR ** (BLOCKS.length - level) >= most) return level;
  }
  return 0;
}

function drawRow(label: string, bytes: Float64Array, most: number, { styles, widthOf }: TextPlace): string {
  const cut = cutText(label, LABEL_COLUMNS - 1, widthOf);
  let line = cut + " ".repeat(LABEL_COLUMNS - widthOf(cut));
  for (const each of bytes) {
    const level = levelOf(each, most);
    line += `${level < 0 ? NOTHING : level < 2 ? styles.faint(BLOCKS[level]) : BLOCKS[level]} `;
  }
  return line.trimEnd();
}

function legendOf(most: number): string {
  const levels = BLOCKS.map((block, level) => {
    if (level === 0) return `${block} less`;
    return `${block} from ${formatSize(Math.ceil(most / LEVEL_FACTOR ** (BLOCKS.length - level)))}`;
  });
  return `${levels.toReversed().join(", ")}; empty: nothing`;
}
