import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CHECKS, QUESTIONS, checkStatistics } from "../../test/conformance/guarantees.ts";
import { checkedTruthOf, tableNameOf } from "../../test/scenario/entry-truth.ts";
import { FRAMES, entryWishes, grantEntryWish } from "../../test/scenario/entry-wishes.ts";
import { SlowEntries } from "../../test/scenario/slow-entries.ts";
import { HPAGE_PMD_NR, HPAGE_PUD_NR, LEVEL_PMD, LEVEL_PTE, LEVEL_PUD, type Level } from "../kernel/index.ts";
import { ANON, FILE, HUGETLB_ANON } from "../memory/index.ts";
import { type Counter, type CounterContext, SCHEMES, type Scheme, YES, findScheme } from "../schemes/index.ts";
import { EntryMachine } from "./entry-machine.ts";

const SHAPE = { frameCount: FRAMES };

/** A scheme that counts nothing: it holds what the view says at each event against the events before it. */
function createWatcher(): { scheme: Scheme; complaints: string[] } {
  const complaints: string[] = [];
  const mmOwner = findScheme("mm-owner");
  if (mmOwner === undefined) throw new Error("there is a scheme mm-owner");
  const createCounter = (context: CounterContext): Counter => {
    const counts = new Map<string, number>();
    const change = (folio: number, vma: number, table: number, entries: number): void => {
      for (const key of [`${folio} ${vma}`, `${folio} ${vma} ${table}`])
        counts.set(key, (counts.get(key) ?? 0) + entries);
    };
    const look = (what: string, folio: number, vma: number, table: number): void => {
      const ofVma = context.pageTables?.entriesOfVma(folio, vma);
      const ofTable = context.pageTables?.entriesOfTable(folio, vma, table);
      if (ofVma !== (counts.get(`${folio} ${vma}`) ?? 0))
        complaints.push(`${what} of ${folio}: VMA ${vma} has ${ofVma}`);
      if (ofTable !== (counts.get(`${folio} ${vma} ${table}`) ?? 0)) complaints.push(`${what}: table has ${ofTable}`);
      const lowest = context.pageTables?.lowestMapped?.(folio, vma, -1) ?? -1;
      if (lowest < 0 !== (ofVma === 0)) complaints.push(`${what}: maps page ${lowest}, and ${ofVma} entries`);
    };
    const entriesOf = (pages: number, level: Level): number => (level === LEVEL_PTE ? pages : 1);
    const counter = mmOwner.createCounter(context);
    const add: Counter["add"] = (folio, _first, pages, level, table, vma) => {
      look("add", folio, vma, table);
      change(folio, vma, table, entriesOf(pages, level));
    };
    counter.add = add;
    counter.dup = add;
    counter.remove = (folio, _first, pages, level, table, vma) => {
      change(folio, vma, table, -entriesOf(pages, level));
      look("remove", folio, vma, table);
    };
    counter.move = (folio, _first, pages, level, fromTable, fromVma, toTable, toVma) => {
      change(folio, fromVma, fromTable, -entriesOf(pages, level));
      look("move from", folio, fromVma, fromTable);
      look("move to", folio, toVma, toTable);
      change(folio, toVma, toTable, entriesOf(pages, level));
    };
    return counter;
  };
  return { scheme: { ...mmOwner, id: "watcher", createCounter }, complaints };
}

/** Entries of all folios, one line each, as the machine's reverse map finds them. */
function entriesFound(machine: EntryMachine): string[] {
  const names = new Map<number, string>();
  const lines: string[] = [];
  for (const folio of machine.mappedFolios()) {
    machine.pageTables.walk(folio, (first, pages, level, table, vma, mm) => {
      const count = level === LEVEL_PTE ? pages : 1;
      for (let i = 0; i < count; i++)
        lines.push(`${mm} ${vma} ${folio + first + i} ${level} t${names.get(table) ?? table}`);
      return true;
    });
  }
  return lines.sort();
}

