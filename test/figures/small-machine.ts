/**
 * A machine small enough to be counted page by page: folios, address spaces and every page-table entry as plain objects.
 *
 * It is built from a recipe (machine-recipes.ts). Whatever that says, the machine is one that a kernel could show: a PMD
 * entry maps a whole folio of its size, hugetlb is mapped by whole entries, and FILE and exclusive bits are those that
 * pagemap prints under the machine's configuration (kernel-facts 3.7), computed here by counting entries one by one.
 */
import type { FolioRecipe, MachineRecipe, PieceRecipe, VmaRecipe } from "./machine-recipes.ts";

/** What a folio or frame is. The last three are mapped and never counted. */
export type SmallKind = "anon" | "ksm" | "file" | "shmem" | "hugetlb" | "zero" | "freed" | "reserved";

export interface SmallFolio {
  readonly head: number;
  readonly order: number;
  readonly kind: SmallKind;
  /** PG_owner_2 of the head page: of an anonymous folio AnonExclusive, of a file's something else. */
  readonly owner2: boolean;
  /** Of hugetlb: it belongs to a file. */
  readonly ofFile: boolean;
  /** The shared bit, where the folio's history decides it. */
  readonly historyBit: boolean;
}

/** The present entry of one page; a PMD entry shows as 512 of them. */
export interface SmallEntry {
  readonly page: number;
  readonly frame: number;
  readonly pmd: boolean;
  /** The frame of the first page that the same page-table entry maps. */
  readonly firstFrame: number;
  file: boolean;
  exclusive: boolean;
}

/** An entry that is neither empty nor present. */
export interface SmallSwap {
  readonly page: number;
  readonly type: number;
  readonly offset: number;
  /** It holds a page, and that page is a file's. */
  readonly file: boolean;
}

export interface SmallVma {
  readonly startPage: number;
  readonly endPage: number;
  readonly shared: boolean;
  readonly entries: SmallEntry[];
  readonly swap: SmallSwap[];
}

export interface SmallProcess {
  readonly vmas: readonly SmallVma[];
  /** It ended while it was read: nothing of it counts, but it did when the others' bits were printed. */
  readonly ended: boolean;
}

export interface SmallMachine {
  /** CONFIG_PAGE_MAPCOUNT or CONFIG_NO_PAGE_MAPCOUNT. */
  readonly config: "page" | "nopage";
  readonly frameCount: number;
  /** Ascending. */
  readonly folios: readonly SmallFolio[];
  /** The folio of each frame. */
  readonly folioOfFrame: readonly (SmallFolio | undefined)[];
  readonly processes: readonly SmallProcess[];
  /** Folios that folio_maybe_mapped_shared is true of. */
  readonly shared: ReadonlySet<SmallFolio>;
}

const PMD_PAGES = 512;
const FIRST_FRAME = 16;

/** The frames [head, head + frameTotal) of a folio. */
export function framesOf(folio: SmallFolio): number {
  return 2 ** folio.order;
}

/** True where the kernel counts mappings at all. */
export function isCounted(kind: SmallKind): boolean {
  return kind !== "zero" && kind !== "freed" && kind !== "reserved";
}

/** Swap types from this one up are special: hwpoison, three of migration, and the marker, on a kernel built like most. */
export const SPECIAL_TYPES = 27;
export const MARKER_TYPE = 31;

/** True of entries that are not present and yet hold a page: migration and hwpoison. */
export function holdsPage(swapType: number): boolean {
  return swapType >= SPECIAL_TYPES && swapType !== MARKER_TYPE;
}

/** True where folio_test_anon holds. */
export function isAnon(folio: SmallFolio): boolean {
  return folio.kind === "anon" || folio.kind === "ksm" || (folio.kind === "hugetlb" && !folio.ofFile);
}

/** What pieces are laid upon. */
interface Ground {
  readonly folios: readonly SmallFolio[];
  readonly folioOfFrame: readonly (SmallFolio | undefined)[];
  readonly frameCount: number;
}

