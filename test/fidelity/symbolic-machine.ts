/**
 * The little that a generator must know of the machine so that its commands make sense: who lives, which pages are mapped
 * and how, which files are open, what is pinned.
 *
 * It is no model of memory: it knows protections and ends of files, not folios. Invariant: a page for which
 * `isReadable` or `isWritable` says yes can be touched without a signal and without waiting for anybody; in doubt they
 * say no (a page that may be write-protected by userfaultfd, or a guard).
 */

export const PAGE_BYTES = 4096;
export const HUGETLB_PAGES = 512;
/** Where mappings begin that stand alone: far enough from each other to be grown and moved next to. */
const SLOT_FIRST = 0x2_0000_0000;
const SLOT_BYTES = 0x1000_0000;

/** Processes alive at once, and over a scenario. */
const LIVING_MAX = 6;
const PROCESSES_MAX = 20;
const REGIONS_MAX = 60;
const DESCRIPTORS_MAX = 40;
/** The pool of the kernels that scenarios run on. */
const HUGETLB_POOL = 8;
/** Pages touched in a scenario: what a dump can describe is bounded, and each may become a folio of its own. */
const TOUCHED_PAGES_MAX = 3000;

export interface MadeFile {
  readonly descriptor: number;
  readonly kind: "memfd" | "tmpfs" | "ext4" | "hugetlb";
  /** One for all who have it open, under whatever number. */
  readonly size: { bytes: number };
}

/** What pages of one mmap have in common. */
export interface Mapping {
  readonly name: string;
  readonly start: number;
  readonly memory: "anon" | "droppable" | "shared" | "file" | "hugetlb";
  readonly isPrivate: boolean;
  readonly file?: MadeFile;
}

export interface PageState {
  readonly mapping: Mapping;
  /** Page of the file, or of the mapping where there is none. */
  readonly filePage: number;
  /** As `mmap` and `mprotect` take it. */
  readonly protection: string;
  readonly isGuard: boolean;
  readonly isWriteProtected: boolean;
  readonly isForked: boolean;
  /** A VMA may begin with this page: some call was about a range that begins or ends here. */
  readonly isCut: boolean;
  /** KSM may look at it. */
  readonly isMergeable: boolean;
}

/** Consecutive pages of one mapping. */
export interface Area {
  readonly mapping: Mapping;
  readonly firstPage: number;
  readonly pageCount: number;
}

export class SymbolicProcess {
  readonly name: string;
  /** By page number; a PageState is never changed, only replaced. */
  readonly pages: Map<number, PageState>;
  readonly files: Map<number, MadeFile>;
  /** io_uring ids and pipes that this process made. */
  readonly rings = new Set<number>();
  readonly pipes = new Set<number>();
  /** A userfaultfd that was inherited speaks for the parent's memory. */
  uffd: "none" | "own" | "inherited" = "none";

  constructor(name: string, parent?: SymbolicProcess) {
    this.name = name;
    this.pages = new Map(parent?.pages);
    this.files = new Map(parent?.files);
    if (parent !== undefined && parent.uffd !== "none") this.uffd = "inherited";
  }

  /** Runs of pages in order of address. */
  areas(): Area[] {
    const areas: Area[] = [];
    let open: { mapping: Mapping; firstPage: number; pageCount: number } | undefined;
    for (const page of [...this.pages.keys()].sort((a, b) => a - b)) {
      const { mapping } = this.page(page);
      if (open?.mapping === mapping && open.firstPage + open.pageCount === page) open.pageCount++;
      else {
        open = { mapping, firstPage: page, pageCount: 1 };
        areas.push(open);
      }
    }
    return areas;
  }

  page(page: number): PageState {
    const state = this.pages.get(page);
    if (state === undefined) throw new Error(`page ${page} of ${this.name} is not mapped`);
    return state;
  }

  change(firstPage: number, pageCount: number, change: Partial<PageState>): void {
    for (let page = firstPage; page < firstPage + pageCount; page++) {
      const state = this.pages.get(page);
      if (state !== undefined) this.pages.set(page, { ...state, ...change });
    }
  }

  /** A call about these pages may have made VMAs of their own for them. */
  cut(firstPage: number, pageCount: number): void {
    this.change(firstPage, 1, { isCut: true });
    this.change(firstPage + pageCount, 1, { isCut: true });
  }

  unmap(firstPage: number, pageCount: number): void {
    for (let page = firstPage; page < firstPage + pageCount; page++) this.pages.delete(page);
  }

  isFree(firstPage: number, pageCount: number): boolean {
    for (let page = firstPage; page < firstPage + pageCount; page++) if (this.pages.has(page)) return false;
    return true;
  }

  /** There is something to be read: not beyond the end of the file, no guard, not PROT_NONE. */
  isReadable(page: number): boolean {
    const state = this.pages.get(page);
    if (state === undefined || state.isGuard || state.protection === "n") return false;
    const file = state.mapping.file;
    return file === undefined || state.filePage * PAGE_BYTES < file.size.bytes;
  }

  /** A store neither fails nor waits for userfaultfd. */
  isWritable(page: number): boolean {
    if (!this.isReadable(page)) return false;
    const { protection, isWriteProtected } = this.page(page);
    return protection.includes("w") && !isWriteProtected;
  }
}

