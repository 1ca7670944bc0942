/**
 * Runs tests of the copy-on-write plan on the model: the lines one by one, and between them what viewers really see.
 *
 * A test fails if a viewer sees something else than it must; nothing here looks at a count or a flag. It is skipped where
 * the kernel's own test is: memory that does not go to swap, a collapse that is refused. Invariant: each test runs on a
 * machine of its own.
 */
import { type CowRule, type Memory, Unsupported, startGupTest } from "../memory/index.ts";
import type { Scheme } from "../schemes/index.ts";
import { contentsSeenBy, framesOfRing, isSwappedOut } from "./contents-view.ts";
import type { ScenarioCommand } from "./command.ts";
import { type KernelConfig, createCountedMachine } from "./counted-machine.ts";
import { type CowTest, nameOfCowTest, scenarioOfCowTest } from "./cow-plan.ts";
import { expectedFailure } from "./cow-plan-expected.ts";
import { type CowStep, type CowViewer, formatViewer } from "./cow-plan-steps.ts";
import { runCommand } from "./model-commands.ts";
import { ModelRun } from "./model-run.ts";
import { scenarioOf } from "./parse-scenario.ts";

export interface CowPlanOptions {
  readonly config: KernelConfig;
  /** The era of copy-on-write. */
  readonly rule: CowRule;
  /** The scheme that decides; the kernel's own if not given. */
  readonly decidedBy?: Scheme;
}

/** What came of a test, held against what the kernel of that era is known for. */
export type CowVerdict = "passed" | "failed" | "failed-as-expected" | "passed-unexpectedly" | "not-covered";

export interface CowOutcome {
  readonly test: CowTest;
  readonly verdict: CowVerdict;
  /** What was seen that must not be, or why the test could not be made; undefined where it passed. */
  readonly reason?: string;
  /** Why the kernel of this era is known to fail the test, if it is. */
  readonly knownFailure?: string;
}

/** Failed and should have passed, or the other way round. */
export function isUnexpected({ verdict }: CowOutcome): boolean {
  return verdict === "failed" || verdict === "passed-unexpectedly";
}

/** Frames of a test's machine: 64 MiB, of which 16 MiB are huge pages. */
const FRAME_COUNT = 16_384;
const PAGE_BYTES = 4096;
const MEBIBYTE = 2 ** 20;

/** The test cannot be made here. */
class CannotMake extends Error {}
/** A viewer sees what it must not. */
class SeenWrong extends Error {}

/** Runs one test. */
export function runCowTest(test: CowTest, options: CowPlanOptions): CowOutcome {
  const { missing } = test.backing;
  if (missing !== undefined) return { test, verdict: "not-covered", reason: missing };
  const knownFailure = expectedFailure(test, options.rule);
  const known = knownFailure === undefined ? {} : { knownFailure };
  try {
    new CowTestRun(test, options).run();
    return { test, verdict: knownFailure === undefined ? "passed" : "passed-unexpectedly", ...known };
  } catch (error) {
    if (error instanceof SeenWrong) {
      const verdict = knownFailure === undefined ? "failed" : "failed-as-expected";
      return { test, verdict, reason: error.message, ...known };
    }
    if (error instanceof CannotMake || error instanceof Unsupported) {
      return { test, verdict: "not-covered", reason: error.message, ...known };
    }
    throw error;
  }
}

class CowTestRun {
  private readonly steps: readonly CowStep[];
  private readonly commands: ReadonlyMap<number, ScenarioCommand>;
  private readonly run_: ModelRun;
  private readonly memory: Memory;
  /** Addresses of regions by name. */
  private readonly regions = new Map<string, number>();
  private remembered: readonly (number | undefined)[] = [];

  constructor(test: CowTest, { config, rule, decidedBy }: CowPlanOptions) {
    this.steps = test.steps;
    const { commands } = scenarioOf(scenarioOfCowTest(test), nameOfCowTest(test));
    this.commands = new Map(commands.map((command) => [command.line, command]));
    const machine = createCountedMachine({ config, cowRule: rule, decidedBy, frameCount: FRAME_COUNT });
    this.run_ = new ModelRun(machine);
    this.memory = machine.memory;
  }

