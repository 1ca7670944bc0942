/**
 * Foliometer on real kernels of both kinds: with a mapcount in every page (page) and without (nopage).
 *
 * The same scenario runs on both, in guests (guest-session.mjs). On each, what Foliometer says under the kernel's own
 * scheme must be what that kernel prints; and what it says under the other's scheme must be what the other kernel prints
 * of the same processes. Sharing that depends on history is a range on the kernel that does not show it, and certain on
 * the one that does.
 */
import { describe, expect, test, type TestContext } from "vitest";
import { OBSERVED_EXCLUSIVE, OBSERVED_SHARED, OBSERVED_UNKNOWN, PAGE_SIZE_BYTES } from "../../src/kernel/index.ts";
import type { CaptureReport, ProcessReport } from "../../src/study/index.ts";
import { skipOrFail } from "../full-run.ts";
import type {
  AreaAccount,
  AreaCounts,
  CountedCapture,
  GuestAccount,
  ProcessAccount,
  RollupUnderScheme,
} from "./guest-account.ts";
import { KERNELS, type KernelName, askGuests, requireLaboratory } from "./guest-machine.ts";

const TIMEOUT_MS = 180_000;
/** Truncation of Pss per page and per VMA. */
const PSS_TOLERANCE_KB = 4;
const OWN_SCHEME = { page: "page", nopage: "mm-owner" } as const;
const OTHER_KERNEL = { page: "nopage", nopage: "page" } as const;
const NAMES = [
  "thp parent",
  "thp child",
  "first owner",
  "third owner",
  "cutter",
  "memfd parent",
  "memfd child",
  "small parent",
  "small child",
] as const;

let guests: Promise<Record<KernelName, GuestAccount>> | undefined;

/** What both kernels said; they are booted for the first test that asks. */
async function both(ctx: TestContext): Promise<Record<KernelName, GuestAccount>> {
  requireLaboratory(ctx);
  guests ??= askGuests();
  return guests;
}

function repeat(value: number, times: number): number[] {
  return Array.from({ length: times }, () => value);
}

/** Process and area, of all known areas. */
function areasOf({ before }: GuestAccount): [string, string][] {
  return Object.entries(before).flatMap(([name, { areas }]) =>
    Object.keys(areas).map((area): [string, string] => [name, area]),
  );
}

async function guest(ctx: TestContext, kernel: KernelName): Promise<GuestAccount> {
  return (await both(ctx))[kernel];
}

function printedOf({ before }: GuestAccount, name: string): ProcessAccount {
  const found = before[name];
  if (found === undefined) throw new Error(`the session has no process ${name}`);
  return found;
}

function areaOf(account: GuestAccount, name: string, area: string): AreaAccount & AreaCounts {
  const [printed, counted] = [account.before[name]?.areas[area], account.configured.counts[name]?.[area]];
  if (printed === undefined || counted === undefined) throw new Error(`${name} has no area ${area}`);
  return { ...printed, ...counted };
}

/** smaps_rollup as Foliometer says it would be under a scheme. */
function rollupsUnder({ configured }: GuestAccount, name: string, scheme: string): RollupUnderScheme {
  const found = configured.rollups[name]?.[scheme];
  if (found === undefined) throw new Error(`there is no smaps_rollup of ${name} under ${scheme}`);
  return found;
}

function reported({ processes }: CaptureReport, pid: number): ProcessReport {
  const found = processes.find((process) => process.pid === pid);
  if (found === undefined) throw new Error(`process ${pid} is not in the report`);
  return found;
}

/** Numbers of smaps_rollup in kB, by label. */
function rollupKb(text: string): Record<string, number> {
  const lines = text.matchAll(/^(?<label>\w+): +(?<kb>\d+) kB$/gm);
  return Object.fromEntries(Array.from(lines, ({ groups }) => [groups?.label ?? "", Number(groups?.kb)]));
}

/** The same figures; those that are proportional but for their truncation. */
function expectSameRollup(said: string, printed: string): void {
  const truth = rollupKb(printed);
  const figures = rollupKb(said);
  expect(Object.keys(figures)).toEqual(Object.keys(truth));
  for (const [label, kb] of Object.entries(truth)) {
    const off = Math.abs((figures[label] ?? NaN) - kb);
    const allowed = label.startsWith("Pss") ? PSS_TOLERANCE_KB : 0;
    expect(off, `${label}: ${figures[label]} kB for ${kb} kB`).toBeLessThanOrEqual(allowed);
  }
}

function privateKb(text: string): number {
  const { Private_Clean: clean = NaN, Private_Dirty: dirty = NaN } = rollupKb(text);
  return clean + dirty;
}