/** Builds the machine that a recipe describes. */
export function buildMachine(recipe: MachineRecipe): SmallMachine {
  const folios = placeFolios(recipe.folios);
  const last = folios.at(-1);
  const frameCount = (last === undefined ? FIRST_FRAME : last.head + framesOf(last)) + recipe.slack;
  const folioOfFrame: (SmallFolio | undefined)[] = Array.from({ length: frameCount });
  for (const folio of folios) folioOfFrame.fill(folio, folio.head, folio.head + framesOf(folio));
  const ground: Ground = { folios, folioOfFrame, frameCount };
  const processes: SmallProcess[] = [];
  for (const { like, base, ended, vmas } of recipe.processes) {
    const parent = like === null || processes.length === 0 ? undefined : processes[like % processes.length];
    const inherited = parent?.vmas.map((vma) => copyVma(vma)) ?? [];
    const start = Math.max(base, inherited.at(-1)?.endPage ?? 0);
    processes.push({ ended, vmas: [...inherited, ...buildVmas(vmas, start, ground)] });
  }
  const mappings = groupByFolio(ground, processes);
  const shared = new Set(folios.filter((folio) => isMaybeShared(folio, mappings.get(folio) ?? [])));
  const machine = { config: recipe.config, ...ground, processes, shared };
  printBits(machine);
  return machine;
}

function copyVma(vma: SmallVma): SmallVma {
  return { ...vma, entries: vma.entries.map((entry) => ({ ...entry })), swap: [...vma.swap] };
}

function placeFolios(recipes: readonly FolioRecipe[]): SmallFolio[] {
  let frame = FIRST_FRAME;
  return recipes.map(({ gap, ...folio }) => {
    const size = 2 ** folio.order;
    const head = Math.ceil((frame + gap) / size) * size;
    frame = head + size;
    return { head, ...folio };
  });
}

function buildVmas(recipes: readonly VmaRecipe[], base: number, ground: Ground): SmallVma[] {
  let page = base;
  return recipes.map(({ gap, shared, pieces }) => {
    const startPage = page + gap;
    const vma: SmallVma = { startPage, endPage: startPage, shared, entries: [], swap: [] };
    let end = startPage;
    for (const piece of pieces) end = addPiece(vma, piece, end, ground);
    page = Math.max(end, startPage + 1);
    return { ...vma, endPage: page };
  });
}

/** Adds a piece at `page`; returns the page behind it. */
function addPiece(vma: SmallVma, piece: PieceRecipe, page: number, ground: Ground): number {
  const pageTable = Math.ceil(page / PMD_PAGES) * PMD_PAGES;
  switch (piece.type) {
    case "hole":
      return page + piece.pages;
    case "map":
      return addPtes(vma, piece, page, ground);
    case "pmd": {
      const huge = ground.folios.filter(({ order }) => order === 9);
      if (huge.length === 0) return page;
      const firstFrame = huge[piece.folio % huge.length].head;
      for (let i = 0; i < PMD_PAGES; i++) {
        addEntry(vma, { page: pageTable + i, frame: firstFrame + i, pmd: true, firstFrame });
      }
      return pageTable + PMD_PAGES;
    }
    case "scatter": {
      const frames = [...ground.folioOfFrame.keys()].filter((frame) => isPteMappable(ground, frame));
      if (frames.length === 0) return page;
      for (let i = 0; i < piece.swapped; i++) {
        vma.swap.push({ page: pageTable + i, type: 1, offset: 100 + 3 * i, file: false });
      }
      for (let i = piece.swapped; i < PMD_PAGES; i++) {
        addPte(vma, pageTable + i, frames[(piece.first + i * piece.stride) % frames.length]);
      }
      return pageTable + PMD_PAGES;
    }
    case "swap":
      for (let i = 0; i < piece.pages; i++) {
        const file = piece.file && holdsPage(piece.swapType);
        vma.swap.push({ page: page + i, type: piece.swapType, offset: piece.offset + i * piece.step, file });
      }
      return page + piece.pages;
    case "device":
      // One frame is left out between, as a run that leaves the table in its middle is not one that memory has.
      for (let i = 0; i < piece.pages; i++) addPte(vma, page + i, ground.frameCount + 1 + piece.above + i);
      return page + piece.pages;
  }
}

function isPteMappable({ folioOfFrame }: Ground, frame: number): boolean {
  const folio = folioOfFrame[frame];
  return folio !== undefined && folio.kind !== "hugetlb";
}

