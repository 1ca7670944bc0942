/**
 * What single instructions and cache lines take, measured in JavaScript: loops over typed arrays on shared memory.
 *
 * The engine compiles `Atomics.add` of an Int32Array to one locked instruction and a typed array's element to a load or a
 * store with a bounds check, so that these loops come close to what a C program finds, but not all the way: the loop itself
 * is timed, too, and taken off by whoever computes units (instruction-units.ts). The names of the timings are those of the C
 * program (kernel-timer-program.ts), which measures the same where there is a compiler.
 *
 * Struct pages are stood in for by lines of 64 bytes: 512 in a row are those of a 2 MiB folio. The working set is larger
 * than the last level cache, so that the folios of a large machine are meant and not those that were just touched.
 */
import type { Timings } from "./order-statistics.ts";

const WORDS_PER_LINE = 16;
const LINES_PER_FOLIO = 512;
const LINE_BYTES = 64;
/** The word of a line that is written; the first holds the next line of the chase. */
const COUNTER_WORD = 12;
const LOCK_BIT = 1 << 30;

export interface LoopSizes {
  /** Of each loop over instructions. */
  readonly operations: number;
  /** A power of two, at least 4,096: lines of the working set. */
  readonly lines: number;
}

/** Memory to measure on. */
export interface LineArena {
  readonly words: Int32Array;
  readonly order: Int32Array;
}

/** Lines in one random cycle: each names the next. O(lines). */
export function makeLineArena(lines: number): LineArena {
  const words = new Int32Array(new SharedArrayBuffer(lines * LINE_BYTES));
  const order = Int32Array.from({ length: lines }, (_, index) => index);
  let state = 0x2545f491;
  for (let last = lines - 1; last > 0; last--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = (state >>> 0) % (last + 1);
    const held = order[last];
    order[last] = order[other];
    order[other] = held;
  }
  for (let at = 0; at < lines; at++) words[order[at] * WORDS_PER_LINE] = order[(at + 1) % lines];
  return { words, order };
}

/** All timings of one repetition, in nanoseconds an operation. `now`: milliseconds, with fractions. */
export function timeInstructions(arena: LineArena, { operations, lines }: LoopSizes, now: () => number): Timings {
  const { words, order } = arena;
  const timed = (loop: () => number, times: number): number => {
    const began = now();
    consumed = (consumed + loop()) | 0;
    return ((now() - began) * 1e6) / times;
  };
  const start = order[(consumed >>> 0) % lines];
  const steps = lines / 8;
  return {
    loop: timed(() => emptyLoop(operations), operations),
    atomic: timed(() => atomicLoop(words, operations), operations),
    load: timed(() => loadLoop(words, operations), operations),
    store: timed(() => storeLoop(words, operations), operations),
    lock: timed(() => lockLoop(words, operations), operations),
    "line-dependent": timed(() => chase(words, start, steps), steps),
    "line-in-order": timed(() => writeFolios(words, order, steps), steps),
    "line-random": timed(() => writeLines(words, order, steps), steps),
  };
}

/** Results end here, so that no loop is left out as useless. */
let consumed = 0;

function emptyLoop(times: number): number {
  let sum = 0;
  for (let i = 0; i < times; i++) sum = (sum + (i & 7)) | 0;
  return sum;
}

function atomicLoop(words: Int32Array, times: number): number {
  let sum = 0;
  for (let i = 0; i < times; i++) {
    Atomics.add(words, COUNTER_WORD, 1);
    sum = (sum + (i & 7)) | 0;
  }
  return sum;
}

/** Eight words of a line at a time: the loop around them costs next to nothing. */
function loadLoop(words: Int32Array, times: number): number {
  let sum = 0;
  for (let i = 0; i < times; i += 8) {
    sum = (sum + words[0] + words[1] + words[2] + words[3] + words[4] + words[5] + words[6] + words[7]) | 0;
  }
  return sum;
}

function storeLoop(words: Int32Array, times: number): number {
  for (let i = 0; i < times; i += 8) {
    words[COUNTER_WORD] = i;
    words[COUNTER_WORD + 1] = i;
    words[COUNTER_WORD + 2] = i;
    words[COUNTER_WORD + 3] = i;
    words[COUNTER_WORD + WORDS_PER_LINE] = i;
    words[COUNTER_WORD + WORDS_PER_LINE + 1] = i;
    words[COUNTER_WORD + WORDS_PER_LINE + 2] = i;
    words[COUNTER_WORD + WORDS_PER_LINE + 3] = i;
  }
  return times;
}

/** A bit spinlock that nobody else wants: an atomic takes it, a plain store releases it. */
function lockLoop(words: Int32Array, times: number): number {
  let sum = 0;
  for (let i = 0; i < times; i++) {
    const before = Atomics.or(words, COUNTER_WORD, LOCK_BIT);
    words[COUNTER_WORD] = before & ~LOCK_BIT;
    sum = (sum + (i & 7)) | 0;
  }
  return sum;
}

/** Every line is known only when the one before it has come. */
function chase(words: Int32Array, start: number, steps: number): number {
  let line = start;
  for (let i = 0; i < steps; i++) line = words[line * WORDS_PER_LINE];
  return line;
}

/** Folio after folio anywhere, the lines of each in a row. */
function writeFolios(words: Int32Array, order: Int32Array, steps: number): number {
  const folios = steps / LINES_PER_FOLIO;
  const mask = words.length / WORDS_PER_LINE / LINES_PER_FOLIO - 1;
  for (let i = 0; i < folios; i++) {
    const first = (order[i] & mask) * LINES_PER_FOLIO * WORDS_PER_LINE + COUNTER_WORD;
    for (let at = first; at < first + LINES_PER_FOLIO * WORDS_PER_LINE; at += WORDS_PER_LINE) words[at] += 1;
  }
  return mask;
}

/** Lines anywhere, none waiting for another. */
function writeLines(words: Int32Array, order: Int32Array, steps: number): number {
  for (let i = 0; i < steps; i++) words[order[i] * WORDS_PER_LINE + COUNTER_WORD] += 1;
  return steps;
}
