/**
 * Processes that map what a test tells them to, and the switches of the machine that some of that needs.
 *
 * A target (target.c) waits for a command and stands still until the next: then its page tables are as the test left
 * them. Targets are ended by pid, and end with this process whatever happens; switches are held by a process of their own
 * that puts them back as they were even if this one is killed.
 */
import { spawn, spawnSync, type ChildProcessByStdio } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { TestContext } from "vitest";
import { lockSettings, unlockSettings } from "../settings-lock.ts";
import { requireCommand, requireRoot } from "../full-run.ts";

type Piped = ChildProcessByStdio<Writable, Readable, null>;

/** Advice for madvise and protections for mprotect, as the kernel numbers them. */
export const MADV_FREE = 8;
export const MADV_MERGEABLE = 12;
export const MADV_HUGEPAGE = 14;
export const MADV_NOHUGEPAGE = 15;
export const MADV_COLLAPSE = 25;
export const MADV_GUARD_INSTALL = 102;
export const PROT_READ = 1;

const SOURCE_PATH = fileURLToPath(new URL("target.c", import.meta.url));

/** A setting of the machine, and the value that it is to have ("+N": so much more than it had). */
export interface Switch {
  readonly path: string;
  readonly value: string;
}

/** The compiled program, in a folder that goes away with it. */
export class TargetProgram {
  readonly path: string;
  /** For files that targets map. */
  readonly folder: string;
  private readonly running = new Set<Target>();

  private constructor(folder: string) {
    this.folder = folder;
    this.path = join(folder, "target");
  }

  /** Compiles it; `ctx` is skipped, or failed in the full run, without root or a compiler. */
  static build(ctx: TestContext): TargetProgram {
    requireRoot(ctx);
    const gcc = requireCommand(ctx, "gcc");
    const program = new TargetProgram(mkdtempSync(join(tmpdir(), "foliometer-live-")));
    chmodSync(program.folder, 0o755);
    const { status, stderr } = spawnSync(gcc, ["-O1", "-static", "-o", program.path, SOURCE_PATH], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`target.c does not compile: ${stderr}`);
    return program;
  }

  /** Starts a target; `uid` also becomes its group. */
  start({ uid, args = [], path = this.path }: { uid?: number; args?: readonly string[]; path?: string } = {}): Target {
    const identity = uid === undefined ? {} : { uid, gid: uid };
    const child = spawn(path, args, { stdio: ["pipe", "pipe", "inherit"], argv0: "target", ...identity });
    const target = new Target(child);
    this.running.add(target);
    return target;
  }

  /**
   * Runs `body` while every switch has its value. Whoever else changes settings waits; inside of `body` that would be
   * `body` itself, so it throws there. Who needs several switches names them in one call.
   */
  async withSwitches<T>(switches: readonly Switch[], body: () => Promise<T>): Promise<T> {
    await lockSettings();
    const words = switches.flatMap(({ path, value }) => [path, value]);
    try {
      return await this.withKeeper(["keep", ...words], body);
    } finally {
      await unlockSettings();
    }
  }

  /**
   * Runs `body` while no other test that asks for this runs: those that look at the whole machine, and those that fill
   * and free so much memory that such a look would see little else.
   */
  async withMachine<T>(body: () => Promise<T>): Promise<T> {
    return this.withKeeper(["lock", SOURCE_PATH], body);
  }

  /** Runs `body` between a keeper's answer and its end, which gives back what it keeps. */
  private async withKeeper<T>(args: readonly string[], body: () => Promise<T>): Promise<T> {
    // In a process group of its own: an interrupted run ends its input, and only that ends the keeper.
    const child = spawn(this.path, args, { stdio: ["pipe", "pipe", "inherit"], detached: true });
    const keeper = new Target(child);
    let code: number | null;
    let outcome: T;
    try {
      await keeper.answer();
      outcome = await body();
    } finally {
      child.stdin.end();
      code = await keeper.ended;
    }
    if (code !== 0) throw new Error(`target ${args.join(" ")}: what it kept could not be put back`);
    return outcome;
  }

  /** Ends all targets. */
  async end(): Promise<void> {
    for (const target of this.running) target.kill();
    await Promise.all([...this.running].map(({ ended }) => ended));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let built: TargetProgram | undefined;

/** The program, compiled once for all tests of a file; `endTargets` belongs into the file's afterAll. */
export function targetProgram(ctx: TestContext): TargetProgram {
  return (built ??= TargetProgram.build(ctx));
}

export async function endTargets(): Promise<void> {
  await built?.end();
  built = undefined;
}

/** A running target: the program itself or a forked child of it. */
export class Target {
  readonly pid: number;
  /** Resolves with the exit code, or null after a signal. */
  readonly ended: Promise<number | null>;
  private readonly child: Piped;
  private readonly lines: string[] = [];
  private readonly waiting: ((line: string) => void)[] = [];
  /** What goes before a command on its way to this process. */
  private readonly route: string;
  private readonly root: Target;
  private forks = 0;

  constructor(child: Piped, forked?: { readonly pid: number; readonly route: string; readonly root: Target }) {
    this.child = child;
    this.route = forked?.route ?? "";
    this.root = forked?.root ?? this;
    if (child.pid === undefined) throw new Error("the target did not start");
    this.pid = forked?.pid ?? child.pid;
    this.ended = forked?.root.ended ?? new Promise((resolve) => child.once("exit", resolve));
    if (forked !== undefined) return;
    child.stdin.on("error", () => undefined);
    createInterface({ input: child.stdout }).on("line", (line) => {
      const next = this.waiting.shift();
      if (next === undefined) this.lines.push(line);
      else next(line);
    });
    child.once("exit", () => {
      for (const next of this.waiting.splice(0)) next("error it ended");
    });
  }

  /** Gives a command; returns the words of the answer behind "ok". */
  async ask(command: string): Promise<string[]> {
    this.child.stdin.write(`${this.route}${command}\n`);
    try {
      return await this.root.answer();
    } catch (error) {
      throw new Error(`target: ${this.route}${command}`, { cause: error });
    }
  }

  /** Gives commands one after the other. */
  async askAll(...commands: string[]): Promise<void> {
    for (const command of commands) await this.ask(command);
  }

  /** The words of the next answer behind "ok". */
  async answer(): Promise<string[]> {
    const line = this.lines.shift() ?? (await new Promise<string>((resolve) => this.waiting.push(resolve)));
    const [verdict, ...words] = line.split(" ");
    if (verdict !== "ok") throw new Error(line);
    return words;
  }

  /** Makes an area and returns its first page. */
  async map(command: string): Promise<number> {
    const [address = ""] = await this.ask(command);
    return Number.parseInt(address, 16) / 4096;
  }

  /** Forks a child that obeys too. */
  async fork(): Promise<Target> {
    const [pid] = await this.ask("fork");
    return new Target(this.child, { pid: Number(pid), route: `${this.route}> ${this.forks++} `, root: this.root });
  }

  /** Stops it from running (SIGSTOP) and goes on (SIGCONT). */
  stop(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** Ends it, stopped or not. */
  kill(): void {
    try {
      process.kill(this.pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
