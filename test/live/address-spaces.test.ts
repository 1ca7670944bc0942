/**
 * Address spaces of unusual shape: as many VMAs as the kernel allows, 16 TiB with little in it, huge pages at odd places.
 *
 * The reader takes page tables in pieces and skips what is empty (src/capture/pagemap-reader.ts); here is the proof that
 * nothing falls between the pieces, and that what is skipped is not read.
 */
import { readFileSync } from "node:fs";
import { afterAll, expect, test, type TestContext } from "vitest";
import { SCHEMES } from "../../src/schemes/index.ts";
import { reportOnCapture } from "../../src/study/index.ts";
import { requireFile } from "../full-run.ts";
import { anonHugeBytes, captured, only, reported, sumOf, touchedVmas, withCapture } from "./captured.ts";
import { withFolios } from "./folios.ts";
import { privateKb, rollup, smaps } from "./kernel-view.ts";
import {
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  type Target,
  type TargetProgram,
  endTargets,
  targetProgram,
} from "./target.ts";

const GIB_PAGES = 262_144;
const QUIET = { retry: 2 };

afterAll(endTargets);

/** Runs `body` with a target that may fill and free a lot of memory, while nobody looks at the whole machine. */
async function alone(ctx: TestContext, body: (target: Target, program: TargetProgram) => Promise<void>): Promise<void> {
  const program = targetProgram(ctx);
  await program.withMachine(async () => {
    const target = program.start();
    await body(target, program).finally(() => target.kill());
    await target.ended;
  });
}

test("a process with as many VMAs as the kernel allows is read whole, page by page", QUIET, async (ctx) =>
  alone(ctx, async (target) => {
    requireFile(ctx, "/proc/sys/vm/max_map_count");
    const limit = Number(readFileSync("/proc/sys/vm/max_map_count", "utf8"));
    await target.askAll("map comb anon 70000", "write comb 0 70000", "stripes comb");
    const vmas = smaps(target.pid).filter(({ header }) => header.name !== "[vsyscall]");
    expect(vmas.length).toBeGreaterThan(Math.min(limit, 70_000) - 50);
    await withCapture(only(target), async (capture) => {
      const { state, firstVma, endVma } = captured(capture, target);
      expect(state).toBe("complete");
      expect(endVma - firstVma).toBe(vmas.length);
      const process = reported(await reportOnCapture(capture, SCHEMES), target);
      const { rss, pss, ...fields } = rollup(target.pid);
      expect(process.rssBytes).toBe(rss * 1024);
      expect(rss).toBeGreaterThanOrEqual(280_000);
      expect(Math.floor(process.schemes["page"].pssBytes / 1024)).toBe(pss);
      expect(process.schemes["page"].ussBytes.least).toBe(privateKb(fields) * 1024);
      // Every stripe was found in its own VMA.
      const touched = await touchedVmas(capture);
      const rowsWithPages = vmas.map(({ fields: { rss: kb } }, index) => (kb > 0 ? firstVma + index : -1));
      expect(rowsWithPages.filter((row) => row >= 0 && !touched.has(row))).toEqual([]);
      expect(touched.size).toBeGreaterThan(Math.min(limit, 70_000) - 100);
    });
  }),
);

test(
  "a reservation of 16 TiB costs what is in it: 10,000 pages here and there and 256 MiB in one piece",
  QUIET,
  async (ctx) =>
    alone(ctx, async (target) => {
      const pages = 16 * 1024 * GIB_PAGES;
      await target.map(`map vast reserve ${pages}`);
      // 1.6 GiB apart, and not at the same place of their page tables.
      const stride = Math.floor(pages / 10_000) - 7;
      await target.askAll(`write vast 3 10000 ${stride}`, `write vast ${5 * 1024 * GIB_PAGES + 77} 65536`);
      // The first page and the last; every second page, and every 700th, for longer than one scan reports.
      await target.askAll("write vast 0 1", `write vast ${pages - 1} 1`);
      await target.askAll(`write vast ${2000 * GIB_PAGES + 33} 3000 2`, `write vast ${3000 * GIB_PAGES} 1500 700`);
      // Stretches of 300 pages: a scan that reports at most 512 ends in the middle of one.
      for (let at = 0; at < 10; at++) await target.ask(`write vast ${4000 * GIB_PAGES + at * 777} 300`);
      const { rss, pss } = rollup(target.pid);
      expect(rss).toBeGreaterThanOrEqual((17_500 + 65_536 - 200) * 4);
      await withCapture(only(target), async (capture) => {
        const process = reported(await reportOnCapture(capture, SCHEMES), target);
        expect(process.state).toBe("complete");
        expect(process.rssBytes).toBe(rss * 1024);
        expect(Math.floor(process.schemes["page"].pssBytes / 1024)).toBe(pss);
        // All of the page table would be 32 GiB to read.
        expect(pages * 8).toBe(32 * 2 ** 30);
        expect(capture.cost.pagemapBytes).toBeLessThan(128 * 2 ** 20);
        expect(capture.cost.scans).toBeGreaterThan(0);
      });
    }),
);

