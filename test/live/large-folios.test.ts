/**
 * What `foliometer folios` says of huge pages that were made, cut and shared on purpose, against one look at every page of
 * the processes and at the kernel's flags of every frame.
 */
import { afterAll, expect, test } from "vitest";
import { readZeroPages } from "../../src/capture/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import {
  type FoliosReport,
  type UnderusedFolios,
  findFolioOwners,
  reportLargeFolios,
  studyUnderused,
} from "../../src/study/index.ts";
import { only, withCapture } from "./captured.ts";
import { withFolios } from "./folios.ts";
import { framesOf, orderAt, smaps } from "./kernel-view.ts";
import { type Target, endTargets, targetProgram } from "./target.ts";

/** Khugepaged, compaction and others may move what a test has laid out: it is laid out again. */
const QUIET = { retry: 2 };

afterAll(endTargets);

/** A range of pages that processes may have at the same addresses. */
interface Area {
  readonly start: number;
  readonly pages: number;
}

/** A large folio as it is found by looking. */
interface Seen {
  readonly order: number;
  readonly pages: Set<number>;
  readonly pids: Set<number>;
}

/** The folio of each frame that was looked at. */
class Heads {
  private readonly folioOf = new Map<number, { readonly head: number; readonly order: number }>();

  /** Looks at all frames of the 2 MiB around this one, if it has not yet. */
  of(frame: number): { readonly head: number; readonly order: number } {
    const known = this.folioOf.get(frame);
    if (known !== undefined) return known;
    const first = frame - (frame % 512);
    for (let head = first; head < first + 512;) {
      const folio = { head, order: orderAt(head) };
      for (let at = 0; at < 2 ** folio.order; at++) this.folioOf.set(head + at, folio);
      head += 2 ** folio.order;
    }
    return this.of(frame);
  }
}

/** The large folios of these areas by their head frames, in hexadecimal. */
function lookAt(heads: Heads, targets: readonly Target[], areas: readonly Area[]): Map<string, Seen> {
  const found = new Map<string, Seen>();
  for (const { pid } of targets) {
    for (const frame of areas.flatMap(({ start, pages }) => framesOf(pid, start, pages))) {
      if (frame < 0) continue;
      const { head, order } = heads.of(frame);
      if (order === 0) continue;
      const name = `0x${head.toString(16)}`;
      const seen = found.get(name) ?? { order, pages: new Set(), pids: new Set() };
      seen.pages.add(frame);
      seen.pids.add(pid);
      found.set(name, seen);
    }
  }
  return found;
}

/** kB of large folios that a process maps by PTEs: all that is there but what smaps says PMDs map. */
function ptesKb(heads: Heads, pid: number): number {
  const own = smaps(pid).filter(({ header }) => header.name !== "[vsyscall]");
  return own.reduce((sum, { header, fields }) => {
    const frames = framesOf(pid, header.startPage, header.endPage - header.startPage);
    const large = frames.filter((frame) => frame >= 0 && heads.of(frame).order > 0).length;
    return sum + 4 * large - fields.anonHugePages;
  }, 0);
}

async function reportOf(...targets: readonly Target[]): Promise<FoliosReport> {
  return withCapture(only(...targets), async (capture) =>
    reportLargeFolios(capture, await findFolioOwners(capture), { by: "process", schemes: SCHEMES, underused: null }),
  );
}