  run(): void {
    for (const [index, step] of this.steps.entries()) {
      // The first line is the title.
      const command = this.commands.get(index + 2);
      switch (step.kind) {
        case "run":
          this.runLine(step.line, command);
          break;
        case "pinFast":
          this.pinFast(step);
          break;
        case "needSwap":
          if (!isSwappedOut(this.memory, this.mmOf(step.process), this.addressOf(step.at), step.lengthBytes)) {
            throw new CannotMake("MADV_PAGEOUT did not work");
          }
          break;
        case "remember":
          this.remembered = this.look(step.viewer);
          break;
        case "seesOld":
          this.compare(step.viewer, step.claim, (page) => this.remembered[page]);
          break;
        case "seesByte": {
          const content = this.memory.contents.filled(step.byte);
          this.compare(step.viewer, step.claim, () => content);
          break;
        }
      }
    }
  }

  private runLine(line: string, command: ScenarioCommand | undefined): void {
    if (command === undefined) throw new Error(`the plan has no command in "${line}"`);
    if (command.kind === "mmap") this.regions.set(command.region, command.address);
    const result = runCommand(this.run_, command);
    const failed = / = 0xffffffffffffffff (?<error>.*)| = -1 (?<other>.*)| !! (?<why>.*)/.exec(result)?.groups;
    if (failed === undefined) return;
    const why = `${line}: ${failed.error ?? failed.other ?? failed.why}`;
    throw command.kind === "madvise" && command.advice === "collapse" ? new CannotMake(why) : new SeenWrong(why);
  }

  private pinFast({ process, at, lengthBytes }: Extract<CowStep, { kind: "pinFast" }>): void {
    const result = startGupTest(this.memory, this.mmOf(process), this.addressOf(at), lengthBytes, false, "fast");
    if (result < 0) throw new SeenWrong(`the pin was refused with ${result}`);
  }

  private mmOf(process: string): NonNullable<ReturnType<ModelRun["find"]>>["mm"] {
    const found = this.run_.find(process);
    if (found === undefined) throw new Error(`the plan asks for process ${process}, which is not alive`);
    return found.mm;
  }

  /** "@mem+64k" */
  private addressOf(at: string): number {
    const {
      region = "",
      count = "0",
      unit = "k",
    } = /^@(?<region>\w+)(?:\+(?<count>\d+)(?<unit>[kM]))?$/.exec(at)?.groups ?? {};
    const start = this.regions.get(region);
    if (start === undefined) throw new Error(`the plan has no region for ${at}`);
    return start + Number(count) * (unit === "M" ? MEBIBYTE : 1024);
  }

  /** What the viewer sees, page by page; only as many as it sees at all. */
  private look(viewer: CowViewer): (number | undefined)[] {
    const { memory } = this;
    const contents = (frames: readonly number[]): number[] => frames.map((frame) => memory.contents.of(frame));
    switch (viewer.by) {
      case "process":
        return contentsSeenBy(memory, this.mmOf(viewer.process), this.addressOf(viewer.at), viewer.lengthBytes);
      case "gup":
        return contents(memory.pins.gupTestFrames ?? []);
      case "pipe":
        return contents(memory.pins.of(this.mmOf(viewer.process)).pipes.get(viewer.id)?.frames ?? []);
      case "ring": {
        const held = memory.pins.of(this.mmOf(viewer.process)).rings.get(viewer.id)?.frames ?? [];
        return contents(framesOfRing(memory, held, viewer.lengthBytes / PAGE_BYTES));
      }
    }
  }

  private compare(viewer: CowViewer, claim: string, expected: (page: number) => number | undefined): void {
    const seen = this.look(viewer);
    if (seen.length === 0) throw new Error(`${formatViewer(viewer)} sees nothing`);
    const wrong = seen.findIndex((content, page) => content === undefined || content !== expected(page));
    if (wrong < 0) return;
    throw new SeenWrong(
      `${claim}: not so, ${formatViewer(viewer)} sees ${this.describe(seen[wrong])} in page ${wrong} ` +
        `instead of ${this.describe(expected(wrong))}`,
    );
  }

  private describe(content: number | undefined): string {
    if (content === undefined) return "nothing";
    return `0x${this.memory.contents.wordAt(content, 0).toString(16)}`;
  }
}