test(
  "huge pages at odd places of a long VMA are all seen as mapped by PMDs, wherever reading is cut",
  QUIET,
  async (ctx) =>
    alone(ctx, async (target, program) => {
      // Ten GiB: cut into items of 4 GiB, into pieces of 128 KiB of pagemap, at every 4 GiB of addresses.
      const huge = 5 * 1024;
      const start = await target.map(`map long reserve ${huge * 512}`);
      // The VMA begins at no multiple of 2 MiB.
      const advised = `long 512 ${(huge - 1) * 512}`;
      await target.ask("unmap long 0 5");
      const perPiece = 32;
      const perItem = 2048;
      const firstOfAddressWord = Math.ceil(start / 1_048_576) * 2048 - start / 512;
      const odd = new Set([1, 2, huge - 1]);
      for (const cut of [
        perPiece,
        3 * perPiece,
        perItem,
        2 * perItem,
        firstOfAddressWord,
        firstOfAddressWord + perItem,
      ]) {
        for (const at of [cut - 1, cut, cut + 1]) if (at >= 1 && at < huge) odd.add(at);
      }
      for (let at = 700; at < 820; at += 7) odd.add(at);
      await withFolios(ctx, program, async () => {
        await target.ask(`advise ${advised} ${MADV_HUGEPAGE}`);
        for (const at of odd) await target.ask(`write long ${at * 512 + ((at * 37) % 512)} 1`);
        await target.ask(`advise ${advised} ${MADV_NOHUGEPAGE}`);
      });
      // A small page now and then between them, so that neighbours are not one run.
      await target.askAll("write long 6 3", "write long 511 1");
      const { anonHugePages, rss } = rollup(target.pid);
      expect(anonHugePages / 2048).toBe(odd.size);
      await withCapture(only(target), async (capture) => {
        const process = captured(capture, target);
        expect(sumOf(await anonHugeBytes(capture), process)).toBe(odd.size * 2 ** 21);
        expect(reported(await reportOnCapture(capture, SCHEMES), target).rssBytes).toBe(rss * 1024);
        const { folios } = capture;
        let mappedByPmd = 0;
        for (let row = 0; row < folios.count; row++) {
          if (folios.order[row] !== 9) continue;
          expect([folios.pmdEntries[row], folios.entries[row], folios.pagesMapped[row]]).toEqual([1, 1, 512]);
          mappedByPmd++;
        }
        expect(mappedByPmd).toBe(odd.size);
      });
    }),
);

test("a fully populated stretch of huge pages is one figure, whether levels are asked for or not", QUIET, async (ctx) =>
  alone(ctx, async (target, program) => {
    await withFolios(ctx, program, async () => target.askAll("map dense huge 51200", "write dense 0 51200"));
    await target.askAll("protect dense 1000 100 1", "unmap dense 20000 300");
    const { anonHugePages, rss } = rollup(target.pid);
    expect(anonHugePages).toBeGreaterThan(90 * 2048);
    await withCapture(only(target), async (capture) => {
      expect(sumOf(await anonHugeBytes(capture), captured(capture, target)) / 1024).toBe(anonHugePages);
      expect(reported(await reportOnCapture(capture, SCHEMES), target).rssBytes).toBe(rss * 1024);
    });
  }),
);
