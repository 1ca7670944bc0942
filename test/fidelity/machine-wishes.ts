/**
 * Wishes about processes, pins, userfaultfd, KSM, NUMA, settings; and mistakes, which the kernel is to refuse.
 */
import { choose, firstRun, pickProcess, pickRange } from "./ranges.ts";
import { PAGE_BYTES, type SymbolicMachine, addressText, sizeText } from "./symbolic-machine.ts";
import type { ProfileName, Wish } from "./wishes.ts";

export function fork(machine: SymbolicMachine, wish: Wish): void {
  const process = pickProcess(machine, wish);
  if (process !== undefined) machine.fork(process);
}

export function exit(machine: SymbolicMachine, wish: Wish): void {
  const process = pickProcess(machine, wish);
  if (process !== undefined) machine.exit(process);
}

/** Pages that are pinned must be writable without waiting; a few at a time. */
export function uring(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, () => true);
  const id = range === undefined ? undefined : machine.newHold();
  if (range === undefined || id === undefined) return;
  const { process } = range;
  const run = firstRun(range, (page) => process.isWritable(page));
  if (run === undefined || !machine.mayTouch(run.pageCount)) return;
  process.rings.add(id);
  machine.say(process.name, "uring", id, addressText(process, run.firstPage), sizeText(run.pageCount));
}

export function unuring(machine: SymbolicMachine, wish: Wish): void {
  const process = pickProcess(machine, wish);
  if (process === undefined || process.rings.size === 0) return;
  const id = [...process.rings][wish.area % process.rings.size];
  process.rings.delete(id);
  machine.say(process.name, "unuring", id);
}

/** Pins, or gives back what is pinned: there is one at a time. */
export function guppin(machine: SymbolicMachine, wish: Wish): void {
  const holder = machine.gupPinnedBy;
  if (holder !== undefined) {
    machine.say(holder.name, "gupunpin");
    machine.gupPinnedBy = undefined;
    return;
  }
  const range = pickRange(machine, wish);
  if (range === undefined) return;
  const { process } = range;
  const run = firstRun(range, (page) => process.isWritable(page));
  if (run === undefined || !machine.mayTouch(run.pageCount)) return;
  const words = [process.name, "guppin", addressText(process, run.firstPage), sizeText(run.pageCount)];
  machine.say(...words, ...(choose([true, false], wish) ? ["w"] : []));
  machine.gupPinnedBy = process;
}

/** References of a pipe: at most sixteen, the pages it holds without being asked. */
export function vmsplice(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  const id = range === undefined ? undefined : machine.newHold();
  if (range === undefined || id === undefined) return;
  const { process } = range;
  const run = firstRun(range, (page) => process.isReadable(page));
  if (run === undefined) return;
  process.pipes.add(id);
  const pages = Math.min(run.pageCount, 16);
  machine.say(process.name, "vmsplice", id, addressText(process, run.firstPage), sizeText(pages));
}

export function unvmsplice(machine: SymbolicMachine, wish: Wish): void {
  const process = pickProcess(machine, wish);
  if (process === undefined || process.pipes.size === 0) return;
  const id = [...process.pipes][wish.area % process.pipes.size];
  process.pipes.delete(id);
  machine.say(process.name, "unvmsplice", id);
}

export function uffdwp(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, ({ mapping }) => mapping.memory === "anon");
  if (range === undefined || range.process.uffd === "inherited") return;
  const { process, firstPage, pageCount } = range;
  process.uffd = "own";
  process.change(firstPage, pageCount, { isWriteProtected: true });
  process.cut(firstPage, pageCount);
  machine.say(process.name, "uffdwp", addressText(process, firstPage), sizeText(pageCount));
}

/** Takes the protection off pages that have it, where they still lie in one piece. */
export function unuffdwp(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, ({ mapping }) => mapping.memory === "anon" && mapping.name !== "");
  if (range === undefined || range.process.uffd !== "own") return;
  const { process } = range;
  const run = firstRun(range, (page) => process.page(page).isWriteProtected);
  if (run === undefined) return;
  // Refused where a part of the range is not registered: those pages stay marked.
  if (run.pageCount === range.pageCount) {
    process.change(run.firstPage, run.pageCount, { isWriteProtected: false });
  }
  machine.say(process.name, "unuffdwp", addressText(process, run.firstPage), sizeText(run.pageCount));
}

export function split(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  if (range === undefined || !machine.mayTouch(64)) return;
  const { process, firstPage, pageCount } = range;
  const order = choose(["", "", "", 2, 3, 4, 6], wish);
  const words = ["split", process.name, addressText(process, firstPage), sizeText(pageCount)];
  machine.say(...words, ...(order === "" ? [] : [order]));
}

export function ksmscan(machine: SymbolicMachine, wish: Wish): void {
  if (machine.hasMergeable()) machine.say("ksmscan", choose([3, 4], wish));
}

/** move_pages() is called for every page: a few. */
export function migrate(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, () => true);
  if (range === undefined) return;
  const { process, firstPage, pageCount } = range;
  const pages = Math.min(pageCount, 8);
  machine.say(process.name, "migrate", addressText(process, firstPage), sizeText(pages), choose([1, 1, 0], wish));
}

export function node(machine: SymbolicMachine, wish: Wish): void {
  const process = pickProcess(machine, wish);
  if (process !== undefined) machine.say(process.name, "node", choose([0, 1], wish));
}

const ANON_SIZES: Readonly<Partial<Record<ProfileName, readonly number[]>>> = {
  thp: [2048, 2048, 2048, 1024, 64],
  mthp: [16, 64, 64, 128, 256, 512, 1024],
};
const ANY_SIZES = [16, 64, 256, 2048, 2048];
const SHMEM_SIZES = [16, 64, 64, 256, 1024, 2048, 2048];

