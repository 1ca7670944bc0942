/**
 * Who lives at a line of a scenario, and which pins by number each process may release.
 *
 * A child begins with its parent's rings and pipes. A name is free again when its process has exited.
 */
import type { CommandBody } from "./command.ts";
import type { LineWords } from "./line-words.ts";
import { nearestWord } from "./nearest-word.ts";
import { quoteWord } from "./scenario-error.ts";
import { LABEL_LENGTH_MAX } from "./scenario-limits.ts";

/** What holds references by number. */
type Holder = "uring" | "vmsplice";

interface KnownProcess {
  /** The line of its exit; 0 while it lives. */
  readonly endedAtLine: number;
  readonly held: Set<string>;
}

/** Words that begin a line of their own and so are no names of processes. */
const RESERVED = new Set([
  "spawn",
  "dump",
  "sys",
  "thp",
  "shmthp",
  "sleep",
  "baseline",
  "ksmscan",
  "swapon",
  "swapoff",
  "split",
]);
/** Printable ASCII; @ would begin an address. */
const LABEL = /^[!-?A-~][!-~]*$/;

export class ScenarioProcesses {
  private readonly known = new Map<string, KnownProcess>();
  private begun = 0;
  private readonly processesMax: number;

  /** `processesMax`: over the whole scenario, the dead ones included. */
  constructor(processesMax: number) {
    this.processesMax = processesMax;
  }

  /** Whether there is or was a process of that name. */
  has(name: string): boolean {
    return this.known.has(name);
  }

  /** A name for an example in a hint. */
  get anyName(): string {
    return [...this.known.keys()].at(-1) ?? "P";
  }

  /** Takes the name of a new process. */
  begin(words: LineWords, parent?: string): string {
    const column = words.column;
    const name = words.name("the process's name");
    if (name === "") return "";
    if (RESERVED.has(name)) words.complain(column, `${name} is a command and cannot be a process's name`);
    if (this.known.get(name)?.endedAtLine === 0) {
      words.complain(column, `there is a process ${name} already`, "let it exit first, or take another name");
    }
    this.begun++;
    if (this.begun === this.processesMax + 1) {
      words.complain(
        column,
        `there are more than ${this.processesMax} processes in this scenario`,
        "the dead ones count too",
      );
    }
    const inherited = parent === undefined ? undefined : this.known.get(parent)?.held;
    this.known.set(name, { endedAtLine: 0, held: new Set(inherited) });
    return name;
  }

  end(name: string, line: number): void {
    this.known.set(name, { endedAtLine: line, held: new Set() });
  }

  /** Reports a process that does not live. */
  check(words: LineWords, name: string, column: number): boolean {
    const process = this.known.get(name);
    if (process?.endedAtLine === 0) return true;
    if (process !== undefined) {
      words.complain(
        column,
        `the process ${name} has exited in line ${process.endedAtLine}`,
        "spawn it again, or use it before",
      );
      return false;
    }
    const alive = [...this.known].filter(([, { endedAtLine }]) => endedAtLine === 0).map(([each]) => each);
    const near = nearestWord(name, alive);
    const hint =
      near === undefined ? `write spawn ${name.replaceAll(/\W/g, "")} or P fork ... above` : `did you mean ${near}?`;
    words.complain(column, `there is no process ${quoteWord(name)} yet`, hint);
    return false;
  }

  /** Takes the label of a dump and the processes shown. */
  parseDump(words: LineWords): CommandBody {
    const word = words.take("the dump's label");
    if (word !== undefined && (!LABEL.test(word.text) || word.text.length > LABEL_LENGTH_MAX)) {
      const hint = `a label is at most ${LABEL_LENGTH_MAX} characters of printable ASCII, the first one no @`;
      words.complain(word.column, `${quoteWord(word.text)} is not a label`, hint);
    }
    const processes: string[] = [];
    while (words.hasMore) {
      const process = words.take("a process");
      if (process !== undefined && this.check(words, process.text, process.column)) processes.push(process.text);
    }
    return { kind: "dump", label: word?.text ?? "", processes };
  }

  /** Takes the name of a process that must be alive. */
  parseAlive(words: LineWords): string {
    const word = words.take("the process");
    if (word !== undefined) this.check(words, word.text, word.column);
    return word?.text ?? "";
  }

  hold(name: string, holder: Holder, id: number): void {
    this.known.get(name)?.held.add(`${holder} ${id}`);
  }

  /** Reports a release of what the process never held: a runner would close some other descriptor. */
  release(words: LineWords, name: string, holder: Holder, id: number): void {
    const held = this.known.get(name)?.held;
    if (held === undefined || held.delete(`${holder} ${id}`)) return;
    words.complain(1, `the process ${name} holds no ${holder} ${id}`, `write ${name} ${holder} ${id} ADDR LEN above`);
  }
}