test("orders, owners, partial mappings and PTEs are what one look at every page finds", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const target = program.start();
  const areas = await withFolios(ctx, program, async ({ writeHuge, writeLarge }) => {
    const huge = async (name: string): Promise<Area> => ({ start: await writeHuge(target, name, 1), pages: 512 });
    return {
      whole: await huge("whole"),
      before: await huge("before"),
      after: await huge("after"),
      alone: await huge("alone"),
      small: { start: await writeLarge(target, "small", 4), pages: 64 },
    };
  });
  await target.ask("unmap before 500 12");
  const child = await target.fork();
  await child.askAll("unmap after 0 256", "unmap alone 0 512", "unmap whole 0 512", "unmap small 0 40");
  await target.askAll("unmap after 0 256", "unmap alone 100 50", "unmap small 16 20");
  const heads = new Heads();
  const pages = lookAt(heads, [target, child], Object.values(areas));
  const report = await reportOf(target, child);
  const orders = report.orders.filter(({ kind }) => kind === "anon");
  const counted = (fits: (seen: Seen) => boolean): number => [...pages.values()].filter((seen) => fits(seen)).length;
  for (const order of [4, 9]) {
    const own = (fits: (seen: Seen) => boolean): number => counted((seen) => seen.order === order && fits(seen));
    expect(orders.find((each) => each.order === order)).toMatchObject({
      folios: own(() => true),
      mappedByOne: own(({ pids }) => pids.size === 1),
      mappedByTwo: own(({ pids }) => pids.size === 2),
      partiallyMapped: own((seen) => seen.pages.size < 2 ** order),
    });
  }
  const partial = [...pages].filter(([, seen]) => seen.pages.size < 2 ** seen.order);
  const reported = report.partial.list.map((each) => [each.pfn, [each.pagesMapped, each.addressSpaces]] as const);
  expect(new Map(reported)).toEqual(new Map(partial.map(([pfn, seen]) => [pfn, [seen.pages.size, seen.pids.size]])));
  // Of `small` the second folio is gone, of the third pages 4 to 7 are the parent's and pages 8 to 15 both's.
  expect(report.partial.list.map(({ pagesMapped }) => pagesMapped)).toEqual([256, 462, 500, 12]);
  const noticed = (id: string): unknown => {
    const at = report.partial.schemes.findIndex((scheme) => scheme.id === id);
    return report.partial.list.map((folio) => folio.noticed[at]);
  };
  expect(noticed("page")).toEqual(["yes", "yes", "yes", "yes"]);
  expect(noticed("mm-owner")).toEqual(["either", "yes", "either", "either"]);
  expect(noticed("vma")).toEqual(["no", "no", "no", "no"]);
  for (const { pid } of [target, child]) {
    const owner = report.owners.find(({ process }) => process?.pid === pid);
    expect((owner?.ptePagesBytes ?? 0) / 1024).toBe(ptesKb(heads, pid));
  }
  const alone = await reportOf(target);
  const shared = alone.partial.list.filter(({ mappedOutside }) => mappedOutside).map(({ pfn }) => pfn);
  expect(shared.toSorted()).toEqual(
    partial
      .filter(([, { pids }]) => pids.size === 2)
      .map(([pfn]) => pfn)
      .toSorted(),
  );
  expect(alone.partial.list.every(({ addressSpaces }) => addressSpaces === 1)).toBe(true);
  const [owner] = alone.owners;
  expect(owner.sharedFolios).toBeGreaterThanOrEqual(shared.length);
  expect(owner.sharedByMost).toBe(2);
});

test(
  "mostly zeros is more than half of a folio, and of a folio above the limit nothing is read",
  QUIET,
  async (ctx) => {
    const program = targetProgram(ctx);
    const target = program.start();
    await withFolios(ctx, program, async ({ writeHuge }) => writeHuge(target, "thp", 1));
    const study = async (limitBytes: number): Promise<UnderusedFolios> =>
      withCapture(only(target), async (capture) => studyUnderused(capture, await findFolioOwners(capture), limitBytes));
    await target.ask("fill thp 0 256 0");
    expect(await study(2 ** 30)).toMatchObject({
      foliosRead: 1,
      zeroBytes: 2 ** 20,
      mostlyZeroFolios: 0,
      mostlyZeroBytes: 0,
    });
    await target.ask("fill thp 256 1 0");
    expect(await study(2 ** 21)).toMatchObject({ foliosRead: 1, bytesRead: 2 ** 21, mostlyZeroFolios: 1 });
    expect(await study(2 ** 21 - 1)).toMatchObject({ folios: 1, foliosRead: 0, bytesRead: 0, list: [] });
  },
);

test("what a process unmapped meanwhile is not read, and everything else of it is", QUIET, async (ctx) => {
  const target = targetProgram(ctx).start();
  const start = await target.map("map heap anon 8");
  await target.askAll("fill heap 0 8 0", "write heap 4 1");
  const frames = framesOf(target.pid, start, 8);
  await target.ask("unmap heap 0 3");
  const runs = frames.map((frame, at) => ({ vma: 0, page: start + at, frame, pages: 1, step: 1, bits: 0 }));
  expect(readZeroPages(target.pid, runs)).toEqual({
    read: frames.slice(3),
    zero: [frames[3], ...frames.slice(5)],
  });
  target.kill();
  await target.ended;
  expect(readZeroPages(target.pid, runs)).toHaveProperty("what");
});
