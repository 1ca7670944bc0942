/**
 * A scenario's dump for a terminal: what ran, the processes' maps, and what each scheme says about each folio beside the
 * truth.
 *
 * An answer that is not the truth is marked `!`, one that a scheme cannot give without asking the reverse map is `?`: the
 * marks are in the text whether or not there are colours. Folios about which the same is said share their rows.
 */
import { styleText } from "node:util";
import type { AnswerRow, AnswerValue, FolioView, ScenarioView } from "../scenario/index.ts";
import { cutText, escapeControls, wrapText } from "./display-text.ts";
import { formatCount, formatQuantity } from "./format-number.ts";
import { type FolioPaint, SIGN_MEANINGS, drawMaps, folioLetter, folioNumber } from "./scenario-map.ts";
import { COLOUR_STYLES, type Styles } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

/** Before an answer that is wrong, so that cutting a long answer leaves it. */
export const WRONG_MARK = "!";
/** In place of an answer that only the reverse map has. */
export const ASK_MARK = "?";

const BACKGROUNDS = ["bgCyan", "bgGreen", "bgYellow", "bgMagenta", "bgBlue", "bgRed", "bgWhite"] as const;

/** Colours for folios where the styles have colours. */
export function folioPaintOf(styles: Styles): FolioPaint {
  if (styles !== COLOUR_STYLES) return (text) => text;
  return (text, folio) =>
    styleText([BACKGROUNDS[folio % BACKGROUNDS.length], "black"], text, { validateStream: false });
}

export interface ScenarioViewOptions {
  /** Columns; Infinity where there is no terminal. */
  readonly width: number;
  readonly styles: Styles;
}

/** The text of one dump, with a newline at its end. */
export function formatScenarioView(view: ScenarioView, options: ScenarioViewOptions): string {
  const { width, styles } = options;
  const paint = folioPaintOf(styles);
  const cut = (text: string): string => cutText(escapeControls(text), width, ({ length }) => length);
  const maps = drawMaps(view, { width, paint });
  const lines = [
    styles.heading(cut(`dump ${view.label} (line ${view.line})`)),
    ...view.commands.map((command) => styles.faint(cut(`> ${command.trimEnd()}`))),
    "",
    ...maps.lines,
    ...legendLines(maps, view.folios.length, options),
    ...answerLines(view, options),
    "",
  ];
  return lines.join("\n");
}

function legendLines(
  { signs, pagesPerCell }: { readonly signs: ReadonlySet<string>; readonly pagesPerCell: number },
  folioCount: number,
  { width, styles }: ScenarioViewOptions,
): string[] {
  const meanings = SIGN_MEANINGS.filter(([sign]) => signs.has(sign)).map(([sign, meaning]) => `${sign} ${meaning}`);
  const letters = folioCount > 26 ? "letters are folios, and come again after z" : "letters are folios";
  const scale = pagesPerCell === 1 ? "" : `a cell is ${formatQuantity(pagesPerCell, "page", "pages")}; `;
  const text = `${scale}${[letters, ...meanings].join("; ")}`;
  return signs.size === 0 ? [] : wrapText(text, width, "  ").map((line) => styles.faint(line));
}

/** Neighbouring folios about which the same is said. */
interface FolioGroup {
  readonly first: FolioView;
  readonly last: FolioView;
  readonly count: number;
}

function groupFolios(folios: readonly FolioView[]): FolioGroup[] {
  const groups: FolioGroup[] = [];
  let said = "";
  for (const folio of folios) {
    const says = JSON.stringify([folio.order, folio.memory, folio.answers]);
    const group = groups.at(-1);
    if (group !== undefined && says === said)
      groups[groups.length - 1] = { ...group, last: folio, count: group.count + 1 };
    else groups.push({ first: folio, last: folio, count: 1 });
    said = says;
  }
  return groups;
}

function answerLines(view: ScenarioView, { width, styles }: ScenarioViewOptions): string[] {
  if (view.folios.length === 0 || view.schemes.length === 0) return [];
  const columns: Column[] = [
    { heading: "folio", align: "left", rank: 0 },
    { heading: "question", align: "left", rank: 0 },
    { heading: "about", align: "left", rank: 0, cutTo: 8, atMost: 24 },
    { heading: "truth", align: "left", rank: 0, cutTo: 8, atMost: 40 },
    ...view.schemes.map((heading, index): Column => ({
      heading,
      align: "left",
      rank: index + 1,
      cutTo: Math.max(6, heading.length),
      atMost: 40,
    })),
  ];
  const rows = groupFolios(view.folios).flatMap((group) => rowsOfGroup(group));
  const { lines, leftOut } = renderTable({ columns, rows }, { width, styles });
  const marked = rows.flat().map(({ style }) => style);
  const notes = [
    ...(marked.includes("uncertain") ? [`${WRONG_MARK} is not the truth`] : []),
    ...(marked.includes("faint") ? [`${ASK_MARK} only the reverse map knows`] : []),
    ...(leftOut.length > 0 ? [`no room for ${leftOut.join(", ")}`] : []),
  ];
  const legend = notes.length === 0 ? [] : wrapText(notes.join("; "), width, "  ").map((line) => styles.faint(line));
  return ["", ...lines, ...legend];
}

function rowsOfGroup({ first, last, count }: FolioGroup): Cell[][] {
  const names = first === last ? first.label : `${first.label}..${last.label}`;
  const pages = formatQuantity(2 ** first.order, "page", "pages");
  const letter = folioLetter(folioNumber(first.label));
  const titles = [
    `${letter} ${names}`,
    `  ${first.memory}, ${pages}`,
    ...(count === 1 ? [] : [`  ${formatCount(count)} of them`]),
  ];
  const rows = Math.max(titles.length, first.answers.length);
  return Array.from({ length: rows }, (_, index) => {
    const folio: Cell = index === 0 ? { text: titles[0], style: "heading" } : { text: titles[index] ?? "" };
    const answer = first.answers.at(index);
    return answer === undefined ? [folio] : [folio, ...answerCells(answer)];
  });
}

function answerCells({ question, about, truth, answers }: AnswerRow): Cell[] {
  const shown = formatAnswer(truth);
  return [
    { text: question },
    { text: escapeControls(about) },
    { text: shown },
    ...answers.map((answer): Cell => {
      if (answer === "unknown") return { text: ASK_MARK, style: "faint" };
      const text = formatAnswer(answer);
      return text === shown ? { text } : { text: `${WRONG_MARK} ${text}`, style: "uncertain" };
    }),
  ];
}

/** yes, 2, or for each page `1 of 0-255, 2 of 256-511`; one number if all pages have the same. */
export function formatAnswer(value: AnswerValue): string {
  if (value === true) return "yes";
  if (value === false) return "no";
  if (value === "unknown") return ASK_MARK;
  if (typeof value === "number") return formatCount(value);
  const runs: [number, number, number][] = [];
  for (const [first, last, count] of value) {
    const before = runs.at(-1);
    if (before !== undefined && before[2] === count) before[1] = last;
    else runs.push([first, last, count]);
  }
  if (runs.length === 1) return formatCount(runs[0][2]);
  return runs.map(([first, last, count]) => `${count} of ${first === last ? first : `${first}-${last}`}`).join(", ");
}
