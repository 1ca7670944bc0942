/**
 * Who shares with whom, whatever the question is: every mapped frame belongs to the set of address spaces that map it, and
 * a machine of millions of frames has some thousands of such sets.
 *
 * The ends of all runs, sorted by frame, are swept once; between two ends the set stays the same:
 *
 *     frames      0        8         16        24
 *     mm 0        [=================)
 *     mm 1                 [===================)
 *     mm 2                 [=========)
 *     set         {0}      {0,1,2}   {0,1}... {1}
 *
 * An entry counts where it says of its frame what the frame is: pagemap's FILE against the frame's kind, as in smaps'
 * sums (figures/mapping-sums.ts). Zero pages are nobody's (kernel-facts 3.2). A page that one mm maps twice is its own.
 *
 * A large folio is freed as a whole, when the last of its pages loses its last mapping (kernel-facts 1.7); so folios are
 * tallied a second time, by the union of the sets of their pages.
 */
import type { Capture, PresentRuns } from "../capture/index.ts";
import { FRAME_KIND_MASK, FRAME_LARGE, KIND_HUGETLB, KIND_NONE, KIND_UNCOUNTED, isAnonKind } from "../kernel/index.ts";
import { KIND_COLUMNS } from "./kind-bytes.ts";
import { MmSets, MmTally } from "./mm-sets.ts";
import { type KeyedWords, sortByKey } from "./radix-sort.ts";

/** The sets of a capture and what belongs to each. Tables have KIND_COLUMNS columns and a row a set. */
export interface SharingSets {
  /** Sets are numbered 0 to count - 1, in the order of their first frame. */
  readonly count: number;
  /** Rows of address spaces are below this. A member with this number is whoever maps the page and was not read. */
  readonly outsideRow: number;
  /** members[firstMember[set]] to members[firstMember[set + 1] - 1]: rows of mms, ascending. */
  readonly firstMember: Int32Array;
  readonly members: Int32Array;
  /** Frames that exactly the members map, by kind. */
  readonly pages: Float64Array;
  /** Mapped frames of folios that the members, and nobody else, map parts of, by kind. Small folios are in here too. */
  readonly folioPages: Float64Array;
  /** Frames of such folios that nobody maps. */
  readonly unmappedPages: Float64Array;
  /** Frames that are mapped and counted by nobody: zero pages. */
  readonly uncountedFrames: number;
  /** Frames that were put to other use while their entries were read; in no set. */
  readonly changedFrames: number;
  /** Whether every frame was held against the kernel's count, so that no mapping by others goes unseen. */
  readonly outsideKnown: boolean;
}

/** The two ends of every run, each sorted by frame. The word names the run's owner. */
interface RunEnds {
  readonly starts: KeyedWords;
  readonly ends: KeyedWords;
  /** Runs that map one frame several times: owner and times. */
  readonly repeated: readonly { readonly owner: number; readonly times: number }[];
}

/**
 * Finds the sets of a capture and adds up their pages. O(runs + frames mapped + sum of the sizes of the sets met).
 * Throws TooManySharingSets.
 */
export async function collectSharingSets(capture: Capture): Promise<SharingSets> {
  const ends = collectEnds(capture, await capture.presentRuns({ framesOnly: true }));
  const sweep = new SetSweep(capture, ends.repeated);
  sweepFrames(sweep, ends);
  return sweep.finished();
}

/** An owner: row of the mm and whether the entries say FILE. */
function collectEnds({ mmOfVma, frames }: Capture, parts: PresentRuns[]): RunEnds {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const starts = { keys: new Uint32Array(count), words: new Int32Array(count) };
  const ends = { keys: new Uint32Array(count), words: new Int32Array(count) };
  const repeated: { readonly owner: number; readonly times: number }[] = [];
  let at = 0;
  // Each piece is let go before the next is looked at: they are most of the memory that this takes.
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const { count: rows, vma, frame, pages, step, file } = part;
    for (let row = 0; row < rows; row++) {
      const owner = mmOfVma[vma[row]] * 2 + file[row];
      const lowest = step[row] < 0 ? frame[row] - pages[row] + 1 : frame[row];
      const once = step[row] !== 0 || pages[row] === 1;
      const word = once ? owner : ~(repeated.push({ owner, times: pages[row] }) - 1);
      starts.keys[at] = lowest;
      starts.words[at] = word;
      ends.keys[at] = once ? lowest + pages[row] : lowest + 1;
      ends.words[at] = word;
      at++;
    }
  }
  const keyEnd = frames.frameCount + 1;
  const spare = { keys: new Uint32Array(count), words: new Int32Array(count) };
  const sorted = sortByKey(starts, keyEnd, spare);
  // What the first sort leaves over is room for the second.
  return { starts: sorted, ends: sortByKey(ends, keyEnd, sorted === spare ? starts : spare), repeated };
}

