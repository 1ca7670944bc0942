/**
 * The syntax of the commands of the machine: settings, ksmd, swap, split. `spawn` and `dump` are scenario-processes.ts'.
 *
 * A scenario may be run as root on a real machine. Invariant: it can write nowhere but to memory management's settings,
 * and swap to nothing but a RAM disk.
 */
import { type CommandBody, SHMEM_THP_SIZES_KB, SHMEM_THP_VALUES, THP_SIZES_KB, THP_VALUES } from "./command.ts";
import type { LineWords } from "./line-words.ts";
import { didYouMean } from "./nearest-word.ts";
import { quoteWord } from "./scenario-error.ts";
import { KSM_SCANS_MAX, ORDERS_MAX, PATH_LENGTH_MAX, SLEEP_MS_MAX, VALUE_LENGTH_MAX } from "./scenario-limits.ts";
import type { ScenarioProcesses } from "./scenario-processes.ts";

type Syntax = (words: LineWords, processes: ScenarioProcesses) => CommandBody;

function takeFolioSize(words: LineWords, known: readonly number[]): number {
  const word = words.take("the size");
  if (word === undefined) return known[0];
  const sizeKb = Number(/^([1-9][0-9]{0,6})kB$/.exec(word.text)?.[1] ?? Number.NaN);
  if (known.includes(sizeKb)) return sizeKb;
  const sizes = known.map((size) => `${size}kB`).join(", ");
  const hint = sizeKb === 32 ? "32kB is used to find owner ids; take another" : `the sizes are ${sizes}`;
  words.complain(word.column, `there is no setting for folios of ${quoteWord(word.text)}`, hint);
  return known[0];
}

const SETTING_PATH = /^\/(?:sys\/kernel\/mm|proc\/sys\/vm)(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$/;

const sys: Syntax = (words) => {
  const path = words.take("the path");
  if (path !== undefined && (!SETTING_PATH.test(path.text) || path.text.length > PATH_LENGTH_MAX)) {
    const hint = "settings lie below /sys/kernel/mm/ and /proc/sys/vm/";
    words.complain(path.column, `${quoteWord(path.text)} is no setting of memory management`, hint);
  }
  const value = words.take("the value");
  if (value !== undefined && (!/^[!-~]+$/.test(value.text) || value.text.length > VALUE_LENGTH_MAX)) {
    words.complain(
      value.column,
      `${quoteWord(value.text)} is no value`,
      `at most ${VALUE_LENGTH_MAX} ASCII characters`,
    );
  }
  return { kind: "sys", path: path?.text ?? "", value: value?.text ?? "" };
};

const swap =
  (kind: "swapon" | "swapoff"): Syntax =>
  (words) => {
    const word = words.take("the device");
    if (word !== undefined && !/^\/dev\/ram[0-9]{1,2}$/.test(word.text)) {
      words.complain(word.column, `${quoteWord(word.text)} is not a RAM disk`, "write /dev/ram1");
    }
    return { kind, path: word?.text ?? "" };
  };

const split: Syntax = (words, processes) => {
  const process = processes.parseAlive(words);
  const range = words.range();
  const order = words.hasMore ? words.count("the order", { least: 0, most: ORDERS_MAX - 1 }) : 0;
  return { kind: "split", process, ...range, order };
};

/** All commands of the machine but `spawn` and `dump`. */
export const MACHINE_SYNTAX: ReadonlyMap<string, Syntax> = new Map<string, Syntax>([
  [
    "thp",
    (words) => {
      const sizeKb = takeFolioSize(words, THP_SIZES_KB);
      return { kind: "thp", sizeKb, value: words.choice("value", THP_VALUES, (word) => didYouMean(word, THP_VALUES)) };
    },
  ],
  [
    "shmthp",
    (words) => {
      const sizeKb = takeFolioSize(words, SHMEM_THP_SIZES_KB);
      const value = words.choice("value", SHMEM_THP_VALUES, (word) => didYouMean(word, SHMEM_THP_VALUES));
      return { kind: "shmthp", sizeKb, value };
    },
  ],
  ["sys", sys],
  [
    "sleep",
    (words) => ({ kind: "sleep", durationMs: words.count("the milliseconds", { least: 0, most: SLEEP_MS_MAX }) }),
  ],
  ["baseline", () => ({ kind: "baseline" })],
  ["ksmscan", (words) => ({ kind: "ksmscan", scans: words.count("the scans", { least: 1, most: KSM_SCANS_MAX }) })],
  ["swapon", swap("swapon")],
  ["swapoff", swap("swapoff")],
  ["split", split],
]);
