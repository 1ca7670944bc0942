/**
 * Keys of the watcher: from the bytes that a terminal sends to names, and from a name to the next view.
 *
 * Pure. A terminal sends a key as one piece: "\x1b" alone is the key Esc, "\x1b[A" is Up. Whoever types a filter types
 * text; everything else is a command, and an unknown key does nothing.
 */
import {
  WATCH_SORTS,
  type WatchData,
  type WatchSort,
  type WatchView,
  chosenIndex,
  listedKeys,
} from "../report/index.ts";

/** What a key leads to. */
export type KeyOutcome = WatchView | "quit" | "suspend";

const SEQUENCES: ReadonlyMap<string, string> = new Map([
  ["[A", "up"],
  ["OA", "up"],
  ["[B", "down"],
  ["OB", "down"],
  ["[C", "right"],
  ["OC", "right"],
  ["[D", "left"],
  ["OD", "left"],
  ["[H", "home"],
  ["OH", "home"],
  ["[1~", "home"],
  ["[7~", "home"],
  ["[F", "end"],
  ["OF", "end"],
  ["[4~", "end"],
  ["[8~", "end"],
  ["[5~", "pageup"],
  ["[6~", "pagedown"],
]);

/** An escape sequence behind its Esc: the Linux console's F1 to F5, CSI (rxvt ends some with "$"), SS3. */
const SEQUENCE = /^(?:\[\[[A-E]|\[[0-?]*[ -#%-/]*[$@-~]|O[A-Za-z])/;

const CONTROLS: ReadonlyMap<string, string> = new Map([
  ["\r", "enter"],
  ["\n", "enter"],
  ["\u007f", "backspace"],
  ["\b", "backspace"],
  ["\u0003", "interrupt"],
  ["\u001a", "suspend"],
]);

/** The keys in a piece of input: names of special keys, and characters as they are. Unknown sequences are left out. */
export function parseKeys(input: string): string[] {
  const keys: string[] = [];
  for (let at = 0; at < input.length;) {
    const character = String.fromCodePoint(input.codePointAt(at) ?? 0);
    at += character.length;
    if (character !== "\u001b") {
      keys.push(CONTROLS.get(character) ?? character);
      continue;
    }
    const sequence = SEQUENCE.exec(input.slice(at))?.[0];
    if (sequence === undefined) {
      keys.push("escape");
      continue;
    }
    at += sequence.length;
    const name = SEQUENCES.get(sequence);
    if (name !== undefined) keys.push(name);
  }
  return keys;
}

const SORT_OF_KEY: ReadonlyMap<string, WatchSort> = new Map([
  ["P", "pss"],
  ["U", "uss"],
  ["R", "rss"],
  ["S", "swap"],
  ["C", "change"],
  ["D", "dpss"],
  ["X", "duss"],
  ["N", "pid"],
  ["M", "name"],
]);

/** The view after a key. `pageRows`: rows of a list on the screen. */
export function applyKey(view: WatchView, key: string, data: WatchData, pageRows: number): KeyOutcome {
  if (key === "interrupt") return "quit";
  if (key === "suspend") return "suspend";
  if (view.typing) return typeFilter(view, key);
  if (view.help) return { ...view, help: false };
  const sort = SORT_OF_KEY.get(key);
  if (sort !== undefined) return { ...view, sort };
  switch (key) {
    case "<":
    case ">":
      return { ...view, sort: neighbour(view.sort, key === "<" ? -1 : 1) };
    case "I":
      return { ...view, reverse: !view.reverse };
    case "/":
    case "\\":
      return view.level === "vma" ? view : { ...view, typing: true, filter: "" };
    case " ":
      return { ...view, frozen: !view.frozen };
    case "h":
    case "?":
      return { ...view, help: true };
    case "enter":
    case "right":
      return enter(view, data);
    case "escape":
    case "left":
      return goBack(view);
    case "q":
      return view.level === "processes" ? "quit" : goBack(view);
    default:
      return move(view, key, listedKeys(data, view), pageRows);
  }
}

function typeFilter(view: WatchView, key: string): WatchView {
  if (key === "enter") return { ...view, typing: false };
  if (key === "escape") return { ...view, typing: false, filter: "" };
  if (key === "backspace") return { ...view, filter: Array.from(view.filter).slice(0, -1).join("") };
  // Names of special keys are longer than a character.
  return Array.from(key).length === 1 && key >= " " ? { ...view, filter: view.filter + key } : view;
}

function neighbour(sort: WatchSort, by: 1 | -1): WatchSort {
  return WATCH_SORTS[(WATCH_SORTS.indexOf(sort) + by + WATCH_SORTS.length) % WATCH_SORTS.length];
}

/** Into the chosen row; the filter stays behind. */
function enter(view: WatchView, data: WatchData): WatchView {
  const keys = listedKeys(data, view);
  if (keys.length === 0) return view;
  const chosen = keys[chosenIndex(keys, view)];
  if (view.level === "processes") {
    const { chosenPage: _, ...rest } = view;
    return { ...rest, level: "vmas", pid: chosen, chosenPid: chosen, filter: "" };
  }
  return { ...view, level: "vma", startPage: chosen, chosenPage: chosen, filter: "" };
}

function goBack(view: WatchView): WatchView {
  switch (view.level) {
    case "vma":
      return { ...view, level: "vmas" };
    case "vmas":
      return { ...view, level: "processes", filter: "" };
    case "processes":
      return { ...view, filter: "" };
  }
}

function move(view: WatchView, key: string, keys: readonly number[], pageRows: number): WatchView {
  const steps = stepsOf(key, keys.length, pageRows);
  if (steps === 0 || keys.length === 0) return view;
  const to = keys[Math.max(0, Math.min(keys.length - 1, chosenIndex(keys, view) + steps))];
  return view.level === "processes" ? { ...view, chosenPid: to } : { ...view, chosenPage: to };
}

function stepsOf(key: string, length: number, pageRows: number): number {
  switch (key) {
    case "up":
    case "k":
      return -1;
    case "down":
    case "j":
      return 1;
    case "pageup":
      return -pageRows;
    case "pagedown":
      return pageRows;
    case "home":
      return -length;
    case "end":
      return length;
    default:
      return 0;
  }
}
