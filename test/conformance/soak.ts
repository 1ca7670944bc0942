/**
 * Any number of random events, with every scheme's answers held against the truth behind each of them.
 *
 * Events come in epochs. Each begins and ends with nothing mapped and every folio made anew, so that an epoch is a history
 * of its own and what a scheme leaves behind in one is seen in the next. Behind each event every scheme is asked one
 * question about the folio that was touched, in turn; now and then all of them, and the machine's own counters are held
 * against its bitmaps. When an answer breaks its guarantee, the epoch is played again to a new counter of that scheme and
 * shrunk: wishes are left out as long as some answer of the scheme breaks the same guarantee.
 */
import type { Question, Scheme } from "../../src/schemes/index.ts";
import { CHECKS, QUESTIONS, checkStatistics } from "./guarantees.ts";
import { type Listener, MappingMachine } from "./mapping-machine.ts";
import type { Slot } from "./table-shape.ts";
import { WISH_KINDS, type Wish, type WishKind, grant } from "./wishes.ts";
import { recount } from "./machine-walk.ts";
import { MMS, VMAS_OF_MM } from "./table-shape.ts";

/** Small and large folios; two that PMD entries map, one larger than a PMD entry with such and one without. */
export const SOAK_SLOTS: readonly Slot[] = [
  { order: 0, leaves: false },
  { order: 0, leaves: false },
  { order: 1, leaves: false },
  { order: 2, leaves: false },
  { order: 3, leaves: false },
  { order: 4, leaves: false },
  { order: 9, leaves: true },
  { order: 10, leaves: true },
  { order: 10, leaves: false },
];

const EPOCH_WISHES = 4096;
/** Every so many events all questions are asked. */
const FULL_CHECK = 64;
/** Every so many events the truth counts itself anew. */
const RECOUNT = 8192;

/** What is picked from (pages, address spaces, mappings found) when a history is played again. */
const PICKS = 16;

/** How often each kind is wished for. */
const WEIGHTS: Readonly<Record<WishKind, number>> = {
  map: 30,
  unmap: 26,
  mapLeaf: 6,
  unmapLeaf: 3,
  splitLeaf: 3,
  fork: 14,
  exit: 14,
  move: 8,
  get: 2,
  put: 2,
  pin: 1,
  unpin: 1,
  cache: 2,
  recreate: 6,
  walk: 2,
};
const WEIGHTED: readonly WishKind[] = WISH_KINDS.flatMap((kind) => Array<WishKind>(WEIGHTS[kind]).fill(kind));

/** Which slots are touched how often: small folios are cheap and many. */
const SLOT_CHOICES: readonly number[] = [0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 2, 3, 6];
/** The large folios come up once in so many wishes on the last of SLOT_CHOICES. */
const LARGE_CHOICES: readonly number[] = [6, 6, 7, 8];

/** A broken guarantee. */
export interface BrokenGuarantee {
  readonly scheme: Scheme;
  readonly complaint: string;
  /** The shortest history found that breaks it, from a machine on which nothing is mapped. */
  readonly witness: readonly Wish[];
}

/** xorshift32: all of a run follows from the seed. */
export class RandomNumbers {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed, 0x9e3779b1) | 1;
  }

  /** 0 <= result < 2^31. */
  next(): number {
    let { state } = this;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state = state;
    return state >>> 1;
  }
}

/** A random wish. */
export function randomWish(random: RandomNumbers, slots: readonly Slot[] = SOAK_SLOTS): Wish {
  const kind = WEIGHTED[random.next() % WEIGHTED.length];
  const bits = random.next();
  let slot = bits % slots.length;
  if (slots === SOAK_SLOTS) {
    slot = SLOT_CHOICES[bits % SLOT_CHOICES.length];
    if (slot === 6) slot = LARGE_CHOICES[(bits >> 4) % LARGE_CHOICES.length];
  }
  return { kind, slot, vma: bits >> 8, other: random.next(), from: random.next(), length: random.next() };
}

/** A soak under way. */
export class Soak {
  readonly machine: MappingMachine;
  readonly seed: number;
  broken: BrokenGuarantee | undefined;
  /** Questions answered. */
  answers = 0;
  private readonly listeners: readonly Listener[];
  private readonly random: RandomNumbers;
  private readonly history: Wish[] = [];
  private turn = 0;
  private failed: { readonly scheme: Scheme; readonly complaint: string } | undefined;

  constructor(seed: number, schemes: readonly Scheme[], slots: readonly Slot[] = SOAK_SLOTS) {
    this.seed = seed;
    this.random = new RandomNumbers(seed);
    this.machine = new MappingMachine(slots);
    this.listeners = listenersOf(schemes, this.machine, seed);
    this.machine.listen(this.listeners);
    this.machine.afterEvent = (slot) => this.check(slot);
  }

  /** Plays on until so many events have happened in all, or a guarantee breaks. */
  run(events: number): void {
    while (this.machine.events < events && this.broken === undefined) {
      if (this.history.length === EPOCH_WISHES) {
        for (const wish of endingOf(this.machine.slots)) this.play(wish);
        if (this.broken === undefined) this.history.length = 0;
      } else this.play(randomWish(this.random, this.machine.slots));
    }
  }

