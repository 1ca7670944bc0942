/**
 * Wishes that read, write, and give advice about pages that are mapped.
 */
import { type PageRange, choose, firstRun, pickRange } from "./ranges.ts";
import { type SymbolicMachine, addressText, sizeText } from "./symbolic-machine.ts";
import type { Wish } from "./wishes.ts";

const STEPS = ["", "", "", "", "8k", "16k", "64k"];

function places({ process, firstPage, pageCount }: PageRange): [string, string, string] {
  return [process.name, addressText(process, firstPage), sizeText(pageCount)];
}

/** Writes to the first writable run of the range. */
export function write(machine: SymbolicMachine, range: PageRange, step = ""): void {
  const run = firstRun(range, (page) => range.process.isWritable(page));
  if (run === undefined || !machine.mayTouch(run.pageCount)) return;
  const [name, address, size] = places(run);
  machine.say(name, "touch", address, size, "w", ...(step === "" ? [] : [step]));
}

export function touchWrite(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, () => true);
  if (range !== undefined) write(machine, range, choose(STEPS, wish));
}

export function touchRead(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, () => true);
  if (range === undefined) return;
  const run = firstRun(range, (page) => range.process.isReadable(page));
  if (run === undefined || !machine.mayTouch(run.pageCount)) return;
  const step = choose(STEPS, wish);
  const [name, address, size] = places(run);
  machine.say(name, "touch", address, size, "r", ...(step === "" ? [] : [step]));
}

/** Equal contents, for KSM. */
export function fill(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  if (range === undefined) return;
  const run = firstRun(range, (page) => range.process.isWritable(page));
  if (run === undefined || !machine.mayTouch(run.pageCount)) return;
  const [name, address, size] = places(run);
  machine.say(name, "fill", address, size, choose(["0x41", "0x41", "0x42", "0"], wish));
}

function adviseRange(machine: SymbolicMachine, range: PageRange, advice: string): void {
  const [name, address, size] = places(range);
  range.process.cut(range.firstPage, range.pageCount);
  machine.say(name, "madvise", address, size, advice);
}

/** One advice for the range, whatever the kernel says to it. */
export function advising(advice: string) {
  return (machine: SymbolicMachine, wish: Wish): void => {
    const range = pickRange(machine, wish);
    if (range !== undefined) adviseRange(machine, range, advice);
  };
}

/** So many of 64 wishes may be about huge pages of the pool too. */
const HUGETLB_SHARE = 16;
const ADVICE = [
  "dontneed",
  "dontneed",
  "dontneed",
  "dontneed_locked",
  "hugepage",
  "nohugepage",
  "populate_read",
  "populate_write",
  "populate_write",
  "dontfork",
  "dofork",
  "wipeonfork",
  "keeponfork",
  "willneed",
  "random",
  "sequential",
  "normal",
  "unmergeable",
  "remove",
] as const;

export function advise(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, wish.length < HUGETLB_SHARE ? () => true : undefined);
  if (range === undefined) return;
  const { process, firstPage, pageCount } = range;
  const advice = choose(ADVICE, wish);
  if (advice === "populate_read" || advice === "populate_write") {
    populate(machine, range, advice);
    return;
  }
  adviseRange(machine, range, advice);
  if (advice === "unmergeable") process.change(firstPage, pageCount, { isMergeable: false });
  // Refused for ranges of files, or with a hole: then the pages are forked after all, and nobody counts on them.
  if (advice === "dontfork" || advice === "wipeonfork") process.change(firstPage, pageCount, { isForked: false });
}

/** The kernel writes as the process would: it too would wait for userfaultfd. */
function populate(machine: SymbolicMachine, range: PageRange, advice: string): void {
  const { process } = range;
  const run = firstRun(range, (page) =>
    advice === "populate_read" ? process.isReadable(page) : process.isWritable(page),
  );
  if (run !== undefined && machine.mayTouch(run.pageCount)) adviseRange(machine, run, advice);
}

/** Pages for KSM; it takes those of private memory alone. */
export function mergeable(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, ({ mapping }) => mapping.memory === "anon");
  if (range === undefined) return;
  range.process.change(range.firstPage, range.pageCount, { isMergeable: true });
  adviseRange(machine, range, "mergeable");
}

/** Whole large pages of private memory, or what does not fit and is refused. */
export function collapse(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, { ...wish, grain: choose(["whole", "whole", "part"], wish) });
  if (range !== undefined && machine.mayTouch(512)) adviseRange(machine, range, "collapse");
}

export function guard(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  if (range === undefined) return;
  const { process, firstPage, pageCount } = range;
  const isInstall = choose([true, true, false], wish);
  adviseRange(machine, range, isInstall ? "guard_install" : "guard_remove");
  // Refused on locked memory; then there is no guard, but the pages are left alone all the same.
  process.change(firstPage, pageCount, { isGuard: isInstall });
}

/** Locks, and so populates, what can be written to without waiting. */
export function mlock(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  if (range === undefined) return;
  const { process } = range;
  const run = firstRun(range, (page) => process.isReadable(page) && !process.page(page).isWriteProtected);
  if (run === undefined || !machine.mayTouch(run.pageCount)) return;
  const [name, address, size] = places(run);
  process.cut(run.firstPage, run.pageCount);
  machine.say(name, choose(["mlock", "mlock", "mlock_onfault"], wish), address, size);
}

export function munlock(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  if (range === undefined) return;
  const [name, address, size] = places(range);
  range.process.cut(range.firstPage, range.pageCount);
  machine.say(name, "munlock", address, size);
}
