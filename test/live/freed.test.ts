/**
 * What would come free is what comes free: processes in a control group of their own, whose memory the kernel counts.
 *
 * The prediction is made of a capture while they stand still; then they end, and memory.stat of the group has lost what
 * was predicted. The kernel keeps that figure in batches for each processor, which is what may be off. Who remains is
 * captured again: it still has what was to stay.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test, type TestContext } from "vitest";
import { memoryCgroup, parseCgroupText } from "../../src/kernel/index.ts";
import {
  type FreeRanking,
  type Freeing,
  type SharingReport,
  prepareFreeing,
  rankEach,
  studyFreeing,
  studySharing,
} from "../../src/study/index.ts";
import { skipAlways } from "../full-run.ts";
import { foliometer } from "../foliometer-in-process.ts";
import { only, withCapture } from "./captured.ts";
import { withFolios } from "./folios.ts";
import { endTargets, type Target, type TargetProgram, targetProgram } from "./target.ts";

afterAll(endTargets);

const PAGE = 4096;
/** Batches of 64 pages on some processors, and the few pages that ran the program before it was in the group. */
const SLACK_BYTES = 2 * 2 ** 20;
const WAIT_MS = 20;
const WAITS = 500;

/** A memory control group for one test, beside the one that the test runs in. */
class MemoryGroup {
  readonly folder: string;

  constructor(ctx: TestContext) {
    const memory = memoryCgroup(parseCgroupText(readFileSync("/proc/self/cgroup", "utf8")));
    const root = memory?.hierarchy === 0 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    this.folder = join(root, `foliometer-freed-${process.pid}`);
    try {
      mkdirSync(this.folder);
    } catch {
      skipAlways(ctx, `no control group can be made below ${root}`);
    }
    if (!existsSync(join(this.folder, "memory.stat"))) {
      this.remove();
      skipAlways(ctx, "control groups do not count memory here");
    }
  }

  /** A target all of whose memory is the group's. */
  start(program: TargetProgram): Target {
    const join_ = `echo $$ > ${this.folder}/cgroup.procs && exec ${program.path}`;
    return program.start({ path: "/bin/sh", args: ["-c", join_] });
  }

  /** Anonymous memory and shared memory, in bytes. */
  read(): { readonly anon: number; readonly shmem: number } {
    const lines = readFileSync(join(this.folder, "memory.stat"), "utf8").split("\n");
    const of = (name: string): number => Number(lines.find((line) => line.startsWith(`${name} `))?.split(" ")[1] ?? 0);
    // The first version of control groups calls anonymous memory rss.
    return { anon: of("anon") + of("rss"), shmem: of("shmem") };
  }

  remove(): void {
    rmdirSync(this.folder);
  }
}

/** Ends a target and waits until its memory is gone. */
async function end(target: Target): Promise<void> {
  target.kill();
  for (let waited = 0; waited < WAITS; waited++) {
    let stat = "";
    try {
      stat = readFileSync(`/proc/${target.pid}/stat`, "utf8");
    } catch {
      return;
    }
    // A zombie has no memory any more.
    if (/^\d+ \(.*\) [ZX]/s.test(stat)) return;
    await sleep(WAIT_MS);
  }
  throw new Error(`process ${target.pid} does not end`);
}

async function freeingOf(targets: readonly Target[]): Promise<Freeing> {
  return withCapture(only(...targets), (capture) => prepareFreeing(capture));
}

/** A witness with 32 MiB and two THPs, and two children that write on some, unmap some and have memory of their own. */
async function family(ctx: TestContext, program: TargetProgram, group: MemoryGroup): Promise<[Target, Target, Target]> {
  const witness = group.start(program);
  await witness.askAll("map heap anon 8192", "write heap 0 8192", "map both shared 2048", "write both 0 2048");
  await withFolios(ctx, program, async ({ writeHuge }) => writeHuge(witness, "thp", 2));
  const first = await witness.fork();
  const second = await first.fork();
  await first.askAll("write heap 0 3000", "map ring shared 3000", "write ring 0 3000", "write thp 0 40");
  await second.askAll("map own anon 2000", "write own 0 2000", "write heap 1000 500");
  // What the witness lets go of is left to its children; half of a THP stays with the other half.
  await witness.askAll("unmap heap 6000 2192", "unmap thp 512 512", "unmap thp 0 256");
  return [witness, first, second];
}

