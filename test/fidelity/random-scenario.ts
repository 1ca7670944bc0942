/**
 * Random scenarios: a seed and a number to a text in the scenario language, the same every time.
 *
 * The profiles take turns, so that any run of a dozen scenarios covers every kind of memory. Invariant: every text parses,
 * ends with a dump of all processes, and touches nothing that would kill a process.
 */
import * as fc from "fast-check";
import * as files from "./file-wishes.ts";
import * as machines from "./machine-wishes.ts";
import * as mappings from "./mapping-wishes.ts";
import { SymbolicMachine } from "./symbolic-machine.ts";
import * as touches from "./touch-wishes.ts";
import { PROFILE_NAMES, type Plan, type ProfileName, type Wish, type WishKind, plans } from "./wishes.ts";

/** A scenario and where it comes from. */
export interface RandomScenario {
  /** PROFILE_SEED_INDEX: a file's name, and what to give to find it again. */
  readonly name: string;
  readonly profile: ProfileName;
  readonly text: string;
}

export interface RandomScenarioOptions {
  readonly seed: number;
  /** Which of the seed's scenarios. */
  readonly index: number;
  /** About so many operations. */
  readonly operations: number;
  /** Take turns; all of them if not given. */
  readonly profiles?: readonly ProfileName[];
}

type Renderer = (machine: SymbolicMachine, wish: Wish, profile: ProfileName) => void;

const RENDERERS: Readonly<Record<WishKind, Renderer>> = {
  mapAnon: mappings.mapAnon,
  mapShared: (machine, wish, profile) => mappings.mapAnon(machine, wish, profile, false),
  mapOver: mappings.mapOver,
  munmap: mappings.munmap,
  mprotect: mappings.mprotect,
  mremapMove: mappings.mremapMove,
  mremapResize: mappings.mremapResize,
  mremapKeep: mappings.mremapKeep,
  touchRead: touches.touchRead,
  touchWrite: touches.touchWrite,
  fill: touches.fill,
  advise: touches.advise,
  collapse: touches.collapse,
  free: touches.advising("free"),
  cold: touches.advising("cold"),
  pageout: touches.advising("pageout"),
  guard: touches.guard,
  mergeable: touches.mergeable,
  mlock: touches.mlock,
  munlock: touches.munlock,
  memfd: files.memfd,
  tmpfs: files.openFile("tmpfs"),
  ext4: files.openFile("ext4"),
  mapFile: files.mapFile,
  pwrite: files.pwrite,
  pread: files.pread,
  ftruncate: files.ftruncate,
  punch: files.punch,
  allocate: files.allocate,
  fsync: files.onFile("fsync"),
  fadvise: files.onFile("fadvise"),
  remove: files.remove,
  hugetlb: files.hugetlb,
  spawn: (machine) => void machine.spawn(),
  fork: machines.fork,
  exit: machines.exit,
  uring: machines.uring,
  unuring: machines.unuring,
  guppin: machines.guppin,
  vmsplice: machines.vmsplice,
  unvmsplice: machines.unvmsplice,
  uffdwp: machines.uffdwp,
  unuffdwp: machines.unuffdwp,
  split: machines.split,
  ksmscan: machines.ksmscan,
  migrate: machines.migrate,
  node: machines.node,
  setting: machines.setting,
  sys: machines.sys,
  mistake: machines.mistake,
  dump: (machine) => machine.dump(),
};

/** What a profile's first process begins with, so that the first wishes find something. */
const FIRST_MAPPING: Readonly<Partial<Record<ProfileName, WishKind>>> = {
  shmem: "memfd",
  files: "ext4",
  hugetlb: "hugetlb",
};

/** The text of a plan. `fileTag` is part of the names of its files. */
export function renderPlan(plan: Plan, fileTag: string): string {
  const machine = new SymbolicMachine(fileTag);
  machines.start(machine, plan.start, plan.profile);
  machine.spawn();
  const first: Wish = {
    what: FIRST_MAPPING[plan.profile] ?? "mapAnon",
    process: 0,
    area: 0,
    grain: "whole",
    from: 1,
    length: 63,
    choice: mappings.choiceOfWrittenMemory(plan.start),
  };
  for (const wish of [first, ...plan.wishes]) RENDERERS[wish.what](machine, wish, plan.profile);
  machine.dump();
  return `${machine.lines.join("\n")}\n`;
}

/** The scenario of a seed and a number. */
export function randomScenario(options: RandomScenarioOptions): RandomScenario {
  const { seed, index, operations, profiles = PROFILE_NAMES } = options;
  const profile = profiles[index % profiles.length];
  const name = `${profile}_${seed}_${index}`;
  // Neighbouring seeds and numbers must not give the same scenario.
  const mixed = Math.imul(seed, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
  const [plan] = fc.sample(plans(profile, { operations }), { seed: mixed, numRuns: 1 });
  return { name, profile, text: `# ${name}\n${renderPlan(plan, name)}` };
}
