/**
 * The processor's LRU batches: small folios wait here to be put on a list or moved, and hold one reference meanwhile.
 *
 * A batch is worked off when it has 31 folios, when a large folio joins it, or when somebody drains all of them
 * (lru_add_drain). Until then flags are as they were, but for PG_mlocked, and the reference is seen by whoever counts them:
 * COW copies a page that nobody else maps because it waits in a batch (kernel-facts 1.7, trap 17).
 * New folios are remembered too: they are not on a list yet, and COW, meeting one, drains all batches before it counts.
 *
 * All are drained by MADV_COLD, MADV_PAGEOUT, MADV_FREE and MADV_WILLNEED, by mlock and munlock where they change a VMA, by
 * populating, collapse, move_pages, a scan of ksmd, readahead of swap, and by taking pages out of a page cache or writing
 * them back. munmap, exit, fork, mremap, mprotect and MADV_DONTNEED do not (Linux 6.18; tried on the kernel lab).
 */
import { changeGets, freeIfUnused } from "./folio-references.ts";
import { ACTIVE, type Frames, LRU, MLOCKED, REFERENCED, SWAPBACKED, SWAPCACHE, UNEVICTABLE } from "./frames.ts";
import type { Memory } from "./memory.ts";

/** PAGEVEC_SIZE. */
const BATCH_FOLIOS = 31;

/** What the folios of a batch wait for; new folios apart. */
export type LruBatch = "activate" | "deactivate" | "lazyfree" | "mlock";

/** What a folio waits for in the batch of mlock: one VM_LOCKED mapping more, the same of a new folio, one less. */
export type MlockWish = "lock" | "lockNew" | "unlock";

const BATCHES: readonly LruBatch[] = ["deactivate", "lazyfree", "activate", "mlock"];

/** The batches of the one processor. */
export class LruBatches {
  private readonly frames: Frames;
  /** lru_add: new folios. They may be gone since. */
  private readonly added = new Int32Array(BATCH_FOLIOS);
  private addedCount = 0;
  /** All of them lie in [lowest, highest]. */
  private lowest = 0;
  private highest = -1;
  readonly waiting: Readonly<Record<LruBatch, number[]>> = { activate: [], deactivate: [], lazyfree: [], mlock: [] };
  /** What each folio in the batch of mlock waits for. */
  readonly mlockWishes: MlockWish[] = [];
  /** Folios that were mlocked before they were on a list. */
  readonly mlockedNew = new Set<number>();

  constructor(frames: Frames) {
    this.frames = frames;
  }

  /** folio_add_lru of a small folio. */
  add(head: number): void {
    if (this.addedCount === 0) this.lowest = this.highest = head;
    else if (head < this.lowest) this.lowest = head;
    else if (head > this.highest) this.highest = head;
    this.added[this.addedCount++] = head;
    if (this.addedCount === BATCH_FOLIOS) this.forgetAdded();
  }

  /** The batch of new folios is worked off: they are on a list now, the unevictable one if they were mlocked meanwhile. */
  forgetAdded(): void {
    const { state } = this.frames;
    for (let i = 0; i < this.addedCount; i++) {
      const head = this.added[i];
      if ((state[head] & (MLOCKED | UNEVICTABLE)) === MLOCKED) state[head] = (state[head] & ~ACTIVE) | UNEVICTABLE;
    }
    this.addedCount = 0;
    this.highest = -1;
  }

  /** Is the folio on no list yet? */
  isNew(head: number): boolean {
    if (head >= this.lowest && head <= this.highest) {
      for (let i = 0; i < this.addedCount; i++) if (this.added[i] === head) return true;
    }
    return this.mlockedNew.size > 0 && this.mlockedNew.has(head);
  }
}

/** folio_batch_add_and_move: a small folio joins the batch, with a large one it is worked off. */
export function joinBatch(memory: Memory, batch: LruBatch, head: number): void {
  const waiting = memory.lruBatches.waiting[batch];
  changeGets(memory, head, 1);
  waiting.push(head);
  if (waiting.length === BATCH_FOLIOS || memory.frames.order[head] > 0) workOff(memory, batch, head);
}

/** mlock_folio, munlock_folio: the folio joins the batch of mlock. */
export function joinMlockBatch(memory: Memory, wish: MlockWish, head: number): void {
  memory.lruBatches.mlockWishes.push(wish);
  joinBatch(memory, "mlock", head);
}

/** folio_batch_move_lru. Frees what nobody else refers to, but for the folio in the hands of the caller. */
function workOff(memory: Memory, batch: LruBatch, held = -1): void {
  const waiting = memory.lruBatches.waiting[batch];
  if (waiting.length === 0) return;
  const wishes = batch === "mlock" ? memory.lruBatches.mlockWishes.splice(0) : [];
  for (const [i, head] of waiting.splice(0).entries()) {
    if (batch === "mlock") moveMlocked(memory, wishes[i], head);
    else move(memory, batch, head);
    changeGets(memory, head, -1);
    if (head !== held) freeIfUnused(memory, head);
  }
}

/** mlock_drain_local: after an rmap walk took or gave an entry of a VM_LOCKED VMA. Whoever walks holds `held`. */
export function drainMlock(memory: Memory, held: number): void {
  workOff(memory, "mlock", held);
}

/** lru_deactivate, lru_lazyfree, lru_activate: what the folio waited for, if it still applies. */
function move(memory: Memory, batch: LruBatch, head: number): void {
  const { frames } = memory;
  if (frames.has(head, UNEVICTABLE)) return;
  if (batch === "activate") frames.set(head, ACTIVE);
  else if (batch === "lazyfree") {
    if (frames.has(head, SWAPBACKED) && !frames.has(head, SWAPCACHE))
      frames.clear(head, ACTIVE | REFERENCED | SWAPBACKED);
  } else if (frames.has(head, ACTIVE)) frames.clear(head, ACTIVE | REFERENCED);
}

/** __mlock_folio, __mlock_new_folio, __munlock_folio: mlock_count is kept while the folio is on the unevictable list. */
function moveMlocked(memory: Memory, wish: MlockWish, head: number): void {
  const { frames, lruBatches } = memory;
  if (wish === "lockNew") lruBatches.mlockedNew.delete(head);
  const isOnList = frames.has(head, LRU) && !lruBatches.isNew(head);
  const isMlocked = frames.has(head, MLOCKED);
  if (wish === "unlock") {
    const count = frames.extraOf(head)?.mlockCount ?? 0;
    if (isOnList && frames.has(head, UNEVICTABLE)) {
      if (count > 0) frames.changeExtra(head, (extra) => (extra.mlockCount -= 1));
      if (count > 1) return;
    }
    frames.clear(head, isOnList ? MLOCKED | UNEVICTABLE : MLOCKED);
    return;
  }
  if (!isOnList) return;
  if (!isMlocked) {
    frames.clear(head, UNEVICTABLE);
    return;
  }
  if (!frames.has(head, UNEVICTABLE)) {
    frames.clear(head, ACTIVE);
    frames.set(head, UNEVICTABLE);
  }
  frames.changeExtra(head, (extra) => (extra.mlockCount += 1));
}

/** lru_add_drain. */
export function drainLru(memory: Memory): void {
  memory.lruBatches.forgetAdded();
  for (const batch of BATCHES) workOff(memory, batch);
}