  private play(wish: Wish): void {
    if (this.broken !== undefined) return;
    this.history.push(wish);
    grant(this.machine, this.listeners, wish);
    if (this.failed !== undefined) this.broken = this.explain(this.failed);
  }

  private check(slot: number): void {
    if (this.failed !== undefined) return;
    const { machine, listeners } = this;
    const turn = this.turn++;
    if (turn % RECOUNT === 0) {
      const complaint = recount(machine, slot);
      if (complaint !== undefined) throw new Error(`invariant: the machine miscounts, ${complaint}`);
    }
    if (turn % FULL_CHECK === 0) {
      this.checkAll(slot);
      return;
    }
    const question = QUESTIONS[turn % QUESTIONS.length];
    const at = { machine, slot, pick: this.random.next() };
    for (let each = 0; each < listeners.length; each++) {
      const { scheme, counter } = listeners[each];
      if (!machine.canCount(slot, scheme)) continue;
      this.answers++;
      const complaint = CHECKS[question](scheme, counter, at);
      if (complaint !== undefined) this.failed = { scheme, complaint };
    }
  }

  private checkAll(slot: number): void {
    for (const { scheme, counter } of this.listeners) {
      if (!this.machine.canCount(slot, scheme)) continue;
      this.answers += QUESTIONS.length;
      const complaint = complaintAbout(scheme, counter, { machine: this.machine, slot, pick: this.random.next() });
      if (complaint !== undefined) this.failed = { scheme, complaint };
    }
  }

  private explain({ scheme, complaint }: { readonly scheme: Scheme; readonly complaint: string }): BrokenGuarantee {
    const { slots } = this.machine;
    const witness = shrink(this.history, (wishes) => replay(wishes, scheme, slots, this.seed) !== undefined);
    return {
      scheme,
      complaint: replay(witness, scheme, slots, this.seed) ?? `${complaint} (not when replayed)`,
      witness,
    };
  }
}

function listenersOf(schemes: readonly Scheme[], machine: MappingMachine, seed: number): Listener[] {
  const { frameCount, orders } = machine;
  return schemes.map((scheme) => ({
    scheme,
    counter: scheme.createCounter({ frameCount, orders, pageTables: machine, references: machine, seed }),
  }));
}

/** Every question, and the statistics, about one folio; the first complaint. */
export function complaintAbout(
  scheme: Scheme,
  counter: Listener["counter"],
  at: { readonly machine: MappingMachine; readonly slot: number; readonly pick: number },
): string | undefined {
  for (const question of QUESTIONS) {
    const complaint = CHECKS[question](scheme, counter, at);
    if (complaint !== undefined) return complaint;
  }
  return checkStatistics(scheme, counter, at);
}

/** Wishes that leave nothing mapped and every folio new. */
function endingOf(slots: readonly Slot[]): Wish[] {
  return slots.flatMap((_, slot) => {
    const wish = { slot, vma: 0, other: 0, from: 0, length: 0 };
    const exits = Array.from({ length: MMS }, (_mm, mm): Wish => ({ ...wish, kind: "exit", vma: mm * VMAS_OF_MM }));
    return [...exits, { ...wish, kind: "recreate" } satisfies Wish];
  });
}

/** Plays wishes to a new counter, asking everything behind each event; the first complaint. */
export function replay(
  wishes: readonly Wish[],
  scheme: Scheme,
  slots: readonly Slot[] = SOAK_SLOTS,
  seed = 1,
  questions: readonly Question[] = QUESTIONS,
): string | undefined {
  const machine = new MappingMachine(slots);
  const listeners = listenersOf([scheme], machine, seed);
  const [{ counter }] = listeners;
  let complaint: string | undefined;
  machine.listen(listeners);
  machine.afterEvent = (slot) => {
    if (complaint !== undefined || !machine.canCount(slot, scheme)) return;
    for (let pick = 0; pick < PICKS && complaint === undefined; pick++) {
      const at = { machine, slot, pick };
      for (const question of questions) complaint ??= CHECKS[question](scheme, counter, at);
      complaint ??= checkStatistics(scheme, counter, at);
    }
  };
  for (const wish of wishes) {
    grant(machine, listeners, wish);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

/** The shortest list that still fails: runs of wishes are left out, long ones first, until no single one can be. */
export function shrink(wishes: readonly Wish[], fails: (wishes: readonly Wish[]) => boolean): readonly Wish[] {
  if (!fails(wishes)) return wishes;
  let left = [...wishes];
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < left.length;) {
      const without = [...left.slice(0, at), ...left.slice(at + size)];
      if (fails(without)) left = without;
      else at += size;
    }
  }
  return left;
}

/** A wish as a line of text; the numbers are taken modulo what there is. */
export function describeWish({ kind, slot, vma, other, from, length }: Wish): string {
  return `${kind} slot=${slot} vma=${vma} other=${other} from=${from} length=${length}`;
}
