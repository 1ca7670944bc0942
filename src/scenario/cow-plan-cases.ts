/**
 * The cases of the kernel's selftest cow.c, each a list of steps on whatever memory `@mem` is (literature 2.3).
 *
 * A: anonymous memory; B: a THP that is collapsed around a fork; C: private mappings of something else. The kernel's test
 * clears the soft-dirty bits to keep mprotect from making entries writable at once. The language cannot; where the case is
 * about a read-only entry of an exclusive page (A13, A14) the pin is taken while the mapping is read-only, which is the same
 * entry. A7 needs nothing: clear_refs leaves pinned PTEs as they are (9348b73c2e1b).
 */
import { type CowBacking, memSeenBy } from "./cow-plan-backings.ts";
import { type CowStep, type CowViewer, processSees, run, sizeWord } from "./cow-plan-steps.ts";

/** What the writer writes. */
export const NEW_BYTE = 0xff;

export type CowCaseId =
  | "A1" | "A2" | "A3" | "A4" | "A5" | "A6" | "A7" | "A8" | "A9" | "A10" | "A11" | "A12" | "A13" | "A14"
  | "B1" | "B2" | "B3" | "B4"
  | "C1" | "C2" | "C3"; // prettier-ignore

export interface CowCase {
  readonly id: CowCaseId;
  /** As the kernel's test calls it. */
  readonly title: string;
  readonly steps: (backing: CowBacking) => readonly CowStep[];
}

/** Read-only and back: entries of exclusive pages become writable again at once, all others not. */
function protectAndBack({ lengthBytes }: CowBacking): CowStep[] {
  return [run(`P mprotect @mem ${sizeWord(lengthBytes)} r`), run(`P mprotect @mem ${sizeWord(lengthBytes)} rw`)];
}

function writes(process: string, { lengthBytes }: CowBacking): CowStep {
  return run(`${process} fill @mem ${sizeWord(lengthBytes)} 0x${NEW_BYTE.toString(16)}`);
}

/** The process reads its memory, and what it sees is remembered. */
function remembers(process: string, backing: CowBacking): CowStep[] {
  return [
    run(`${process} touch @mem ${sizeWord(backing.lengthBytes)} r`),
    { kind: "remember", viewer: memSeenBy(process, backing) },
  ];
}

/** The process reads `length` from `at` on, and must find what was remembered. */
function mustSeeOld(process: string, at: string, lengthBytes: number): CowStep[] {
  return [
    run(`${process} touch ${at} ${sizeWord(lengthBytes)} r`),
    run(`${process} peek ${at}`),
    {
      kind: "seesOld",
      viewer: processSees(process, at, lengthBytes),
      claim: `no leak from P into ${process}`,
    },
  ];
}

function cowInParent(backing: CowBacking, options: { readonly withMprotect: boolean }): CowStep[] {
  return [
    run("P fork C"),
    ...remembers("C", backing),
    ...(options.withMprotect ? protectAndBack(backing) : []),
    writes("P", backing),
    ...mustSeeOld("C", "@mem", backing.lengthBytes),
  ];
}

const PIPE_OF_CHILD: CowViewer = { by: "pipe", process: "C", id: 0 };
const PIPE_OF_PARENT: CowViewer = { by: "pipe", process: "P", id: 0 };

function vmspliceInChild(backing: CowBacking, options: { readonly withMprotect: boolean }): CowStep[] {
  const range = `@mem ${sizeWord(backing.lengthBytes)}`;
  return [
    run("P fork C"),
    ...remembers("C", backing),
    run(`C vmsplice 0 ${range}`),
    run(`C munmap ${range}`),
    ...(options.withMprotect ? protectAndBack(backing) : []),
    writes("P", backing),
    { kind: "seesOld", viewer: PIPE_OF_CHILD, claim: "no leak from P into C's pipe" },
  ];
}

function vmspliceInParent(backing: CowBacking, options: { readonly beforeFork: boolean }): CowStep[] {
  const range = `@mem ${sizeWord(backing.lengthBytes)}`;
  const splice = run(`P vmsplice 0 ${range}`);
  return [
    ...remembers("P", backing),
    ...(options.beforeFork ? [splice, run("P fork C")] : [run("P fork C"), splice]),
    run(`P munmap ${range}`),
    writes("C", backing),
    { kind: "seesOld", viewer: PIPE_OF_PARENT, claim: "no leak from C into P's pipe" },
  ];
}

function registeredBuffer(backing: CowBacking, options: { readonly withFork: boolean }): CowStep[] {
  const { lengthBytes } = backing;
  return [
    run(`P uring 0 @mem ${sizeWord(lengthBytes)}`),
    ...(options.withFork ? [run("P fork C")] : protectAndBack(backing)),
    writes("P", backing),
    {
      kind: "seesByte",
      viewer: { by: "ring", process: "P", id: 0, lengthBytes },
      byte: NEW_BYTE,
      claim: "the buffer sees what P has written",
    },
  ];
}

/** What the page that is pinned has been through. */
type PinnedPage = "shared" | "previously shared" | "exclusive" | "as it is";

function readOnlyPin(backing: CowBacking, page: PinnedPage, way: "slow" | "fast"): CowStep[] {
  const { lengthBytes } = backing;
  const range = `@mem ${sizeWord(lengthBytes)}`;
  const before: Readonly<Record<PinnedPage, readonly CowStep[]>> = {
    shared: [run("P fork C")],
    "previously shared": [run("P fork C"), run("C exit")],
    exclusive: [run(`P touch ${range} r`), run(`P mprotect ${range} r`)],
    "as it is": [],
  };
  const pin: CowStep =
    way === "slow" ? run(`P guppin ${range}`) : { kind: "pinFast", process: "P", at: "@mem", lengthBytes };
  return [
    ...before[page],
    pin,
    ...(page === "exclusive" ? [run(`P mprotect ${range} rw`)] : []),
    writes("P", backing),
    { kind: "seesByte", viewer: { by: "gup" }, byte: NEW_BYTE, claim: "the pin sees what P has written" },
  ];
}