function addPtes(vma: SmallVma, piece: Extract<PieceRecipe, { type: "map" }>, page: number, ground: Ground): number {
  const { folios } = ground;
  if (folios.length === 0) return page;
  const folio = folios[piece.folio % folios.length];
  const first = folio.head + (piece.first % framesOf(folio));
  const skew = (((first - page) % PMD_PAGES) + PMD_PAGES) % PMD_PAGES;
  const start = piece.align ? page + skew : page;
  for (let i = 0; i < piece.pages; i++) {
    const frame = first + i * piece.step;
    if (!isPteMappable(ground, frame)) return start + i;
    addPte(vma, start + i, frame);
  }
  return start + piece.pages;
}

function addPte(vma: SmallVma, page: number, frame: number): void {
  addEntry(vma, { page, frame, pmd: false, firstFrame: frame });
}

function addEntry(vma: SmallVma, entry: Omit<SmallEntry, "file" | "exclusive">): void {
  vma.entries.push(Object.assign(entry, { file: false, exclusive: false }));
}

/** Every present entry of a process. */
export function entriesOf({ vmas }: SmallProcess): SmallEntry[] {
  return vmas.flatMap(({ entries }) => entries);
}

/** A folio's entries in one process. */
export interface ProcessMapping {
  readonly process: SmallProcess;
  readonly entries: SmallEntry[];
}

/** The entries of the processes, by folio. */
export function groupByFolio(
  { folioOfFrame }: Pick<SmallMachine, "folioOfFrame">,
  processes: readonly SmallProcess[],
): Map<SmallFolio, ProcessMapping[]> {
  const groups = new Map<SmallFolio, ProcessMapping[]>();
  for (const process of processes) {
    for (const entry of entriesOf(process)) {
      const folio = folioOfFrame[entry.frame];
      if (folio === undefined) continue;
      const group = groups.get(folio) ?? [];
      groups.set(folio, group);
      if (group.at(-1)?.process !== process) group.push({ process, entries: [] });
      group.at(-1)!.entries.push(entry);
    }
  }
  return groups;
}

/** Page-table entries in a list that shows each PMD entry as 512: all of them, and the PMDs among them. */
export function countTableEntries(entries: readonly SmallEntry[]): { all: number; pmd: number } {
  const heads = entries.filter(({ pmd, frame, firstFrame }) => !pmd || frame === firstFrame);
  return { all: heads.length, pmd: heads.filter(({ pmd }) => pmd).length };
}

/**
 * The head page is mapped and exclusively its mm's, by what PTE mappings alone leave (docs/history.md): then no history
 * has set the shared bit of a folio that one mm maps.
 */
export function isHeadExclusive(folio: SmallFolio, entries: readonly SmallEntry[]): boolean {
  const headIsMapped = entries.some(({ frame }) => frame === folio.head);
  return folio.kind === "anon" && folio.owner2 && folio.order < 9 && headIsMapped;
}

/** folio_maybe_mapped_shared, with the history that the folio's own bit stands for (kernel-facts 2.1, 2.5). */
function isMaybeShared(folio: SmallFolio, mappings: readonly ProcessMapping[]): boolean {
  const entries = mappings.flatMap((mapping) => mapping.entries);
  if (countTableEntries(entries).all <= 1) return false;
  if (folio.order === 0 || folio.kind === "hugetlb" || mappings.length > 1) return true;
  return isHeadExclusive(folio, entries) ? false : folio.historyBit;
}

/** Sets the bits that pagemap prints of each entry. */
function printBits({ config, folioOfFrame, processes, shared }: SmallMachine): void {
  const entries = processes.flatMap((process) => entriesOf(process));
  const mappings = new Map<number, number>();
  for (const { frame } of entries) mappings.set(frame, (mappings.get(frame) ?? 0) + 1);
  for (const entry of entries) {
    const folio = folioOfFrame[entry.frame];
    if (folio === undefined) continue;
    // The huge zero folio is no anonymous memory, so its entries say FILE (kernel-facts 3.7).
    entry.file = folio.kind === "zero" ? entry.pmd : !isAnon(folio);
    if (!isCounted(folio.kind)) continue;
    if (folio.kind === "hugetlb" || config === "nopage") entry.exclusive = !shared.has(folio);
    else entry.exclusive = mappings.get(entry.firstFrame) === 1;
  }
}