/** Walks the ends in the order of frames and tallies what lies between. */
function sweepFrames(sweep: SetSweep, { starts, ends }: RunEnds): void {
  const count = starts.keys.length;
  let start = 0;
  let end = 0;
  let from = 0;
  while (end < count) {
    const at = start < count && starts.keys[start] < ends.keys[end] ? starts.keys[start] : ends.keys[end];
    if (at > from) sweep.addFrames(from, at);
    while (end < count && ends.keys[end] === at) sweep.leave(ends.words[end++]);
    while (start < count && starts.keys[start] === at) sweep.enter(starts.words[start++]);
    from = at;
  }
}

/** What a look at a frame says beside its kind. */
const COUNT_CHANGED = 0x100;
const COUNT_OUTSIDE = 0x200;

/** The sets under the sweep and the sums so far. */
class SetSweep {
  private readonly sets = new MmSets();
  /** Of entries on anonymous pages, and of those on pages of files. */
  private readonly tallies: readonly [MmTally, MmTally];
  /** The number of each tally's set, -1 when it has changed since. */
  private readonly setOf = [-1, -1];
  /** Page-table entries under the sweep. */
  private entries = 0;
  private readonly sums = new PagesBySet();
  private readonly folios: FolioTally;
  private uncountedFrames = 0;
  private changedFrames = 0;
  private readonly capture: Capture;
  private readonly repeated: RunEnds["repeated"];
  private readonly outsideRow: number;
  private readonly averages: boolean;

  constructor(capture: Capture, repeated: RunEnds["repeated"]) {
    this.capture = capture;
    this.repeated = repeated;
    this.outsideRow = capture.mmAlive.length;
    this.averages = capture.machine.mapcountConfig === "nopage";
    this.tallies = [new MmTally(this.outsideRow + 1), new MmTally(this.outsideRow + 1)];
    this.folios = new FolioTally(this.sets, this.outsideRow + 1);
  }

  enter(word: number): void {
    const { owner, times } = word < 0 ? this.repeated[~word] : { owner: word, times: 1 };
    this.tallies[owner & 1].enter(owner >>> 1);
    this.setOf[owner & 1] = -1;
    this.entries += times;
  }

  leave(word: number): void {
    const { owner, times } = word < 0 ? this.repeated[~word] : { owner: word, times: 1 };
    this.tallies[owner & 1].leave(owner >>> 1);
    this.setOf[owner & 1] = -1;
    this.entries -= times;
  }

  /** Adds the frames [from, end), which the same runs cover. */
  addFrames(from: number, end: number): void {
    const { entries } = this;
    if (entries === 0) return;
    const { kind, mapcount } = this.capture.frames;
    for (let pfn = from; pfn < end;) {
      const look = lookAt(kind[pfn], mapcount[pfn], entries);
      let behind = pfn + 1;
      while (behind < end && lookAt(kind[behind], mapcount[behind], entries) === look) behind++;
      this.addStretch(pfn, behind, look);
      pfn = behind;
    }
  }

  private addStretch(pfn: number, behind: number, look: number): void {
    const kind = look & FRAME_KIND_MASK;
    if (kind === KIND_UNCOUNTED) this.uncountedFrames += behind - pfn;
    else if (kind === KIND_NONE || (look & COUNT_CHANGED) !== 0) this.changedFrames += behind - pfn;
    else if ((look & FRAME_LARGE) !== 0) this.addLarge(pfn, behind, { kind, outside: (look & COUNT_OUTSIDE) !== 0 });
    else {
      const set = this.find(kind, (look & COUNT_OUTSIDE) !== 0);
      if (set < 0) this.changedFrames += behind - pfn;
      else {
        this.sums.pages.add(set, kind, behind - pfn);
        this.sums.folioPages.add(set, kind, behind - pfn);
      }
    }
  }

  /** Adds frames of large folios, folio by folio. */
  private addLarge(
    from: number,
    end: number,
    { kind, outside }: { readonly kind: number; readonly outside: boolean },
  ): void {
    const { folios } = this.capture;
    for (let pfn = from; pfn < end;) {
      const row = this.folios.turnTo(pfn, folios, this.sums);
      const folioEnd = row < 0 ? end : Math.min(end, folios.headPfn[row] + 2 ** folios.order[row]);
      // An average says that the folio has mappings outside, not which of its pages.
      const set = this.find(kind, outside || (this.averages && row >= 0 && folios.mappedOutside[row] > 0));
      if (set < 0) this.changedFrames += folioEnd - pfn;
      else {
        this.sums.pages.add(set, kind, folioEnd - pfn);
        if (row < 0) this.sums.folioPages.add(set, kind, folioEnd - pfn);
        else this.folios.add(set, folioEnd - pfn);
      }
      pfn = folioEnd;
    }
  }

