/**
 * Ends test files that do not end: names the one from which nothing was heard for too long, and kills the workers.
 *
 * Vitest's own limits of time are timers in the process that runs the tests. Code that loops without end never lets them
 * fire, and the run would wait for ever. This process still ticks. Which of the two workers has the file is not known here,
 * so both are killed; Vitest counts the files that they had as failed and goes on with the others in new ones.
 */
import { readFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Longer than the longest time that any test gives itself (five minutes, in test/fidelity). */
const SILENCE_MS = 330_000;
const LOOK_EVERY_MS = 1000;

interface Running {
  readonly path: string;
  /** The test that began last, if one was heard of. */
  test: string;
  /** When something was heard last, in ms. */
  heardAt: number;
}

export default class StalledTestReporter implements Reporter {
  private readonly silenceMs: number;
  private readonly running = new Map<string, Running>();
  private timer: NodeJS.Timeout | undefined;

  constructor({ silenceMs = SILENCE_MS }: { readonly silenceMs?: number } = {}) {
    this.silenceMs = silenceMs;
  }

  onTestRunStart(): void {
    this.timer = setInterval(() => this.look(performance.now()), LOOK_EVERY_MS);
    this.timer.unref();
  }

  onTestModuleQueued(module: TestModule): void {
    this.running.set(module.id, {
      path: module.relativeModuleId,
      test: "before its first test",
      heardAt: performance.now(),
    });
  }

  onTestCaseReady(test: TestCase): void {
    this.hear(test.module, `in "${test.fullName}"`);
  }

  onTestCaseResult(test: TestCase): void {
    this.hear(test.module, `after "${test.fullName}"`);
  }

  onTestModuleEnd(module: TestModule): void {
    this.running.delete(module.id);
  }

  onTestRunEnd(): void {
    clearInterval(this.timer);
    this.running.clear();
  }

  private hear(module: TestModule, test: string): void {
    const running = this.running.get(module.id);
    if (running !== undefined) Object.assign(running, { test, heardAt: performance.now() });
  }

  private look(nowMs: number): void {
    const silent = [...this.running.values()].filter(({ heardAt }) => nowMs - heardAt > this.silenceMs);
    if (silent.length === 0) return;
    for (const { path, test } of silent)
      console.error(`stalled: ${path}, ${test}: nothing heard for ${this.silenceMs / 1000} s; its worker is killed`);
    this.running.clear();
    for (const pid of workers()) process.kill(pid, "SIGKILL");
  }
}

/** Children of this process that run tests. */
function workers(): number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim();
  const pids = children === "" ? [] : children.split(" ").map(Number);
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("vitest");
    } catch {
      // Gone since the list was read.
      return false;
    }
  });
}