export function anonSetting(machine: SymbolicMachine, wish: Pick<Wish, "choice">, profile: ProfileName): void {
  const size = choose(ANON_SIZES[profile] ?? ANY_SIZES, wish, 1);
  // With huge pages for everybody the driver itself would have some, and count in the statistics.
  const mostly = size === 2048 ? "madvise" : "always";
  const value = choose(["madvise", "madvise", "madvise", "madvise", "inherit", "never", mostly], wish, 2);
  machine.say("thp", `${size}kB`, value);
}

export function shmemSetting(machine: SymbolicMachine, wish: Pick<Wish, "choice">): void {
  const value = choose(["always", "always", "always", "within_size", "advise", "never"], wish, 1);
  machine.say("shmthp", `${choose(SHMEM_SIZES, wish, 2)}kB`, value);
}

export function setting(machine: SymbolicMachine, wish: Wish, profile: ProfileName): void {
  if (choose([0, 0, 1], wish, 3) === 1) shmemSetting(machine, wish);
  else anonSetting(machine, wish, profile);
}

const PR_SET_THP_DISABLE = 41;
const THP = "/sys/kernel/mm/transparent_hugepage";
const KSM = "/sys/kernel/mm/ksm";
/** But not whether there are large folios at all: that ends khugepaged, and a new one looks around at once. */
const SYSTEM_SETTINGS = [
  `${THP}/shmem_enabled always`,
  `${THP}/shmem_enabled within_size`,
  `${THP}/shmem_enabled advise`,
  `${THP}/shmem_enabled deny`,
  `${THP}/shmem_enabled force`,
  `${THP}/use_zero_page 0`,
  `${THP}/use_zero_page 1`,
  `${KSM}/use_zero_pages 1`,
  `${KSM}/use_zero_pages 0`,
  `${KSM}/max_page_sharing 3`,
  `${KSM}/run 2`,
];

/** A setting of all memory, or one of a process: whether it may have large folios. */
export function sys(machine: SymbolicMachine, wish: Wish): void {
  const process = pickProcess(machine, wish);
  if (process !== undefined && choose([0, 0, 1], wish, 1) === 1) {
    machine.say(process.name, "prctl", PR_SET_THP_DISABLE, choose([1, 0], wish, 2));
  } else machine.say("sys", choose(SYSTEM_SETTINGS, wish, 3));
}

/** What the machine begins with. */
export function start(machine: SymbolicMachine, choice: number, profile: ProfileName): void {
  const at = (turn: number): Pick<Wish, "choice"> => ({ choice: choice + turn * 7919 });
  const wantsSwap = profile === "swap" || (profile === "mixed" && choice % 3 === 0) || choice % 16 === 0;
  if (wantsSwap) machine.say("swapon", "/dev/ram1");
  const hasPmd = profile === "thp" || choose([true, false], at(0));
  const isPlain = profile === "small" || profile === "files" || profile === "hugetlb";
  if (hasPmd && !isPlain) machine.say("thp", "2048kB", "madvise");
  if (!isPlain)
    for (let turn = 1; turn <= (profile === "mthp" ? 2 : choice % 2); turn++) anonSetting(machine, at(turn), profile);
  const shmemTurns = profile === "shmem" ? 1 + (choice % 2) : profile === "small" ? 0 : choice % 3 === 1 ? 1 : 0;
  for (let turn = 1; turn <= shmemTurns; turn++) shmemSetting(machine, at(10 + turn));
}

type Mistake = (name: string, address: string, size: string) => string;

const NOWHERE = "0x6f00000000";
const MISTAKES: readonly Mistake[] = [
  (name) => `${name} munmap ${NOWHERE} 16k`,
  (name, address) => `${name} munmap ${address} 0`,
  (name) => `${name} mprotect ${NOWHERE} 16k r`,
  (name) => `${name} madvise ${NOWHERE} 16k dontneed`,
  (name, address) => `${name} madvise ${address} 0 free`,
  (name, address, size) => `${name} mremap ${address} ${size} 0`,
  (name, address) => `${name} mremap ${address} 4k 4k ${address}`,
  (name) => `${name} mremap ${NOWHERE} 4k 4k 0x6e00000000`,
  (name) => `${name} mlock ${NOWHERE} 4k`,
  (name) => `${name} munlock ${NOWHERE} 4k`,
  (name) => `${name} ftruncate 99 4k`,
  (name) => `${name} fallocate 99 0 4k punch`,
  (name) => `${name} close 99`,
  (name) => `${name} migrate ${NOWHERE} 4k 1`,
  (name) => `split ${name} ${NOWHERE} 16k`,
  (name, address) => `${name} madvise ${address}+1k 4k cold`.replace(/^(\S+ \S+ 0x[0-9a-f]+)\+1k/, "$1"),
  (name) => `${name} madvise ${NOWHERE} 16k collapse`,
];

/** Something that the kernel refuses, and that must leave no trace. */
export function mistake(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  if (range === undefined) return;
  const { process, area, firstPage, pageCount } = range;
  if (choose([0, 0, 0, 1], wish, 1) === 1) {
    // Something is mapped there already.
    const name = machine.newRegionName();
    if (name === undefined) return;
    const address = `0x${(area.firstPage * PAGE_BYTES).toString(16)}`;
    machine.say(process.name, "mmap", name, address, "16k", "rw", "anon,priv");
    return;
  }
  machine.say(choose(MISTAKES, wish)(process.name, addressText(process, firstPage), sizeText(pageCount)));
}
