/**
 * What a capture cannot know, and the kernel does: whether a folio's shared bit is still set.
 *
 * Each test leads a 64 kB folio through a life, captures it at rest, and then lets the kernel decide: a write by the last
 * process that maps it is copied if the bit is set and reuses the page if not. The report's Uss under mm-owner must leave
 * room for that decision, and must leave room for nothing else where no history could have decided otherwise.
 * Facts: kernel-facts 2.5 and 9.3 (T1-T3, F7).
 */
import { afterAll, expect, test, type TestContext } from "vitest";
import { only, reportOf, reported } from "./captured.ts";
import { withFolios } from "./folios.ts";
import { framesOf, kpagecount } from "./kernel-view.ts";
import { type Target, endTargets, targetProgram } from "./target.ts";

const FOLIO_BYTES = 65_536;
const QUIET = { retry: 2 };

afterAll(endTargets);

/** A process with one written 64 kB folio, area "large", and small pages besides, as it is born under those settings. */
async function owner(ctx: TestContext): Promise<{ a: Target; page: number }> {
  const program = targetProgram(ctx);
  return withFolios(ctx, program, async ({ writeLarge }) => {
    // A bystander maps the program's file too: then only the written folio is in question.
    await program.start().ask("map nothing anon 1");
    const a = program.start();
    return { a, page: await writeLarge(a, "large", 1) };
  });
}

async function exit(child: Target): Promise<void> {
  await child.ask("exit");
  while (isThere(child)) await new Promise((resolve) => setImmediate(resolve));
}

function isThere({ pid }: Target): boolean {
  try {
    return framesOf(pid, 1024, 1).length > 0;
  } catch {
    return false;
  }
}

/** Uss of `target` under a scheme, of a capture of all that may map its folio. */
async function ussOf(
  target: Target,
  ...others: readonly Target[]
): Promise<Record<string, { least: number; most: number }>> {
  const { schemes } = reported(await reportOf(only(target, ...others)), target);
  return Object.fromEntries(Object.entries(schemes).map(([id, { ussBytes }]) => [id, ussBytes]));
}

/** What the kernel does with a write to the folio's first page. */
async function decisionOfWrite(target: Target, page: number): Promise<"copy" | "reuse"> {
  const [before] = framesOf(target.pid, page, 1);
  await target.ask("write large 0 1");
  const [after] = framesOf(target.pid, page, 1);
  return before === after ? "reuse" : "copy";
}

test("a folio that was never shared is private for certain", QUIET, async (ctx) => {
  const { a, page } = await owner(ctx);
  const { "mm-owner": uss, page: own } = await ussOf(a);
  expect(uss.least).toBe(uss.most);
  expect(own.least).toBeGreaterThanOrEqual(FOLIO_BYTES);
  expect(uss.least).toBeGreaterThanOrEqual(FOLIO_BYTES);
  expect(await decisionOfWrite(a, page)).toBe("reuse");
});

test(
  "a third process that outlives both owners: perhaps private by the report, shared to the kernel, which copies",
  QUIET,
  async (ctx) => {
    const { a, page } = await owner(ctx);
    const b = await a.fork();
    const c = await a.fork();
    await a.ask("unmap large 0 16");
    await exit(b);
    expect(kpagecount(framesOf(c.pid, page, 1)[0])).toBe(1);
    const { "mm-owner": uss, page: own } = await ussOf(c, a);
    expect(uss.most - uss.least).toBe(FOLIO_BYTES);
    // By a mapcount in every page the folio is private: Uss now is what mm-owner says at the most.
    expect(own).toEqual({ least: uss.most, most: uss.most });
    expect(await decisionOfWrite(c, page)).toBe("copy");
  },
);

test(
  "a child that outlives its parent's mapping: the same picture at rest, and the kernel reuses the page",
  QUIET,
  async (ctx) => {
    const { a, page } = await owner(ctx);
    const b = await a.fork();
    await a.ask("unmap large 0 16");
    const { "mm-owner": before } = await ussOf(b, a);
    expect(before.most - before.least).toBe(FOLIO_BYTES);
    expect(await decisionOfWrite(b, page)).toBe("reuse");
    // Reuse made the head page exclusively b's own: from now on no history leads to a set bit.
    const { "mm-owner": after } = await ussOf(b, a);
    expect(after.least).toBe(after.most);
    expect(after.least).toBeGreaterThanOrEqual(before.most);
  },
);

test(
  "an owner whose children are gone, the third first: perhaps private by the report, and the kernel reuses",
  QUIET,
  async (ctx) => {
    const { a, page } = await owner(ctx);
    const b = await a.fork();
    const c = await a.fork();
    await exit(c);
    await exit(b);
    const { "mm-owner": uss } = await ussOf(a);
    expect(uss.most - uss.least).toBeGreaterThanOrEqual(FOLIO_BYTES);
    expect(await decisionOfWrite(a, page)).toBe("reuse");
  },
);

test(
  "a page that only its owner maps, in a folio that two map: shared for certain, and the kernel copies",
  QUIET,
  async (ctx) => {
    const { a, page } = await owner(ctx);
    const b = await a.fork();
    await b.ask("write large 0 1");
    expect(kpagecount(framesOf(a.pid, page, 1)[0])).toBe(1);
    const { "mm-owner": uss, page: own } = await ussOf(a, b);
    expect(uss.least).toBe(uss.most);
    // Private by its mapcount, shared with its folio: the page is the difference of the two schemes.
    expect(own.most - uss.most).toBe(4096);
    expect(await decisionOfWrite(a, page)).toBe("copy");
  },
);