  /** The set of those whose entries say that they map this kind; -1: nobody's does. */
  private find(kind: number, outside: boolean): number {
    // hugetlb may be either, and kpageflags does not tell.
    const which = isAnonKind(kind) || (kind === KIND_HUGETLB && this.tallies[1].size === 0) ? 0 : 1;
    const tally = this.tallies[which];
    if (tally.size === 0) return -1;
    if (!outside) return this.setOf[which] < 0 ? (this.setOf[which] = this.sets.find(tally)) : this.setOf[which];
    tally.enter(this.outsideRow);
    const set = this.sets.find(tally);
    tally.leave(this.outsideRow);
    return set;
  }

  finished(): SharingSets {
    const { sets, sums, outsideRow, uncountedFrames, changedFrames, capture } = this;
    this.folios.flush(capture.folios, sums);
    return {
      count: sets.count,
      outsideRow,
      firstMember: sets.firstMember.subarray(0, sets.count + 1),
      members: sets.members.subarray(0, sets.firstMember[sets.count]),
      pages: sums.pages.finished(sets.count),
      folioPages: sums.folioPages.finished(sets.count),
      unmappedPages: sums.unmappedPages.finished(sets.count),
      uncountedFrames,
      changedFrames,
      outsideKnown: capture.agreement.everyFrame,
    };
  }
}

/** The kind, and how the count of the frame compares with the entries found: fewer are left, or others have it too. */
function lookAt(kindByte: number, mapcount: number, entries: number): number {
  const kind = kindByte & (FRAME_KIND_MASK | FRAME_LARGE);
  if (mapcount <= 0) return kind | COUNT_CHANGED;
  return mapcount > entries ? kind | COUNT_OUTSIDE : kind;
}

/** A table of KIND_COLUMNS columns that grows with its rows. */
class PageTable {
  private values = new Float64Array(1024 * KIND_COLUMNS);

  add(row: number, kind: number, pages: number): void {
    const at = row * KIND_COLUMNS + kind;
    if (at >= this.values.length) {
      const larger = new Float64Array(Math.max(this.values.length * 2, at + KIND_COLUMNS));
      larger.set(this.values);
      this.values = larger;
    }
    this.values[at] += pages;
  }

  finished(rows: number): Float64Array {
    const values = new Float64Array(rows * KIND_COLUMNS);
    values.set(this.values.subarray(0, values.length));
    return values;
  }
}

/** The three tables of the sweep. */
class PagesBySet {
  readonly pages = new PageTable();
  readonly folioPages = new PageTable();
  readonly unmappedPages = new PageTable();
}

/** The large folio under the sweep: which sets its pages have, until the sweep leaves it. */
class FolioTally {
  private row = 0;
  private isOpen = false;
  private mapped = 0;
  private readonly parts: number[] = [];
  private readonly sets: MmSets;
  private readonly union: MmTally;

  constructor(sets: MmSets, rows: number) {
    this.sets = sets;
    this.union = new MmTally(rows);
  }

  /** Goes on to the folio of a frame, which is not below those before; -1 if it has none. */
  turnTo(pfn: number, folios: Capture["folios"], sums: PagesBySet): number {
    const { headPfn, order, count } = folios;
    let { row } = this;
    while (row < count && headPfn[row] + 2 ** order[row] <= pfn) row++;
    if (row !== this.row) {
      this.flush(folios, sums);
      this.row = row;
    }
    return row < count && headPfn[row] <= pfn ? row : -1;
  }

  /** Adds pages of the folio. */
  add(set: number, pages: number): void {
    this.isOpen = true;
    this.mapped += pages;
    if (!this.parts.includes(set)) this.parts.push(set);
  }

  /** Books the folio on the union of its pages' sets. */
  flush({ kind, order }: Capture["folios"], sums: PagesBySet): void {
    if (!this.isOpen) return;
    const set = this.parts.length === 1 ? this.parts[0] : this.findUnion();
    sums.folioPages.add(set, kind[this.row], this.mapped);
    sums.unmappedPages.add(set, kind[this.row], 2 ** order[this.row] - this.mapped);
    this.isOpen = false;
    this.mapped = 0;
    this.parts.length = 0;
  }

  private findUnion(): number {
    const { sets, parts, union } = this;
    // Members are read before the union is added: adding may move them.
    this.eachMember(parts, (row) => union.enter(row));
    const set = sets.find(union);
    this.eachMember(parts, (row) => union.leave(row));
    return set;
  }

  private eachMember(parts: readonly number[], visit: (row: number) => void): void {
    const { firstMember, members } = this.sets;
    for (const set of parts) for (let at = firstMember[set]; at < firstMember[set + 1]; at++) visit(members[at]);
  }
}
