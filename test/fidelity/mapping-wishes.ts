/**
 * Wishes that make, move and remove mappings.
 */
import { choose, cutRange, firstRun, pickArea, pickProcess, pickRange } from "./ranges.ts";
import {
  type Mapping,
  PAGE_BYTES,
  type SymbolicMachine,
  type SymbolicProcess,
  addressText,
  sizeText,
} from "./symbolic-machine.ts";
import type { ProfileName, Wish } from "./wishes.ts";
import { write } from "./touch-wishes.ts";

/** Pages of new mappings. Scenarios about large folios need room for them; others stay small and cheap to dump. */
const SIZES: Readonly<Partial<Record<ProfileName, readonly number[]>>> = {
  thp: [512, 512, 768, 1024, 1024, 64],
  mthp: [16, 32, 64, 64, 128, 100, 512],
  mixed: [8, 16, 32, 64, 128, 512, 512],
  swap: [16, 32, 64, 64, 512],
  pins: [8, 16, 32, 64, 512],
  shmem: [16, 32, 64, 100, 512],
};
const SMALL_SIZES = [4, 8, 16, 24, 32, 64];
/** Where in its slot a mapping begins, in pages: mostly where every folio fits. */
const STARTS = [0, 0, 0, 0, 16, 4, 1, 256, 509];
const PROTECTIONS = ["rw", "rw", "rw", "rw", "rw", "rw", "rw", "rwx", "r", "n", "w"];
const PROTECTION_TURN = 4;
const WRITE_TURN = 8;
const IS_WRITTEN = [true, true, false];
const EXTRA_FLAGS = ["", "", "", "", "", "", "", ",pop", ",noreserve", ",locked"];
/** Profiles whose memory asks for large folios. */
const HINTED = new Set<ProfileName>(["thp", "mthp", "mixed", "swap", "pins"]);

export function pagesOfNewMapping(profile: ProfileName, wish: Wish): number {
  return choose(SIZES[profile] ?? SMALL_SIZES, wish, 1);
}

/** The first choice from this one on with which a new mapping can be written to, and is. */
export function choiceOfWrittenMemory(choice: number): number {
  let tried = choice;
  while (!isWritten({ choice: tried })) tried++;
  return tried;
}

function isWritten(wish: Pick<Wish, "choice">): boolean {
  return choose(PROTECTIONS, wish, PROTECTION_TURN) === "rw" && choose(IS_WRITTEN, wish, WRITE_TURN);
}

/** Where a new mapping goes: a slot of its own, or right behind a mapping, where VMAs may merge. */
function placeFor(machine: SymbolicMachine, process: SymbolicProcess, pages: number, wish: Wish): number | undefined {
  if (choose([0, 0, 0, 1], wish, 2) === 1) {
    const area = pickArea(process, wish);
    const behind = area === undefined ? 0 : area.firstPage + area.pageCount;
    if (area !== undefined && process.isFree(behind, pages)) return behind;
  }
  const slot = machine.newSlot();
  return slot === undefined ? undefined : slot / PAGE_BYTES + choose(STARTS, wish, 3);
}

interface NewMapping {
  readonly memory: Mapping["memory"];
  readonly pages: number;
  readonly protection: string;
  readonly flags: string;
  readonly isPrivate: boolean;
  readonly file?: Mapping["file"];
  readonly filePage?: number;
}

/** The mmap at a page and what it leaves; undefined when the scenario has enough mappings. */
export function mapAt(
  machine: SymbolicMachine,
  process: SymbolicProcess,
  firstPage: number,
  made: NewMapping,
): Mapping | undefined {
  const name = machine.newRegionName();
  if (name === undefined) return undefined;
  const { memory, isPrivate, file, filePage = 0 } = made;
  const start = firstPage * PAGE_BYTES;
  const mapping: Mapping = { name, start, memory, isPrivate, ...(file === undefined ? {} : { file }) };
  const words = [process.name, "mmap", name, `0x${start.toString(16)}`, sizeText(made.pages), made.protection];
  words.push(made.flags);
  if (file !== undefined) words.push(`fd=${file.descriptor}`);
  if (filePage > 0) words.push(`off=${sizeText(filePage)}`);
  machine.say(...words);
  for (let page = 0; page < made.pages; page++) {
    process.pages.set(firstPage + page, {
      isCut: page === 0,
      mapping,
      filePage: filePage + page,
      protection: made.protection,
      isGuard: false,
      isWriteProtected: false,
      isForked: true,
      isMergeable: false,
    });
  }
  return mapping;
}

/** New memory, mostly asked to be large where the profile is about that, and mostly written to. */
export function mapAnon(machine: SymbolicMachine, wish: Wish, profile: ProfileName, isPrivate = true): void {
  const process = pickProcess(machine, wish);
  if (process === undefined) return;
  const pages = pagesOfNewMapping(profile, wish);
  const firstPage = placeFor(machine, process, pages, wish);
  if (firstPage === undefined) return;
  const protection = choose(PROTECTIONS, wish, PROTECTION_TURN);
  const extra = choose(EXTRA_FLAGS, wish, 5);
  // Populated and locked memory is written to by the kernel.
  if ((extra === ",pop" || extra === ",locked") && !machine.mayTouch(pages)) return;
  // Locked memory cannot be droppable.
  const isDroppable = isPrivate && extra === "" && wish.from === 0;
  const memory = isDroppable ? "droppable" : isPrivate ? "anon" : "shared";
  const flags = `anon,${isDroppable ? "droppable" : isPrivate ? "priv" : "shared"}${extra}`;
  const mapping = mapAt(machine, process, firstPage, { memory, pages, protection, flags, isPrivate });
  if (mapping === undefined) return;
  if (HINTED.has(profile) && choose([1, 1, 1, 0], wish, 7) === 1) {
    machine.say(process.name, "madvise", `@${mapping.name}`, sizeText(pages), "hugepage");
  }
  if (choose(IS_WRITTEN, wish, WRITE_TURN)) {
    const area = { mapping, firstPage, pageCount: pages };
    write(machine, { process, area, ...cutRange(area, wish) });
  }
}

