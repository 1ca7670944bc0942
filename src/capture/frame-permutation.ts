/**
 * Pseudonyms for frame numbers: a keyed permutation of the machine's blocks of 512 frames.
 *
 * Inside a block nothing moves, so a folio up to 2 MiB stays whole and aligned. A larger folio moves as one aligned
 * group; the groups are placed first, largest first, which always fits because they fitted before. Swap slots are
 * permuted likewise in blocks of 512, by a Feistel network over 18 bits, under each swap type. Frames outside of the
 * table (device memory) get numbers that no machine has.
 */
import { createCipheriv, createHmac } from "node:crypto";
import { type FolioColumns, HPAGE_PMD_NR, HPAGE_PMD_ORDER } from "../kernel/index.ts";

const BLOCK_MASK = HPAGE_PMD_NR - 1;
/** Beyond the physical addresses of any processor. */
const OUTSIDE_FROM = 2 ** 41;
const OUTSIDE_BLOCKS = 2 ** 31;

const SWAP_TYPE_BITS = 5;
const SWAP_HALF_BITS = 9;
const SWAP_HALF_MASK = 511;
const SWAP_ROUNDS = 4;
/** Offsets that the low word of a swap entry holds. */
const SWAP_OFFSETS = 2 ** 27;

/** Where each frame goes. */
export class FramePermutation {
  private readonly frameCount: number;
  private readonly blockTarget: Int32Array;
  private readonly key: Buffer;
  private readonly outside = new Map<number, number>();
  private readonly swapRounds: readonly Uint16Array[];

  constructor(key: Buffer, frameCount: number, folios: FolioColumns) {
    this.key = key;
    this.frameCount = frameCount;
    this.blockTarget = permuteBlocks(key, frameCount, folios);
    this.swapRounds = Array.from({ length: SWAP_ROUNDS }, (_, round) => {
      const stream = new KeyStream(key, `swap ${round}`);
      return Uint16Array.from({ length: SWAP_HALF_MASK + 1 }, () => stream.below(SWAP_HALF_MASK + 1));
    });
  }

  /** The new number of a frame of the machine. */
  frame(pfn: number): number {
    if (pfn >= this.frameCount) throw new Error(`frame ${pfn} lies outside of the table`);
    return this.blockTarget[pfn >>> HPAGE_PMD_ORDER] * HPAGE_PMD_NR + (pfn & BLOCK_MASK);
  }

  /** The new number of a frame outside of the table. */
  outsideFrame(pfn: number): number {
    const block = Math.floor(pfn / HPAGE_PMD_NR);
    let target = this.outside.get(block);
    if (target === undefined) {
      const digest = createHmac("sha256", this.key).update(`outside ${block}`).digest();
      target = OUTSIDE_FROM + (digest.readUInt32LE(0) % OUTSIDE_BLOCKS) * HPAGE_PMD_NR;
      this.outside.set(block, target);
    }
    return target + (pfn % HPAGE_PMD_NR);
  }

  /** The new low word of a swap entry: type as it was, offset moved by blocks of 512. */
  swapWord(low: number): number {
    const type = low & ((1 << SWAP_TYPE_BITS) - 1);
    const offset = low >>> SWAP_TYPE_BITS;
    const block = offset >>> HPAGE_PMD_ORDER;
    let left = block >>> SWAP_HALF_BITS;
    let right = block & SWAP_HALF_MASK;
    for (const round of this.swapRounds) {
      const next = left ^ round[right];
      left = right;
      right = next;
    }
    const moved = ((((left << SWAP_HALF_BITS) | right) << HPAGE_PMD_ORDER) | (offset & BLOCK_MASK)) % SWAP_OFFSETS;
    return (moved << SWAP_TYPE_BITS) | type;
  }
}

function permuteBlocks(key: Buffer, frameCount: number, folios: FolioColumns): Int32Array {
  const blocks = Math.ceil(frameCount / HPAGE_PMD_NR);
  const whole = Math.floor(frameCount / HPAGE_PMD_NR);
  const target = new Int32Array(blocks).fill(-1);
  const taken = new Uint8Array(blocks);
  const stay = (from: number, end: number): void => {
    for (let block = from; block < Math.min(end, blocks); block++) {
      target[block] = block;
      taken[block] = 1;
    }
  };
  // The last block, if it is a part of one, has no other place; nor has a folio that the table cuts off.
  stay(whole, blocks);
  const headsByOrder = new Map<number, number[]>();
  for (let row = 0; row < folios.count; row++) {
    const order = folios.order[row];
    if (order <= HPAGE_PMD_ORDER) continue;
    const head = folios.headPfn[row] / HPAGE_PMD_NR;
    const size = 2 ** (order - HPAGE_PMD_ORDER);
    if (head + size > whole) stay(head, head + size);
    else headsByOrder.set(order, [...(headsByOrder.get(order) ?? []), head]);
  }
  for (const [order, heads] of [...headsByOrder].sort(([a], [b]) => b - a)) {
    placeGroups(target, taken, heads, 2 ** (order - HPAGE_PMD_ORDER), new KeyStream(key, `groups ${order}`));
  }
  const sources: number[] = [];
  const free: number[] = [];
  for (let block = 0; block < blocks; block++) {
    if (target[block] < 0) sources.push(block);
    if (taken[block] === 0) free.push(block);
  }
  new KeyStream(key, "blocks").shuffle(free);
  for (const [index, block] of sources.entries()) target[block] = free[index];
  return target;
}

/** Gives groups of `size` blocks free places that are multiples of their size. */
function placeGroups(
  target: Int32Array,
  taken: Uint8Array,
  heads: readonly number[],
  size: number,
  stream: KeyStream,
): void {
  const places: number[] = [];
  for (let place = 0; place + size <= taken.length; place += size) {
    if (!taken.subarray(place, place + size).includes(1)) places.push(place);
  }
  stream.shuffle(places);
  for (const [index, head] of heads.entries()) {
    const place = places[index];
    for (let block = 0; block < size; block++) {
      target[head + block] = place + block;
      taken[place + block] = 1;
    }
  }
}

/** Random numbers that a key and a label determine. */
class KeyStream {
  private readonly cipher;
  private bytes = Buffer.alloc(0);
  private at = 0;

  constructor(key: Buffer, label: string) {
    const streamKey = createHmac("sha256", key).update(`stream ${label}`).digest();
    this.cipher = createCipheriv("aes-256-ctr", streamKey, Buffer.alloc(16));
  }

  /** A number from 0 to limit - 1; 48 random bits make the rest's bias negligible. */
  below(limit: number): number {
    if (this.at + 6 > this.bytes.length) {
      this.bytes = this.cipher.update(Buffer.alloc(6 * 1024));
      this.at = 0;
    }
    const random = this.bytes.readUIntLE(this.at, 6);
    this.at += 6;
    return random % limit;
  }

  shuffle(values: number[]): void {
    for (let left = values.length - 1; left > 0; left--) {
      const other = this.below(left + 1);
      [values[left], values[other]] = [values[other], values[left]];
    }
  }
}
