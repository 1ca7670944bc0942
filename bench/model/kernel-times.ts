/**
 * The running kernel at a scenario: the C program that `foliometer reproduce` writes, compiled, run as root, and timed by
 * itself around every system call.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseReproduction, reproduceAsC, scenarioOf } from "../../src/scenario/index.ts";

/** Compiles a scenario's program; `run` gives each command's time in milliseconds by its words. */
export class KernelProgram {
  private readonly folder: string;
  private readonly program: string;

  constructor(text: string) {
    this.folder = mkdtempSync(join(tmpdir(), "foliometer-bench-"));
    this.program = join(this.folder, "scenario");
    const source = `${this.program}.c`;
    writeFileSync(source, reproduceAsC(scenarioOf(text, "bench.scn"), { timeCommands: true }));
    execFileSync("gcc", ["-O2", "-o", this.program, source], { stdio: ["ignore", "ignore", "inherit"] });
  }

  /** Commands and their times, in order. Throws if the kernel could not do a step. */
  run(): { readonly command: string; readonly elapsedMs: number }[] {
    const output = execFileSync(this.program, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      maxBuffer: 2 ** 28,
    });
    const { times, cannot } = parseReproduction(output);
    if (cannot !== undefined) throw new Error(`line ${cannot.line}: this kernel cannot: ${cannot.reason}`);
    return times.map(({ command, elapsedNs }) => ({ command, elapsedMs: elapsedNs / 1e6 }));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