/** The process's own figures, under the kernel's own scheme, are what its kernel prints. */
function expectAsPrinted(process: ProcessReport, scheme: string, printed: string): void {
  const truth = rollupKb(printed);
  const figures = process.schemes[scheme];
  expect(process).toMatchObject({ state: "complete", changedBytes: 0 });
  expect(process.rssBytes / 1024).toBe(truth["Rss"]);
  expect(process.rssAnonBytes / 1024).toBe(truth["Anonymous"]);
  expect(process.hugetlbBytes / 1024).toBe((truth["Private_Hugetlb"] ?? NaN) + (truth["Shared_Hugetlb"] ?? NaN));
  expect(figures?.ussBytes).toEqual({ least: privateKb(printed) * 1024, most: privateKb(printed) * 1024 });
  expect(Math.abs((figures?.pssBytes ?? NaN) / 1024 - (truth["Pss"] ?? NaN))).toBeLessThan(PSS_TOLERANCE_KB);
  const exclusive = process.exclusiveEntriesMeasured;
  expect(figures?.exclusiveEntries).toEqual({ least: exclusive, most: exclusive });
}

/** Every frame was compared, and those of the known processes agreed. Others live on while they are looked at. */
function expectAgreement({ report: { coverage }, counts }: CountedCapture): void {
  expect(coverage).toMatchObject({ everyFrameChecked: true, checkRefusal: null, processesRefused: 0 });
  expect(coverage.framesChecked).toBeGreaterThan(1000);
  const doubted = Object.values(counts).flatMap((areas) => Object.values(areas).flatMap((area) => area.doubted));
  expect(doubted.length).toBeGreaterThan(1000);
  expect(doubted).not.toContain(1);
}

describe.each(KERNELS)("on the kernel %s", { timeout: TIMEOUT_MS }, (kernel) => {
  const own = OWN_SCHEME[kernel];
  const other = OTHER_KERNEL[kernel];

  test("the processes stand still, and are all that the scenario says", async (ctx) => {
    const account = await guest(ctx, kernel);
    expect(account.release).toMatch(new RegExp(`-${kernel}$`));
    expect(Object.keys(account.before)).toEqual(NAMES);
    expect(account.after).toEqual(account.before);
    expect(rollupKb(printedOf(account, "thp parent").rollup)).toMatchObject({ AnonHugePages: 4096 });
    expect(areaOf(account, "first owner", "large").large).toEqual([...repeat(0, 24), ...repeat(1, 40)]);
    expect(areaOf(account, "memfd parent", "here").large).toEqual(repeat(1, 64));
  });

  test("its way of counting is known from the configuration under /boot, and its own scheme comes first", async (ctx) => {
    const { report } = (await guest(ctx, kernel)).configured;
    expect(report.machine.mapcountConfig).toBe(kernel);
    expect(report.schemes[0]).toBe(own);
  });

  test("its way of counting is found out by its counts where its configuration is nowhere", async (ctx) => {
    const { silent } = await guest(ctx, kernel);
    expect(silent.report.machine.mapcountConfig).toBe(kernel);
    expect(silent.report.schemes[0]).toBe(own);
    expectAgreement(silent);
  });

  test.for(NAMES)("the figures of the %s are the kernel's, without a range", async (name, ctx) => {
    const account = await guest(ctx, kernel);
    const { pid, rollup } = printedOf(account, name);
    expectAsPrinted(reported(account.configured.report, pid), own, rollup);
    expect(rollupsUnder(account, name, own)).toEqual({ least: rollup, most: rollup });
  });

  test("the figures of processes captured without those that they share memory with are the kernel's too", async (ctx) => {
    const { before, alone } = await guest(ctx, kernel);
    expect(alone.report.wholeMachine).toBe(false);
    expect(alone.report.processes).toHaveLength(5);
    for (const process of alone.report.processes) {
      const printed = Object.values(before).find(({ pid }) => pid === process.pid);
      expectAsPrinted(process, own, printed?.rollup ?? "");
    }
  });

  test("no process is said to have swapped: there is no swap", async (ctx) => {
    const { report } = (await guest(ctx, kernel)).configured;
    const swapped = report.processes.map(({ name, swapBytes }) => ({ name, swapBytes }));
    expect(swapped.filter(({ swapBytes }) => swapBytes > 0)).toEqual([]);
  });

  test("no frame's count disagrees with kpagecount, and none is missing", async (ctx) => {
    const account = await guest(ctx, kernel);
    expectAgreement(account.configured);
    for (const [name, area] of areasOf(account)) {
      const { kpagecount, precise, average } = areaOf(account, name, area);
      expect(kernel === "page" ? precise : average, `${name}, ${area}`).toEqual(kpagecount);
    }
  });

  test(`what it says of kpagecount on a kernel ${other} is what that prints`, async (ctx) => {
    const { [kernel]: here, [other]: there } = await both(ctx);
    for (const [name, area] of areasOf(there)) {
      const { precise, average } = areaOf(here, name, area);
      const { kpagecount } = areaOf(there, name, area);
      expect(other === "page" ? precise : average, `${name}, ${area}`).toEqual(kpagecount);
    }
  });

  test("the KSM flag that this kernel puts on every anonymous page is not believed", async (ctx) => {
    const account = await guest(ctx, kernel);
    expect(areaOf(account, "small parent", "small").ksmFlag).toEqual(repeat(1, 300));
    expect(areaOf(account, "memfd parent", "here").ksmFlag).toEqual(repeat(0, 64));
    expect(account.configured.ksmPagesShared).toBe(0);
    const kinds = new Set(account.configured.report.folios.map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(["anon", "shmem", "hugetlb"]));
  });

  test("a folio mapped to a quarter counts whole in AnonPages without mapcounts in pages", async (ctx) => {
    const { partial, figures } = (await guest(ctx, kernel)).configured.report;
    const { page, "mm-owner": mmOwner } = figures;
    expect(partial).toEqual({ folios: 1, unmappedBytes: 12 * PAGE_SIZE_BYTES });
    expect((mmOwner?.anonPagesBytes ?? NaN) - (page?.anonPagesBytes ?? NaN)).toBe(12 * PAGE_SIZE_BYTES);
    expect(mmOwner).toMatchObject({ partialNoticed: 1, partialMissed: 0 });
  });

  test("the command prints the report", async (ctx) => {
    const { before, command } = await guest(ctx, kernel);
    if (command === null) return skipOrFail(ctx, "dist/ has no command");
    expect(command).toMatchObject({ status: 0 });
    const report = JSON.parse(command.output) as CaptureReport;
    expect(report.machine.mapcountConfig).toBe(kernel);
    for (const { pid, rollup } of Object.values(before)) expectAsPrinted(reported(report, pid), own, rollup);
  });
});