export class SymbolicMachine {
  readonly lines: string[] = [];
  readonly processes: SymbolicProcess[] = [];
  /** Part of the names of files, which must be new on the machine. */
  readonly fileTag: string;
  gupPinnedBy: SymbolicProcess | undefined;
  /** The page that the last wish was about: the next one often is too, in this process or in a relative. */
  focus = 0;
  /** Files with a path, which others may open. */
  readonly namedFiles: { readonly path: string; readonly file: MadeFile }[] = [];
  private processCount = 0;
  private regionCount = 0;
  private slotCount = 0;
  private descriptorCount = 0;
  private holdCount = 0;
  private dumpCount = 0;
  private linesAtDump = 0;
  private touchedPages = 0;

  constructor(fileTag: string) {
    this.fileTag = fileTag;
  }

  say(...words: readonly (string | number)[]): void {
    this.lines.push(words.join(" "));
  }

  dump(): void {
    if (this.lines.length === this.linesAtDump || this.processes.length === 0) return;
    this.say("dump", `d${++this.dumpCount}`);
    this.linesAtDump = this.lines.length;
  }

  spawn(): SymbolicProcess | undefined {
    if (!this.mayHaveOneMore()) return undefined;
    const process = new SymbolicProcess(`P${this.processCount++}`);
    this.processes.push(process);
    this.say("spawn", process.name);
    return process;
  }

  fork(parent: SymbolicProcess): SymbolicProcess | undefined {
    if (!this.mayHaveOneMore() || !this.hasHugetlbFor(parent)) return undefined;
    const child = new SymbolicProcess(`P${this.processCount++}`, parent);
    for (const [page, state] of child.pages) {
      // The child's userfaultfd is none; its marks go with it.
      if (!state.isForked) child.pages.delete(page);
      else if (state.isWriteProtected) child.pages.set(page, { ...state, isWriteProtected: false });
    }
    this.processes.push(child);
    this.say(parent.name, "fork", child.name);
    return child;
  }

  /** What io_uring holds for a process that ends is given back at some later time: it is given back before. */
  exit(process: SymbolicProcess): void {
    if (this.processes.length === 1) return;
    for (const ring of process.rings) this.say(process.name, "unuring", ring);
    if (this.gupPinnedBy === process) {
      this.say(process.name, "gupunpin");
      this.gupPinnedBy = undefined;
    }
    this.processes.splice(this.processes.indexOf(process), 1);
    this.say(process.name, "exit");
  }

  /** Without anything to look at ksmd sleeps, and a scan would never come to its end. */
  hasMergeable(): boolean {
    return this.processes.some(({ pages }) => [...pages.values()].some(({ isMergeable }) => isMergeable));
  }

  private mayHaveOneMore(): boolean {
    return this.processes.length < LIVING_MAX && this.processCount < PROCESSES_MAX;
  }

  /** Room for a mapping on its own, and its address; undefined when the scenario has enough of them. */
  newSlot(): number | undefined {
    if (this.slotCount >= REGIONS_MAX) return undefined;
    return SLOT_FIRST + this.slotCount++ * SLOT_BYTES;
  }

  newRegionName(): string | undefined {
    return this.regionCount < REGIONS_MAX ? `r${this.regionCount++}` : undefined;
  }

  newDescriptor(): number | undefined {
    return this.descriptorCount < DESCRIPTORS_MAX ? this.descriptorCount++ : undefined;
  }

  /** An id for a ring or a pipe, used once. */
  newHold(): number | undefined {
    return this.holdCount < 16 ? this.holdCount++ : undefined;
  }

  /** Whether so many more pages may be touched; if so they are counted. */
  mayTouch(pageCount: number): boolean {
    if (this.touchedPages + pageCount > TOUCHED_PAGES_MAX) return false;
    this.touchedPages += pageCount;
    return true;
  }

  /** Whether the pool of huge pages does for a copy of every page of everybody, the processes counted twice. */
  hasHugetlbFor(process: SymbolicProcess, more = 0): boolean {
    const held = (each: SymbolicProcess): number =>
      [...each.pages.values()].filter(({ mapping }) => mapping.memory === "hugetlb").length / HUGETLB_PAGES;
    const all = this.processes.reduce((sum, each) => sum + held(each), 0);
    return all + held(process) + more <= HUGETLB_POOL || held(process) + more === 0;
  }
}

/** Pages as `mmap` takes them: "64k", "2M". */
export function sizeText(pageCount: number): string {
  const bytes = pageCount * PAGE_BYTES;
  if (bytes === 0) return "0";
  return bytes % (1 << 20) === 0 ? `${bytes >> 20}M` : `${bytes >> 10}k`;
}

/** An address of a page: by the mapping's name where it still lies where it was made. */
export function addressText(process: SymbolicProcess, page: number): string {
  const state = process.pages.get(page);
  const address = page * PAGE_BYTES;
  if (state === undefined || state.mapping.name === "") return `0x${address.toString(16)}`;
  const offset = address - state.mapping.start;
  return offset === 0 ? `@${state.mapping.name}` : `@${state.mapping.name}+${sizeText(offset / PAGE_BYTES)}`;
}
