/**
 * A scenario's text to its commands.
 *
 *     # comment
 *     thp 2048kB madvise                                  a command of the machine
 *     spawn P                                             a new process
 *     P mmap a 0x200000000 2M rw anon,priv                a command that P runs
 *     P touch @a+4k 1M w
 *     dump 1_touched
 *
 * The text is anybody's: limits are named (scenario-limits.ts), and whatever a runner would read differently from what
 * stands there is an error. All errors are collected. Invariant: a scenario without errors names no process before its
 * `spawn` or `fork` and none after its `exit`, and every `@NAME` is resolved, to the last `mmap NAME` above it.
 */
import type { CommandBody, Scenario, ScenarioCommand } from "./command.ts";
import { LineWords, splitWords } from "./line-words.ts";
import { MACHINE_SYNTAX } from "./machine-commands.ts";
import { didYouMean, nearestWord } from "./nearest-word.ts";
import { PROCESS_SYNTAX } from "./process-commands.ts";
import { BadScenario, ErrorList, type ScenarioError, quoteWord } from "./scenario-error.ts";
import { LIMITS, LINE_BYTES_MAX, type ScenarioLimits, type ScenarioRunner, WORDS_MAX } from "./scenario-limits.ts";
import { ScenarioProcesses } from "./scenario-processes.ts";

/** What parsing ends in. */
export type ParsedScenario =
  | { readonly ok: true; readonly scenario: Scenario }
  | { readonly ok: false; readonly errors: readonly ScenarioError[] };

const PROCESS_COMMANDS: readonly string[] = [...PROCESS_SYNTAX.keys(), "fork", "exit"];
const MACHINE_COMMANDS: readonly string[] = [...MACHINE_SYNTAX.keys(), "spawn", "dump"];

/**
 * Parses a scenario, within the limits of who is to run it.
 * @example const parsed = parseScenario("spawn P\ndump 1", "a.scn"); if (parsed.ok) parsed.scenario.commands.length; // 2
 */
export function parseScenario(text: string, file: string, runner: ScenarioRunner = "driver"): ParsedScenario {
  const limits = LIMITS[runner];
  const errors = new ErrorList(file);
  const parser = new ScenarioParser(errors, limits);
  const commands: ScenarioCommand[] = [];
  if (utf8Length(text) > limits.scenarioBytes) {
    errors.add(1, 1, "the scenario is too long", `at most ${limits.scenarioBytes} bytes`);
    return { ok: false, errors: errors.errors };
  }
  for (const [index, line] of text.split("\n").entries()) {
    const command = parser.parseLine(index + 1, line);
    if (command !== undefined) commands.push(command);
    if (errors.isFull) break;
  }
  if (errors.errors.length > 0) return { ok: false, errors: errors.errors };
  return { ok: true, scenario: { file, text, commands } };
}

/** The scenario of a text, or BadScenario with everything that is wrong with it. */
export function scenarioOf(text: string, file: string, runner: ScenarioRunner = "driver"): Scenario {
  const parsed = parseScenario(text, file, runner);
  if (!parsed.ok) throw new BadScenario(parsed.errors);
  return parsed.scenario;
}

/** Bytes of the text in UTF-8. */
function utf8Length(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff)) bytes += 2;
    else if (unit >= 0x80) bytes += 1;
  }
  return bytes;
}

/** The state of a scenario while it is read: who lives, and what names stand for. */
class ScenarioParser {
  private readonly errors: ErrorList;
  private readonly limits: ScenarioLimits;
  private readonly processes: ScenarioProcesses;
  private readonly regions = new Map<string, number>();
  private regionCount = 0;
  private hasCarriageReturn = false;

  constructor(errors: ErrorList, limits: ScenarioLimits) {
    this.errors = errors;
    this.limits = limits;
    this.processes = new ScenarioProcesses(limits.processes);
  }

  /** The command of a line; undefined for a comment, an empty line, or one that is wrong. */
  parseLine(line: number, text: string): ScenarioCommand | undefined {
    if (!this.checkLine(line, text)) return undefined;
    const split = splitWords(text.replace(/\r$/, ""));
    if (split.length === 0) return undefined;
    const words = new LineWords(line, split, this.regions, this.errors);
    if (split.length > WORDS_MAX) {
      words.complain(split[WORDS_MAX].column, "too many words in a line", `at most ${WORDS_MAX}`);
      return undefined;
    }
    const body = this.parseCommand(words);
    if (body === undefined) return undefined;
    words.end();
    this.remember(body, words);
    if (!words.isGood) return undefined;
    const source = text.split("#", 1)[0].trim();
    return { line, column: split[0].column, source, echo: words.echo, ...body };
  }