describe("what one kernel's capture says of the other", { timeout: TIMEOUT_MS }, () => {
  test.for(NAMES)("the precise figures of the %s, seen without mapcounts in pages", async (name, ctx) => {
    const { page, nopage } = await both(ctx);
    const { least, most } = rollupsUnder(nopage, name, "page");
    expect(most).toBe(least);
    expectSameRollup(least, printedOf(page, name).rollup);
  });

  test.for(NAMES)("the figures of the %s without mapcounts in pages, as far as history allows", async (name, ctx) => {
    const { page, nopage } = await both(ctx);
    const { rollup } = printedOf(nopage, name);
    const { least, most } = rollupsUnder(page, name, "mm-owner");
    expect(privateKb(least)).toBeLessThanOrEqual(privateKb(rollup));
    expect(privateKb(most)).toBeGreaterThanOrEqual(privateKb(rollup));
    expectSameRollup(privateKb(rollup) === privateKb(least) ? least : most, rollup);
  });

  test("both find the same folios, cut in the same way", async (ctx) => {
    const { page, nopage } = await both(ctx);
    expect(nopage.configured.report.folios).toEqual(page.configured.report.folios);
    expect(page.configured.report.folios.length).toBeGreaterThan(0);
  });

  test("a third owner that outlives both others stays shared, which only a kernel without mapcounts in pages shows", async (ctx) => {
    const { page, nopage } = await both(ctx);
    const here = areaOf(page, "third owner", "large");
    const there = areaOf(nopage, "third owner", "large");
    // Its first folio is mapped by nobody else.
    expect(there.kpagecount.slice(0, 16)).toEqual(repeat(1, 16));
    expect(there.exclusive.slice(0, 16)).toEqual(repeat(0, 16));
    expect(here.exclusive.slice(0, 16)).toEqual(repeat(1, 16));
    expect(there.observed.slice(0, 16)).toEqual(repeat(OBSERVED_SHARED, 16));
    expect(here.observed.slice(0, 16)).toEqual(repeat(OBSERVED_UNKNOWN, 16));
    const { least, most } = rollupsUnder(page, "third owner", "mm-owner");
    expect(privateKb(most) - privateKb(least)).toBe(64);
    expect(privateKb(printedOf(nopage, "third owner").rollup)).toBe(privateKb(least));
  });

  test("a folio mapped twice by one process alone is private without mapcounts in pages only", async (ctx) => {
    const { page, nopage } = await both(ctx);
    const here = areaOf(page, "memfd parent", "there");
    const there = areaOf(nopage, "memfd parent", "there");
    expect(here.kpagecount).toEqual(repeat(2, 16));
    expect(there.kpagecount).toEqual(repeat(2, 16));
    expect(here.exclusive).toEqual(repeat(0, 16));
    expect(there.exclusive).toEqual(repeat(1, 16));
    expect(there.observed).toEqual(repeat(OBSERVED_EXCLUSIVE, 16));
  });
});
