/**
 * The same question put to SPIN (Debian's `spin`, with gcc): two-slots.pml, exhaustive, depth first, sequential, optimised.
 *
 * SPIN's whole question is: translate, compile, run. The run alone is what the bar is against; what stands before it is
 * printed beside it. Its partial-order reduction is switched off: every process here shares every word, it has nothing to
 * reduce. The hash table (-w24) and the depth (-m) are set so that the search is complete and does not resize.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One run of SPIN's verifier. */
export interface SpinRun {
  readonly states: number;
  readonly transitions: number;
  /** The verifier's own run. */
  readonly elapsedMs: number;
  readonly peakRssBytes: number;
  readonly errors: number;
}

const MODEL = fileURLToPath(new URL("../../../bench/checker/two-slots.pml", import.meta.url));
const COMPILE = ["-O2", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"];
const RUN = ["-m20000000", "-w24"];

/** SPIN's verifier for the question, compiled once. */
export class SpinPeer {
  readonly version: string;
  /** Translating and compiling, before any run. */
  readonly preparedMs: number;
  private readonly folder: string;

  private constructor(version: string, folder: string, preparedMs: number) {
    this.version = version;
    this.folder = folder;
    this.preparedMs = preparedMs;
  }

  /** undefined: there is no `spin`, or no gcc. */
  static prepare(): SpinPeer | undefined {
    const { status, stdout } = spawnSync("spin", ["-V"], { encoding: "utf8" });
    if (status !== 0 || spawnSync("gcc", ["--version"]).status !== 0) return undefined;
    const folder = mkdtempSync(join(tmpdir(), "foliometer-spin-"));
    const began = performance.now();
    execFileSync("spin", ["-a", MODEL], { cwd: folder });
    execFileSync("gcc", COMPILE, { cwd: folder, stdio: "pipe" });
    return new SpinPeer(stdout.trim(), folder, performance.now() - began);
  }

  run(): SpinRun {
    const began = performance.now();
    const { stdout, stderr } = spawnSync("/usr/bin/env", ["time", "-f", "%M", "./pan", ...RUN], {
      cwd: this.folder,
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
    const elapsedMs = performance.now() - began;
    const numberBefore = (what: string): number => Number(new RegExp(`(\\d+) ${what}`).exec(stdout)?.[1] ?? Number.NaN);
    if (stdout.includes("max search depth too small")) throw new Error("SPIN's search was cut short: raise -m");
    return {
      states: numberBefore("states, stored"),
      transitions: numberBefore("transitions"),
      errors: Number(/errors: (\d+)/.exec(stdout)?.[1] ?? Number.NaN),
      elapsedMs,
      peakRssBytes: Number(stderr.trim().split("\n").at(-1)) * 1024,
    };
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