describe("the entry machine", () => {
  test("tells of a folio once, however often its entries come and go in one step", () => {
    const machine = new EntryMachine({ ...SHAPE, schemes: [] });
    const vma = machine.createVma(machine.createMm(), 512, 512);
    const folio = machine.createFolio(2, ANON);
    machine.setCached(folio, true);
    for (let turn = 0; turn < 3; turn++) {
      machine.map(folio, 0, 4, LEVEL_PTE, vma, 512);
      machine.unmap(vma, 512, 4);
    }
    expect(machine.takeTouched()).toEqual([]);
    expect(machine.takeUnmapped()).toEqual([folio]);
    machine.map(folio, 0, 2, LEVEL_PTE, vma, 512);
    machine.map(folio, 2, 2, LEVEL_PTE, vma, 514);
    expect(machine.takeTouched()).toEqual([folio]);
    expect(machine.takeTouched()).toEqual([]);
    expect(machine.takeUnmapped()).toEqual([]);
  });

  test("has after every step of a random history the entries that a list of entries has", () => {
    fc.assert(
      fc.property(entryWishes(), (wishes) => {
        const machine = new EntryMachine({ ...SHAPE, schemes: [] });
        const slow = new SlowEntries();
        const tables = new Map<string, number>();
        for (const wish of wishes) {
          grantEntryWish({ machine, slow }, wish);
          tables.clear();
          // Tables by place, as the machine numbers them now.
          for (const folio of slow.folios) {
            const own = slow.entriesOf(folio);
            let at = 0;
            machine.pageTables.walk(folio.head, (first, pages, level, table, vma, mm) => {
              const count = level === LEVEL_PTE ? pages : 1;
              for (let i = 0; i < count; i++) {
                const { page: _page, ...rest } = own[at];
                expect({ mm, vma, frame: rest.frame, level }).toEqual(rest);
                const name = tableNameOf(own[at++]);
                expect(tables.get(name) ?? table).toBe(table);
                tables.set(name, table);
              }
              expect(own[at - count].frame).toBe(folio.head + first);
              return true;
            });
            expect(at).toBe(own.length);
            expect(machine.entriesOf(folio.head)).toBe(own.length);
          }
          expect(new Set(tables.values()).size).toBe(tables.size);
          expect(machine.work["table-allocated"] - machine.work["table-freed"]).toBe(tables.size);
          const mapped = slow.folios.filter((folio) => slow.entriesOf(folio).length > 0).map(({ head }) => head);
          expect(machine.mappedFolios()).toEqual(mapped.sort((a, b) => a - b));
          expect(machine.mmCount).toBe(slow.mms.length);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("tells an add before its entries are visible, a remove after, and a move between", () => {
    fc.assert(
      fc.property(entryWishes(), (wishes) => {
        const { scheme, complaints } = createWatcher();
        const machine = new EntryMachine({ ...SHAPE, schemes: [scheme] });
        const slow = new SlowEntries();
        for (const wish of wishes) grantEntryWish({ machine, slow }, wish);
        expect(complaints).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test("every scheme keeps its guarantees on its random histories", () => {
    fc.assert(
      fc.property(entryWishes(), (wishes) => {
        const machine = new EntryMachine({ ...SHAPE, schemes: SCHEMES });
        const slow = new SlowEntries();
        for (const [step, wish] of wishes.entries()) {
          grantEntryWish({ machine, slow }, wish);
          const truth = checkedTruthOf(slow);
          const changed = new Set([...machine.takeTouched(), ...machine.takeUnmapped()]);
          for (const { scheme, counter } of machine.studied) {
            for (let slot = 0; slot < slow.folios.length; slot++) {
              if (!changed.has(slow.folios[slot].head)) continue;
              const at = { machine: truth, slot, pick: step * 101 };
              for (const question of QUESTIONS) expect(CHECKS[question](scheme, counter, at)).toBeUndefined();
              expect(checkStatistics(scheme, counter, at)).toBeUndefined();
            }
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  test("names as touched or unmapped exactly the folios whose entries changed since it was asked", () => {
    fc.assert(
      fc.property(entryWishes(), (wishes) => {
        const machine = new EntryMachine({ ...SHAPE, schemes: [] });
        const slow = new SlowEntries();
        for (const wish of wishes) {
          const before = new Map(machine.mappedFolios().map((head) => [head, machine.entriesOf(head)]));
          grantEntryWish({ machine, slow }, wish);
          const touched = machine.takeTouched();
          const unmapped = machine.takeUnmapped();
          expect(new Set(touched).size).toBe(touched.length);
          const after = new Map(machine.mappedFolios().map((head) => [head, machine.entriesOf(head)]));
          for (const [head, entries] of after) if (before.get(head) !== entries) expect(touched).toContain(head);
          for (const head of touched) expect(after.has(head)).toBe(true);
          expect(unmapped.filter((head) => before.has(head)).sort((a, b) => a - b)).toEqual(
            [...before.keys()].filter((head) => !after.has(head)),
          );
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("a folio of 1 GiB", () => {
  const anyPart = { frameCount: 2 * HPAGE_PUD_NR, leafEntries: "any-part" } as const;

  function mapByPud(processes: number): { machine: EntryMachine; folio: number; vmas: number[] } {
    const machine = new EntryMachine({ ...anyPart, schemes: SCHEMES });
    const folio = machine.createFolio(18, FILE);
    machine.setCached(folio, true);
    const vmas = Array.from({ length: processes }, () => machine.createVma(machine.createMm(), 0, HPAGE_PUD_NR));
    for (const vma of vmas) machine.map(folio, 0, HPAGE_PUD_NR, LEVEL_PUD, vma, 0);
    return { machine, folio, vmas };
  }

  function counterOf(machine: EntryMachine, id: string): Counter {
    const found = machine.studied.find(({ scheme }) => scheme.id === id);
    if (found === undefined) throw new Error(`${id} counts on this machine`);
    return found.counter;
  }

  test("schemes that count entries of whole folios only are left out, and named", () => {
    const { machine } = mapByPud(1);
    const left = machine.excluded.map(({ id }) => id);
    expect(left).toContain("page");
    expect(left).toContain("mm-owner");
    expect(machine.studied.length + left.length).toBe(SCHEMES.length);
  });

  test("split from a PUD to PTEs adds 511 to vma-table's count", () => {
    const { machine, folio, vmas } = mapByPud(1);
    const counter = counterOf(machine, "vma-table");
    expect(counter.mappings(folio)).toBe(1);
    machine.splitPud(vmas[0], 0);
    expect(counter.mappings(folio)).toBe(1);
    for (let page = 0; page < HPAGE_PUD_NR; page += HPAGE_PMD_NR) machine.splitPmd(vmas[0], page);
    expect(counter.mappings(folio)).toBe(512);
    expect(counterOf(machine, "mm-owner-levels").mappings(folio)).toBe(HPAGE_PUD_NR);
  });

  test("mm-owner-levels and mapped-pages keep a whole PUD entry apart from one that was split", () => {
    const { machine, folio, vmas } = mapByPud(2);
    machine.splitPud(vmas[1], 0);
    const levels = counterOf(machine, "mm-owner-levels");
    expect(levels.mappings(folio)).toBe(513);
    expect(levels.pageMapcount(folio, 0)).toBe(2);
    expect(counterOf(machine, "mapped-pages").pageMapcount(folio, 0)).toBe(2);
    machine.unmap(vmas[0], 0, HPAGE_PUD_NR);
    machine.unmap(vmas[1], 512, HPAGE_PMD_NR);
    expect(machine.truth.partial(folio)).toBe(YES);
    expect(counterOf(machine, "mapped-pages").partial(folio)).toBe(YES);
    expect(counterOf(machine, "sums").partial(folio)).toBe(YES);
  });

  test("zapped in part under its PUD, a file's entry goes as a whole", () => {
    const { machine, folio, vmas } = mapByPud(1);
    machine.unmap(vmas[0], 4096, 1);
    expect(machine.entriesOf(folio)).toBe(0);
  });
});

test("two PMD entries and a PTE of a 2 MiB folio are three mappings of 1025 pages", () => {
  const machine = new EntryMachine({ ...SHAPE, schemes: SCHEMES });
  const folio = machine.createFolio(9, ANON);
  const pages: number[] = [];
  for (const level of [LEVEL_PMD, LEVEL_PMD, LEVEL_PTE] as const) {
    const vma = machine.createVma(machine.createMm(), 0, HPAGE_PMD_NR);
    machine.map(folio, 0, level === LEVEL_PTE ? 1 : HPAGE_PMD_NR, level, vma, 0);
  }
  machine.pageTables.walk(folio, (_first, count) => pages.push(count) > 0);
  expect(pages.reduce((sum, count) => sum + count, 0)).toBe(1025);
  const counter = machine.studied.find(({ scheme }) => scheme.id === "mapped-pages")?.counter;
  expect(counter?.mappings(folio)).toBe(3);
  expect(counter?.pageMapcount(folio, 511)).toBe(Math.floor((1025 + 256) / 512));
});

test("copies that nobody maps any more are freed, and their frames serve again", () => {
  const machine = new EntryMachine({ ...SHAPE, schemes: [] });
  const mm = machine.createMm();
  const vma = machine.createVma(mm, 0, 16);
  machine.map(machine.createFolio(0, ANON), 0, 1, LEVEL_PTE, vma, 3);
  const child = machine.forkMm(mm);
  const copy = machine.copyOnWrite(machine.vmasOf(child)[0], 3);
  machine.exitMm(child);
  expect(machine.createFolio(0, ANON)).toBe(copy);
  expect(machine.work["page-freed"]).toBe(1);
});

test("fork leaves out what the child can fault in again", () => {
  const machine = new EntryMachine({ ...SHAPE, schemes: [] });
  const mm = machine.createMm();
  const folio = machine.createFolio(4, FILE);
  const vma = machine.createVma(mm, 0, 16, false);
  machine.map(folio, 0, 16, LEVEL_PTE, vma, 0);
  const child = machine.forkMm(mm);
  expect(machine.entriesOf(folio)).toBe(16);
  expect(machine.vmasOf(child)).toHaveLength(1);
  expect(machine.work["entry-copied"]).toBe(0);
});

test("a machine without room for a folio says so", () => {
  const machine = new EntryMachine({ frameCount: 512, schemes: [] });
  machine.createFolio(8, ANON);
  expect(() => machine.createFolio(9, ANON)).toThrow(/no 512 frames left/);
});

test("hugetlb entries are not split", () => {
  const machine = new EntryMachine({ ...SHAPE, schemes: [] });
  const vma = machine.createVma(machine.createMm(), 0, 512);
  machine.map(machine.createFolio(9, HUGETLB_ANON), 0, 512, LEVEL_PMD, vma, 0);
  expect(() => machine.unmap(vma, 0, 1)).toThrow(/hugetlb/);
});

test("entries come out in order of pages whatever the order in which they were mapped", () => {
  const machine = new EntryMachine({ ...SHAPE, schemes: [] });
  const vma = machine.createVma(machine.createMm(), 0, 64);
  const folio = machine.createFolio(4, ANON);
  machine.map(folio, 8, 2, LEVEL_PTE, vma, 28);
  machine.map(folio, 0, 2, LEVEL_PTE, vma, 20);
  expect([...machine.runsIn(vma, 0, 64)].map(({ page }) => page)).toEqual([20, 28]);
  expect(entriesFound(machine)).toHaveLength(4);
});

test("a stretch that descends below frame 0 is refused, and does not go on without end", () => {
  const machine = new EntryMachine({ ...SHAPE, schemes: [] });
  const vma = machine.createVma(machine.createMm(), 0, 64, true);
  machine.createFolio(0, ANON, 0);
  expect(() => machine.mapStretch({ page: 0, frame: 0, pages: 2, step: -1 }, vma)).toThrow("mapped to frame -1");
});
