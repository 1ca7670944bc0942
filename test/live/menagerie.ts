/**
 * One of everything that a page table can hold: processes whose memory is shared, split, copied, merged and cut in all
 * the ways that this machine allows. They are stopped when they are handed over, so that nothing of it changes.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "vitest";
import { type Folios, withFolios } from "./folios.ts";
import { FLAG_KSM, framesOf, kpageflags } from "./kernel-view.ts";
import {
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_HUGEPAGE,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  type Target,
  type TargetProgram,
} from "./target.ts";

const HUGETLB_FOLDER = "/sys/kernel/mm/hugepages/hugepages-2048kB";
const KSM_WAITS = 800;
const KSM_WAIT_MS = 25;
const HUGETLB_TRIES = 10;

/** The processes, and what of the machine's optional features could not be had. */
export interface Menagerie {
  readonly targets: readonly Target[];
  readonly missing: readonly string[];
}

/** Starts all. Settings of the machine are held only while memory is filled: what is mapped stays as it is. */
export async function startMenagerie(ctx: TestContext, program: TargetProgram): Promise<Menagerie> {
  const targets = await withFolios(ctx, program, async (folios) => [
    ...(await hugeFamily(program, folios)),
    ...(await smallFamily(program)),
    ...(await fileFamily(program)),
    ...(await largeFolioFamily(program)),
    await oddOnes(program, folios),
  ]);
  const missing: string[] = [];
  const hugetlb = await startHugetlb(program);
  if (hugetlb === undefined) missing.push("no hugetlb page can be had");
  else targets.push(...hugetlb);
  const merged = await mergedPages(program);
  if (merged === undefined) missing.push("KSM merges nothing");
  else targets.push(merged);
  for (const target of targets) target.stop();
  return { targets, missing };
}

/** THPs shared by a parent and three children, of which each has let go of something in its own way. */
async function hugeFamily(program: TargetProgram, { writeHuge }: Folios): Promise<Target[]> {
  const parent = program.start();
  await writeHuge(parent, "thp", 6);
  const copier = await parent.fork();
  const cutter = await parent.fork();
  const mixed = await parent.fork();
  await copier.askAll("write thp 0 100", "write thp 700 40 3");
  await cutter.askAll("unmap thp 512 1", "unmap thp 1124 100");
  await mixed.askAll("write thp 1536 1", "unmap thp 1537 200", "protect thp 2048 7 1");
  await parent.askAll("unmap thp 2600 50", "write thp 2300 5");
  await writeHuge(parent, "own", 1);
  return [parent, copier, cutter, mixed];
}

/** Small anonymous pages, shared anonymous memory and a memfd, in four processes. */
async function smallFamily(program: TargetProgram): Promise<Target[]> {
  const parent = program.start();
  await parent.askAll("map small anon 3000", "write small 0 3000", "map locked anon 64", "write locked 0 64");
  await parent.askAll("lock locked 0 64", "map both shared 500", "write both 0 300", "memfd mem 400");
  await parent.askAll(
    "mapfd one mem 0 400 shared",
    "write one 0 200",
    "mapfd two mem 100 200 private",
    "read two 0 50",
  );
  const first = await parent.fork();
  const second = await parent.fork();
  const third = await second.fork();
  await first.askAll("write small 0 1000 2", "read both 0 100", "write two 20 10");
  await second.askAll("unmap small 500 700", "write both 250 100", "read one 0 300");
  await third.askAll("write small 2000 100", "advise small 0 100 4", "move small 2500 300 moved", "write moved 5 5");
  return [parent, first, second, third];
}

/** A file mapped shared and privately, with pages copied on write, in three processes. */
async function fileFamily(program: TargetProgram): Promise<Target[]> {
  const path = join(program.folder, "mapped-file");
  writeFileSync(path, Buffer.alloc(300 * 4096, "foliometer"));
  const parent = program.start();
  await parent.askAll(`open disk ${path}`, "mapfd copy disk 0 300 private", "read copy 0 300", "write copy 10 40");
  await parent.askAll("mapfd whole disk 0 300 shared", "read whole 0 150", "write whole 100 20");
  const child = await parent.fork();
  await child.askAll("write copy 40 40", "unmap copy 200 20");
  const other = program.start();
  await other.askAll(`open disk ${path}`, "mapfd view disk 50 200 shared", "read view 0 200");
  return [parent, child, other];
}