test("what two processes free together is what their control group has less of, and the third keeps the rest", async (ctx) => {
  const program = targetProgram(ctx);
  const group = new MemoryGroup(ctx);
  const members: Target[] = [];
  try {
    members.push(...(await family(ctx, program, group)));
    const [witness, first, second] = members;
    const before = await freeingOf(members);
    const report = studyFreeing(before, new Set([first.pid, second.pid]));
    const counted = group.read();
    await end(second);
    await end(first);
    const left = group.read();
    const { anonBytes, unmappedBytes, vanishingBytes } = report.free;
    // 3000 pages copied, 500 of them again, 2000 new, 2192 let go of by the witness, 512 of its THP, 40 copied.
    expect(anonBytes / PAGE).toBeGreaterThanOrEqual(3000 + 500 + 2000 + 2192 + 512 + 40);
    expect(Math.abs(counted.anon - left.anon - (anonBytes + unmappedBytes))).toBeLessThan(SLACK_BYTES);
    // Sure only where everybody was read.
    expect(vanishingBytes).toEqual({ least: 0, most: 3000 * PAGE });
    expect(Math.abs(counted.shmem - left.shmem - vanishingBytes.most)).toBeLessThan(SLACK_BYTES);
    // 256 pages of the first THP are left with the children alone, and the witness has the folio.
    expect(report.heldByFoliosBytes).toBe(256 * PAGE);
    const after = rankEach(await freeingOf([witness]), () => true).processes[0];
    const kept = report.holders.find(({ process }) => process?.pid === witness.pid);
    expect(kept?.held.anonBytes).toBeGreaterThan(0);
    expect(after.mappedBytes).toBe(rankEach(before, ({ pid }) => pid === witness.pid).processes[0].mappedBytes);
    expect(after.free.anonBytes).toBeGreaterThan(6000 * PAGE);
  } finally {
    for (const member of members.toReversed()) await end(member);
    await members[0]?.ended;
    await removeSoon(group);
  }
});

/** The kernel lets go of a group a moment after its last process. */
async function removeSoon(group: MemoryGroup): Promise<void> {
  for (let waited = 0; ; waited++) {
    try {
      group.remove();
      return;
    } catch (error) {
      if (waited === WAITS) throw error;
      await sleep(WAIT_MS);
    }
  }
}

test("a parent and its children share what they share, to the page", async (ctx) => {
  const program = targetProgram(ctx);
  const parent = program.start();
  await parent.askAll("map heap anon 500", "write heap 0 500", "map both shared 100", "write both 0 60");
  const first = await parent.fork();
  const second = await parent.fork();
  await first.askAll("write heap 0 120", "write both 0 10");
  await second.askAll("unmap heap 400 100", "write both 0 30");
  const report = await withCapture(only(parent, first, second), (capture) => studySharing(capture, { by: "process" }));
  const indexOf = (target: Target): number =>
    report.groups.findIndex(({ processes }) => processes[0].pid === target.pid);
  const shared = (one: Target, other: Target): number[] => {
    const [a, b] = [indexOf(one), indexOf(other)].toSorted((x, y) => x - y);
    const pair = report.pairs.find((each) => each.a === a && each.b === b);
    return [(pair?.shared.anonBytes ?? 0) / PAGE, (pair?.shared.shmemBytes ?? 0) / PAGE];
  };
  const stack = shared(first, second)[0] - 280;
  // Whatever of stack and data nobody has written since the forks is shared by all.
  expect(stack).toBeGreaterThanOrEqual(0);
  expect(stack).toBeLessThan(40);
  expect(shared(first, second)).toEqual([280 + stack, 10]);
  expect(shared(parent, first)[1]).toBe(10);
  expect(shared(parent, second)[1]).toBe(30);
  expect(shared(parent, first)[0] - 380).toBeLessThan(40);
  expect(shared(parent, second)[0] - 400).toBeLessThan(40);
  expect(Math.min(shared(parent, first)[0] - 380, shared(parent, second)[0] - 400)).toBeGreaterThanOrEqual(0);
  await parent.ask("exit").catch(() => undefined);
});

test("a process that shares an address space is answered about under the pid that it was read with", async (ctx) => {
  const program = targetProgram(ctx);
  const target = program.start();
  await target.askAll("map mine anon 40", "write mine 0 40");
  const [twin = ""] = await target.ask("share");
  const ask = async <T>(...args: readonly string[]): Promise<T> =>
    JSON.parse((await foliometer(...args, "--threads", "1", "--json")).stdout) as T;
  const each = await ask<FreeRanking>("free", "--each", twin);
  expect(each.processes.map(({ process: { pid }, sharedWith }) => [pid, sharedWith])).toEqual([
    [target.pid, [Number(twin)]],
  ]);
  expect(each.processes[0].free.anonBytes).toBeGreaterThanOrEqual(40 * PAGE);
  const sharing = await ask<SharingReport>("sharing", "--pid", twin);
  const own = sharing.groups.findIndex(({ processes }) => processes[0].pid === target.pid);
  // The vdso is everybody's.
  expect(sharing.pairs.length).toBeGreaterThan(0);
  expect(sharing.pairs.every(({ a, b }) => a === own || b === own)).toBe(true);
});
