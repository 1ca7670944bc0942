/**
 * The generator by itself: its scenarios parse, are the same for the same seed, cover the language, and remain legal
 * whatever is left out of a plan.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ScenarioCommand, scenarioOf } from "../../src/scenario/index.ts";
import { randomScenario, renderPlan } from "./random-scenario.ts";
import { PROFILE_NAMES, WISH_KINDS, plans } from "./wishes.ts";

const SEED = 7;
const OPERATIONS = 30;

function commandsOf(seed: number, index: number): readonly ScenarioCommand[] {
  const { text, name } = randomScenario({ seed, index, operations: OPERATIONS });
  return scenarioOf(text, name).commands;
}

describe.each(PROFILE_NAMES)("profile %s", (profile) => {
  test("every plan is a scenario, and so is every part of it that fast-check shrinks it to", () => {
    fc.assert(
      fc.property(plans(profile, { operations: OPERATIONS }), (plan) => {
        const { commands } = scenarioOf(renderPlan(plan, "file"), "plan.scn");
        expect(commands.at(-1)?.kind).toBe("dump");
        const half = { ...plan, wishes: plan.wishes.filter((_, index) => index % 2 === 0) };
        expect(() => scenarioOf(renderPlan(half, "file"), "half.scn")).not.toThrow();
      }),
      { seed: SEED, numRuns: 40 },
    );
  });
});

test("the same seed and number give the same text, and others another", () => {
  const options = { seed: SEED, index: 3, operations: OPERATIONS };
  expect(randomScenario(options)).toEqual(randomScenario(options));
  const texts = new Set(
    [...Array.from({ length: 40 }).keys()].map((index) =>
      commandsOf(SEED + (index % 4), index)
        .map(({ echo }) => echo)
        .join("\n"),
    ),
  );
  expect(texts.size).toBe(40);
});

test("profiles take turns", () => {
  const profiles = PROFILE_NAMES.map((_, index) => randomScenario({ seed: SEED, index, operations: 5 }).profile);
  expect(profiles).toEqual(PROFILE_NAMES);
});

test("all commands but those that the default leaves out occur, and all advice", () => {
  const seen = new Set<string>();
  for (let index = 0; index < 900; index++) {
    for (const command of commandsOf(SEED, index)) {
      seen.add(command.kind === "madvise" ? `madvise ${command.advice}` : command.kind);
    }
  }
  const expected = `spawn fork exit mmap munmap mprotect mremap touch fill mlock mlock_onfault munlock memfd open pwrite
    pread ftruncate fallocate fsync fadvise uring unuring guppin gupunpin vmsplice unvmsplice uffdwp unuffdwp migrate node
    split ksmscan thp shmthp swapon dump close`.split(/\s+/);
  const advice =
    `dontneed dontneed_locked free remove dontfork dofork mergeable unmergeable hugepage nohugepage wipeonfork
    keeponfork cold pageout populate_read populate_write collapse guard_install guard_remove willneed`.split(/\s+/);
  for (const each of [...expected, ...advice.map((name) => `madvise ${name}`)]) expect(seen).toContain(each);
  // Poisoned memory stays poisoned, for all scenarios of a boot; a clock is no input.
  for (const each of ["madvise hwpoison", "madvise soft_offline", "sleep"]) expect(seen).not.toContain(each);
});

test("every wish is in some profile", () => {
  const wished = new Set<string>();
  for (const profile of PROFILE_NAMES) {
    for (const { wishes } of fc.sample(plans(profile, { operations: 60 }), { seed: SEED, numRuns: 60 })) {
      for (const { what } of wishes) wished.add(what);
    }
  }
  expect([...wished].sort()).toEqual([...WISH_KINDS].sort());
});

describe("what would kill a process or wait for ever is not there", () => {
  test("ksmd is only asked to scan what was made mergeable", () => {
    for (let index = 0; index < 300; index++) {
      const commands = commandsOf(SEED, index);
      const scan = commands.findIndex(({ kind }) => kind === "ksmscan");
      if (scan < 0) continue;
      const before = commands.slice(0, scan);
      expect(before.some((command) => command.kind === "madvise" && command.advice === "mergeable")).toBe(true);
    }
  });

  test("a process that ends has given back what io_uring holds for it", () => {
    for (let index = 0; index < 300; index++) {
      const held = new Map<string, number>();
      for (const command of commandsOf(SEED, index)) {
        if (command.kind === "uring") held.set(command.process, (held.get(command.process) ?? 0) + 1);
        if (command.kind === "unuring") held.set(command.process, (held.get(command.process) ?? 0) - 1);
        if (command.kind === "exit") expect(held.get(command.process) ?? 0).toBe(0);
      }
    }
  });
});