/** A mapping over what is there. */
export function mapOver(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  if (range === undefined) return;
  const { process, firstPage, pageCount } = range;
  const isPrivate = choose([true, true, false], wish, 1);
  const flags = `anon,${isPrivate ? "priv" : "shared"},fixed`;
  const protection = choose(PROTECTIONS, wish, 2);
  mapAt(machine, process, firstPage, {
    memory: isPrivate ? "anon" : "shared",
    pages: pageCount,
    protection,
    flags,
    isPrivate,
  });
}

export function munmap(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, () => true);
  if (range === undefined) return;
  const { process, firstPage, pageCount } = range;
  machine.say(process.name, "munmap", addressText(process, firstPage), sizeText(pageCount));
  process.unmap(firstPage, pageCount);
}

export function mprotect(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish, () => true);
  if (range === undefined) return;
  const { process, firstPage, pageCount } = range;
  const protection = choose(["r", "r", "rw", "rw", "rw", "n", "rx", "rwx"], wish);
  machine.say(process.name, "mprotect", addressText(process, firstPage), sizeText(pageCount), protection);
  process.change(firstPage, pageCount, { protection });
  process.cut(firstPage, pageCount);
}

/** Moves pages; what they were keeps its marks. */
function movePages(process: SymbolicProcess, firstPage: number, pageCount: number, to: number): void {
  const moved = [...Array.from({ length: pageCount }).keys()].map((page) => process.page(firstPage + page));
  process.unmap(firstPage, pageCount);
  const { mapping } = moved[0];
  const renamed: Mapping = { ...mapping, name: "", start: to * PAGE_BYTES };
  for (const [page, state] of moved.entries()) process.pages.set(to + page, { ...state, mapping: renamed });
}

/** To a place of its own: at the same distance from a large page's beginning, or at another. */
export function mremapMove(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  const slot = machine.newSlot();
  if (range === undefined || slot === undefined) return;
  const { process, firstPage, pageCount } = range;
  if (!canMove(process, firstPage, pageCount)) return;
  const to = slot / PAGE_BYTES + choose([0, firstPage % 512, firstPage % 512, 3], wish);
  const [from, size] = [addressText(process, firstPage), sizeText(pageCount)];
  machine.say(process.name, "mremap", from, size, size, `0x${(to * PAGE_BYTES).toString(16)}`);
  movePages(process, firstPage, pageCount, to);
}

/** Several VMAs move together, but not where userfaultfd watches one of them. */
function canMove(process: SymbolicProcess, firstPage: number, pageCount: number): boolean {
  return process.uffd === "none" || isOneVma(process, firstPage, pageCount);
}

/** Grows at its end, or shrinks. */
export function mremapResize(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, { ...wish, grain: "whole" }, ({ mapping }) => mapping.memory === "anon");
  if (range === undefined) return;
  const { process, firstPage, pageCount } = range;
  const wanted = choose([pageCount * 2, pageCount + 4, pageCount >> 1, pageCount - 1], wish);
  if (wanted < 1 || wanted > 2048) return;
  const isFree = wanted <= pageCount || process.isFree(firstPage + pageCount, wanted - pageCount);
  // Where it is not known whether the range is of one VMA, it is not known whether it grows either.
  if (wanted > pageCount && isFree && !isOneVma(process, firstPage, pageCount)) return;
  const [from, size] = [addressText(process, firstPage), sizeText(pageCount)];
  machine.say(process.name, "mremap", from, size, sizeText(wanted));
  if (wanted < pageCount) process.unmap(firstPage + wanted, pageCount - wanted);
  else if (isFree) {
    const state = process.page(firstPage);
    for (let page = pageCount; page < wanted; page++) {
      process.pages.set(firstPage + page, { ...state, isGuard: false, filePage: state.filePage + page });
    }
  }
}

/** Growing fails where the range is of several VMAs. */
function isOneVma(process: SymbolicProcess, firstPage: number, pageCount: number): boolean {
  for (let page = firstPage + 1; page < firstPage + pageCount; page++) {
    if (process.page(page).isCut) return false;
  }
  return true;
}

/** Moves the pages and leaves the mapping. */
export function mremapKeep(machine: SymbolicMachine, wish: Wish): void {
  const range = pickRange(machine, wish);
  const slot = machine.newSlot();
  if (range === undefined || slot === undefined) return;
  const sameProtection = range.process.page(range.firstPage).protection;
  const run = firstRun(range, (page) => range.process.page(page).protection === sameProtection);
  if (run === undefined) return;
  const { process, firstPage, pageCount } = run;
  const to = slot / PAGE_BYTES + (firstPage % 512);
  const [from, size] = [addressText(process, firstPage), sizeText(pageCount)];
  machine.say(process.name, "mremap", from, size, size, `0x${(to * PAGE_BYTES).toString(16)}`, "dontunmap");
  // What is left behind is empty; what was moved is not counted on: the move may have been refused.
}
