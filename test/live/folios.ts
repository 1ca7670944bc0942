/**
 * Folios of the wished size, whatever the machine is set to.
 *
 * Which folios a fault brings is decided by a dozen settings, and whoever used the machine before has left them as they
 * are (kernel-facts 8, step 6). `withFolios` holds them all while memory is filled and hands out the functions that
 * need it: nobody else has them. What is filled stays as it is when the settings go back, as it no longer asks for huge
 * pages then, and what does not ask for them is small throughout.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "vitest";
import { skipAlways } from "../full-run.ts";
import { framesOf, orderAt, smaps } from "./kernel-view.ts";
import {
  MADV_COLLAPSE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  type Switch,
  type Target,
  type TargetProgram,
} from "./target.ts";

const THP_FOLDER = "/sys/kernel/mm/transparent_hugepage";
const PMD_SIZE = "hugepages-2048kB";
const LARGE_SIZE = "hugepages-64kB";
const HUGE_TRIES = 10;

/** Makes an area and returns its first page. */
type Fill = (target: Target, name: string, count: number) => Promise<number>;

/** What needs the settings of `withFolios`. */
export interface Folios {
  /** Maps and writes `count` THPs as area `name`, all mapped by PMDs; says so if the machine has no free huge pages. */
  readonly writeHuge: Fill;
  /** Maps `count` times 2 MiB as area `name` and reads them: each is the huge zero page. */
  readonly readHugeZero: Fill;
  /** Maps and writes `count` 64 kB folios as area `name`; skips the test on a kernel without such folios. */
  readonly writeLarge: Fill;
  /** Makes a huge page of the first 2 MiB of area `name`, shared memory or not; skips the test if no setting allows it. */
  readonly collapse: (target: Target, name: string) => Promise<void>;
}

/**
 * Runs `body` while anonymous memory that asks for it gets huge pages or 64 kB folios, at once and at any price, and
 * shared memory gets a huge page by MADV_COLLAPSE alone. Skips the test on a kernel without huge pages.
 */
export async function withFolios<T>(
  ctx: TestContext,
  program: TargetProgram,
  body: (folios: Folios) => Promise<T>,
): Promise<T> {
  if (!existsSync(THP_FOLDER)) skipAlways(ctx, `this kernel has no ${THP_FOLDER}`);
  const folios: Folios = {
    writeHuge,
    readHugeZero,
    writeLarge: async (target, name, count) => {
      if (!existsSync(join(THP_FOLDER, LARGE_SIZE))) skipAlways(ctx, "this kernel has no folios of 64 kB");
      return writeLarge(target, name, count);
    },
    collapse: async (target, name) =>
      target.askAll(`advise ${name} 0 512 ${MADV_COLLAPSE}`).catch((error: Error) => {
        if (!String(error.cause).includes("Invalid argument")) throw error;
        skipAlways(ctx, "this kernel has no MADV_COLLAPSE for this memory");
      }),
  };
  return program.withSwitches(conditions(), async () => body(folios));
}

/** Every setting that decides which folios a fault brings, as far as this kernel has it. */
function conditions(): Switch[] {
  const values = [
    ["enabled", "madvise"],
    ["defrag", "always"],
    ["use_zero_page", "1"],
    ["shmem_enabled", "never"],
  ];
  for (const size of readdirSync(THP_FOLDER).filter((name) => name.startsWith("hugepages-"))) {
    values.push([`${size}/enabled`, size === PMD_SIZE || size === LARGE_SIZE ? "madvise" : "never"]);
    // To inherit "never" is to have no huge page but by MADV_COLLAPSE; "never" itself refuses that too.
    values.push([`${size}/shmem_enabled`, size === PMD_SIZE ? "inherit" : "never"]);
  }
  return values
    .map(([name, value]) => ({ path: join(THP_FOLDER, name), value }))
    .filter(({ path }) => existsSync(path));
}

async function writeHuge(target: Target, name: string, count: number): Promise<number> {
  for (let tried = 0; tried < HUGE_TRIES; tried++) {
    const start = await target.map(`map ${name} huge ${count * 512}`);
    await target.askAll(`write ${name} 0 ${count * 512}`, `advise ${name} 0 ${count * 512} ${MADV_NOHUGEPAGE}`);
    const vma = smaps(target.pid).find(({ header }) => header.startPage <= start && start < header.endPage);
    if ((vma?.fields.anonHugePages ?? 0) >= count * 2048) return start;
    await target.ask(`unmap ${name} 0 ${count * 512}`);
  }
  throw new Error(`this machine had no ${count} huge pages free`);
}

async function readHugeZero(target: Target, name: string, count: number): Promise<number> {
  const start = await target.map(`map ${name} huge ${count * 512}`);
  await target.ask(`read ${name} 0 ${count} 512`);
  return start;
}

async function writeLarge(target: Target, name: string, count: number): Promise<number> {
  const pages = count * 16;
  const start = await target.map(`map ${name} anon ${pages}`);
  await target.ask(`advise ${name} 0 ${pages} ${MADV_HUGEPAGE}`);
  await target.askAll(`write ${name} 0 ${pages}`, `advise ${name} 0 ${pages} ${MADV_NOHUGEPAGE}`);
  for (let page = 0; page < pages; page += 16) {
    const [head = -1] = framesOf(target.pid, start + page, 1);
    if (orderAt(head) !== 4) throw new Error(`page ${page} is in a folio of order ${orderAt(head)}, not 4`);
  }
  return start;
}