/** 64 kB folios, each mapped in part by some of three processes; small pages where there are none. */
async function largeFolioFamily(program: TargetProgram): Promise<Target[]> {
  const parent = program.start();
  await parent.askAll("map large anon 512", `advise large 0 320 ${MADV_HUGEPAGE}`, "write large 0 512");
  await parent.ask(`advise large 0 512 ${MADV_NOHUGEPAGE}`);
  const first = await parent.fork();
  const second = await parent.fork();
  await parent.askAll("unmap large 3 5", "unmap large 32 16");
  await first.askAll("write large 20 3", "unmap large 64 30", "write large 128 16");
  await second.askAll("unmap large 0 100", "write large 200 1", "advise large 250 10 4");
  return [parent, first, second];
}

/** Zero pages, guard regions, pages that may be freed, a page mapped twice by one process. */
async function oddOnes(program: TargetProgram, { readHugeZero }: Folios): Promise<Target> {
  const target = program.start();
  await target.askAll("map zeros anon 600", "read zeros 0 600", "write zeros 100 10");
  await readHugeZero(target, "hugezero", 2);
  await target.askAll("map guarded anon 64", "write guarded 0 64", `advise guarded 10 20 ${MADV_GUARD_INSTALL}`);
  await target.askAll("map lazy anon 64", "write lazy 0 64", `advise lazy 0 32 ${MADV_FREE}`);
  await target.askAll("memfd twice 32", "mapfd here twice 0 32 shared", "mapfd there twice 8 24 shared");
  await target.askAll("write here 0 16", "read there 0 8", "share");
  return target;
}

/** Four hugetlb pages of a parent, three of them shared with a child; undefined if the machine gives fewer. */
export async function startHugetlb(program: TargetProgram): Promise<readonly [Target, Target] | undefined> {
  let family: readonly [Target, Target] | undefined;
  for (let tried = 0; tried < HUGETLB_TRIES && family === undefined; tried++) {
    // Pages that others took with them when the number went back are surplus, and are made good first; how many there
    // are may change while this waits for the switch.
    const surplus = readCount("surplus_hugepages");
    family = await program.withSwitches([{ path: "/proc/sys/vm/nr_hugepages", value: `+${surplus + 4}` }], async () => {
      return readCount("free_hugepages") < 4 ? undefined : hugetlbFamily(program);
    });
  }
  return family;
}

async function hugetlbFamily(program: TargetProgram): Promise<readonly [Target, Target]> {
  const parent = program.start();
  await parent.askAll("map tlb hugetlb 2048", "write tlb 0 4 512");
  const child = await parent.fork();
  await child.ask("unmap tlb 0 512");
  return [parent, child];
}

function readCount(name: string): number {
  return Number(readFileSync(`${HUGETLB_FOLDER}/${name}`, "utf8"));
}

/** Area "same": 40 pages merged by KSM, of which four are copied again; undefined if nothing is merged in time. */
export async function mergedPages(program: TargetProgram): Promise<Target | undefined> {
  const target = program.start();
  const start = await target.map("map same anon 40");
  // The word is this run's own: nobody else's pages are merged with them.
  await target.askAll(`fill same 0 40 ${process.pid}`, `advise same 0 40 ${MADV_MERGEABLE}`);
  const merged = await program.withSwitches([{ path: "/sys/kernel/mm/ksm/run", value: "1" }], async () => {
    for (let waited = 0; waited < KSM_WAITS; waited++) {
      const frames = framesOf(target.pid, start, 40);
      if (frames.every((pfn) => pfn === frames[0]) && (kpageflags(frames[0]) & FLAG_KSM) !== 0n) return true;
      await sleep(KSM_WAIT_MS);
    }
    return false;
  });
  if (!merged) {
    target.kill();
    return undefined;
  }
  await target.ask("write same 3 4");
  return target;
}