  private checkLine(line: number, text: string): boolean {
    const code = text.split("#", 1)[0];
    if (text.includes("\r") && !this.hasCarriageReturn) {
      this.hasCarriageReturn = true;
      this.errors.add(line, text.indexOf("\r") + 1, "there is a carriage return", "lines end with a line feed alone");
    }
    const nul = text.indexOf("\0");
    if (nul >= 0) this.errors.add(line, nul + 1, "there is a zero byte", "a scenario is text");
    else if (code.length > LINE_BYTES_MAX) {
      this.errors.add(line, LINE_BYTES_MAX + 1, "the line is too long", `at most ${LINE_BYTES_MAX} characters`);
    } else return true;
    return false;
  }

  private parseCommand(words: LineWords): CommandBody | undefined {
    const first = words.peeked ?? "";
    if (first === "spawn" || first === "dump" || MACHINE_SYNTAX.has(first)) {
      words.take("a command");
      if (first === "spawn") return { kind: "spawn", process: this.processes.begin(words) };
      if (first === "dump") return this.processes.parseDump(words);
      return MACHINE_SYNTAX.get(first)?.(words, this.processes);
    }
    return this.parseOfProcess(words, first);
  }

  private parseOfProcess(words: LineWords, first: string): CommandBody | undefined {
    const column = words.column;
    words.take("a command");
    const second = words.peeked;
    if (!this.processes.has(first) && (second === undefined || !PROCESS_COMMANDS.includes(second))) {
      words.complain(column, `there is no command ${quoteWord(first)}`, this.hintForCommand(first, second));
      return undefined;
    }
    const alive = this.processes.check(words, first, column);
    const commandColumn = words.column;
    const word = words.take("the command of the process");
    if (word === undefined) return undefined;
    // The commands of a process that is not there are still looked at, each for itself.
    if (word.text === "fork") {
      return { kind: "fork", process: first, child: this.processes.begin(words, first) };
    }
    if (word.text === "exit") {
      if (alive) this.processes.end(first, words.line);
      return { kind: "exit", process: first };
    }
    const syntax = PROCESS_SYNTAX.get(word.text);
    if (syntax !== undefined) return syntax(words, first);
    const hint = MACHINE_COMMANDS.includes(word.text)
      ? `${word.text} is a command of the machine: it stands first in its line`
      : didYouMean(word.text, PROCESS_COMMANDS);
    words.complain(commandColumn, `there is no command ${quoteWord(word.text)} for a process`, hint);
    return undefined;
  }

  private hintForCommand(first: string, second: string | undefined): string {
    if (PROCESS_COMMANDS.includes(first)) return `a process runs it: write ${this.processes.anyName} ${first} ...`;
    const near = nearestWord(first, MACHINE_COMMANDS);
    if (near !== undefined) return `did you mean ${near}?`;
    const nearSecond = second === undefined ? undefined : nearestWord(second, PROCESS_COMMANDS);
    if (nearSecond !== undefined) return `for a process, spawn it first and write ${nearSecond}`;
    return `known are ${MACHINE_COMMANDS.join(", ")}, and commands of a process behind its name`;
  }

  /** What later lines refer to, also if this one is wrong: one mistake is not to be told twice. */
  private remember(body: CommandBody, words: LineWords): void {
    if (body.kind === "mmap" && body.region !== "") {
      this.regions.set(body.region, body.address);
      this.regionCount++;
      if (this.regionCount === this.limits.regions + 1) {
        words.complain(
          1,
          `there are more than ${this.limits.regions} mmap in this scenario`,
          "split it into several scenarios",
        );
      }
    }
    if (body.kind === "uring" || body.kind === "vmsplice") this.processes.hold(body.process, body.kind, body.id);
    if (body.kind === "unuring") this.processes.release(words, body.process, "uring", body.id);
    if (body.kind === "unvmsplice") this.processes.release(words, body.process, "vmsplice", body.id);
  }
}