/** Which part of the THP the child gets. */
type SharedPart = "all" | "lower" | "upper";

function collapse(backing: CowBacking, part: SharedPart, when: "before fork" | "after fork"): CowStep[] {
  const { lengthBytes } = backing;
  const all = `@mem ${sizeWord(lengthBytes)}`;
  const half = sizeWord(lengthBytes / 2);
  const upper = `@mem+${half}`;
  const kept = { all: undefined, lower: `${upper} ${half}`, upper: `@mem ${half}` }[part];
  const at = part === "upper" ? upper : "@mem";
  const length = part === "all" ? lengthBytes : lengthBytes / 2;
  return [
    ...(when === "before fork" ? [run(`P madvise ${all} collapse`)] : []),
    ...(kept === undefined ? [] : [run(`P madvise ${kept} dontfork`)]),
    run("P fork C"),
    run(`C touch ${at} ${sizeWord(length)} r`),
    { kind: "remember", viewer: processSees("C", at, length) },
    // The VMAs merge again, or the range could not be collapsed.
    ...(kept === undefined ? [] : [run(`P madvise ${all} dofork`)]),
    ...(when === "after fork" ? [run(`P madvise ${all} collapse`)] : []),
    writes("P", backing),
    ...mustSeeOld("C", at, length),
  ];
}

function cowOfOther(backing: CowBacking): CowStep[] {
  return [
    { kind: "remember", viewer: processSees("P", "@smem", backing.lengthBytes) },
    writes("P", backing),
    run("P touch @smem 4k r"),
    run("P peek @smem"),
    {
      kind: "seesOld",
      viewer: processSees("P", "@smem", backing.lengthBytes),
      claim: "the other mapping does not see what was written",
    },
    { kind: "seesByte", viewer: memSeenBy("P", backing), byte: NEW_BYTE, claim: "P sees what it has written" },
  ];
}

/** Cases of anonymous memory, on every backing of anonymousBackings. */
export const ANON_CASES: readonly CowCase[] = [
  { id: "A1", title: "Basic COW after fork()", steps: (on) => cowInParent(on, { withMprotect: false }) },
  {
    id: "A2",
    title: "Basic COW after fork() with mprotect() optimization",
    steps: (on) => cowInParent(on, { withMprotect: true }),
  },
  { id: "A3", title: "vmsplice() + unmap in child", steps: (on) => vmspliceInChild(on, { withMprotect: false }) },
  {
    id: "A4",
    title: "vmsplice() + unmap in child with mprotect() optimization",
    steps: (on) => vmspliceInChild(on, { withMprotect: true }),
  },
  {
    id: "A5",
    title: "vmsplice() before fork(), unmap in parent after fork()",
    steps: (on) => vmspliceInParent(on, { beforeFork: true }),
  },
  {
    id: "A6",
    title: "vmsplice() + unmap in parent after fork()",
    steps: (on) => vmspliceInParent(on, { beforeFork: false }),
  },
  {
    id: "A7",
    title: "R/O-mapping a page registered as iouring fixed buffer",
    steps: (on) => registeredBuffer(on, { withFork: false }),
  },
  {
    id: "A8",
    title: "fork() with an iouring fixed buffer",
    steps: (on) => registeredBuffer(on, { withFork: true }),
  },
  ...(["shared", "previously shared", "exclusive"] as const).flatMap((page, index): CowCase[] => {
    const words = page.replace(" ", "-");
    return [
      {
        id: `A${9 + 2 * index}` as CowCaseId,
        title: `R/O GUP pin on R/O-mapped ${words} page`,
        steps: (on) => readOnlyPin(on, page, "slow"),
      },
      {
        id: `A${10 + 2 * index}` as CowCaseId,
        title: `R/O GUP-fast pin on R/O-mapped ${words} page`,
        steps: (on) => readOnlyPin(on, page, "fast"),
      },
    ];
  }),
];

/** Cases of a THP that is collapsed. */
export const COLLAPSE_CASES: readonly CowCase[] = [
  {
    id: "B1",
    title: "Basic COW after fork() when collapsing before fork()",
    steps: (on) => collapse(on, "all", "before fork"),
  },
  {
    id: "B2",
    title: "Basic COW after fork() when collapsing after fork() (fully shared)",
    steps: (on) => collapse(on, "all", "after fork"),
  },
  {
    id: "B3",
    title: "Basic COW after fork() when collapsing after fork() (lower shared)",
    steps: (on) => collapse(on, "lower", "after fork"),
  },
  {
    id: "B4",
    title: "Basic COW after fork() when collapsing after fork() (upper shared)",
    steps: (on) => collapse(on, "upper", "after fork"),
  },
];

/** Cases of private mappings of something else. */
export const OTHER_CASES: readonly CowCase[] = [
  { id: "C1", title: "Basic COW", steps: cowOfOther },
  { id: "C2", title: "R/O longterm GUP pin", steps: (on) => readOnlyPin(on, "as it is", "slow") },
  { id: "C3", title: "R/O longterm GUP-fast pin", steps: (on) => readOnlyPin(on, "as it is", "fast") },
];
