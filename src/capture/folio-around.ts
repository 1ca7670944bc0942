/**
 * The folio around one frame of the running machine, found by its flags alone.
 *
 * A large folio is a compound head and the tails behind it. From a tail the head lies below: inside the same 512 frames,
 * or, of a gigantic hugetlb folio, at an aligned frame further down (kernel-facts 3.9). A length that is no power of two,
 * or a head that is not aligned to it, was changing while it was read; it is read again a few times.
 */
import { readSync } from "node:fs";
import {
  type FolioKind,
  HPAGE_PMD_NR,
  KPF_COMPOUND_HEAD,
  KPF_COMPOUND_TAIL,
  KPF_OWNER_2_HIGH,
  frameKind,
  isAnonKind,
} from "../kernel/index.ts";
import type { FrameFlags } from "./capture.ts";

/** A folio, small ones too. */
export interface FolioAround {
  /** Frame number of its first page. */
  readonly head: number;
  readonly order: number;
  readonly kind: FolioKind;
  readonly flags: FrameFlags;
  /** PageAnonExclusive of the head page, as kpageflags shows it (kernel-facts 3.9). */
  readonly headExclusive: boolean;
}

const GIGANTIC_ORDER_MAX = 18;
const TRIES = 3;
const BUFFER_FRAMES = 16_384;

/** One entry of /proc/kpageflags; undefined behind its end. */
export function readFlagsOf(fd: number, pfn: number): FrameFlags | undefined {
  const one = Buffer.allocUnsafe(8);
  if (readSync(fd, one, 0, 8, pfn * 8) < 8) return undefined;
  return { low: one.readInt32LE(0), high: one.readInt32LE(4) };
}

/**
 * The folio that a frame belongs to, from an open /proc/kpageflags. undefined: there is no such frame; "moving": the
 * folio changed under the reader every time. `ksmBitMeansKsm` as in `frameKind`.
 */
export function readFolioAround(fd: number, pfn: number, ksmBitMeansKsm: boolean): FolioAround | "moving" | undefined {
  for (let tried = 0; tried < TRIES; tried++) {
    const own = readFlagsOf(fd, pfn);
    if (own === undefined) return undefined;
    const found = (own.low & (KPF_COMPOUND_HEAD | KPF_COMPOUND_TAIL)) === 0 ? { head: pfn, order: 0 } : extent(fd, pfn);
    const flags = found === undefined ? undefined : readFlagsOf(fd, found.head);
    if (found === undefined || flags === undefined) continue;
    if (found.order > 0 && (flags.low & KPF_COMPOUND_HEAD) === 0) continue;
    const kind = frameKind(flags.low, flags.high, ksmBitMeansKsm);
    const headExclusive = isAnonKind(kind) && (flags.high & KPF_OWNER_2_HIGH) !== 0;
    return { ...found, kind, flags, headExclusive };
  }
  return "moving";
}

/** Head and order of the large folio of a frame; undefined if what is there is no folio. */
function extent(fd: number, pfn: number): { readonly head: number; readonly order: number } | undefined {
  const head = findHead(fd, pfn);
  if (head === undefined) return undefined;
  const length = 1 + countTails(fd, head + 1, 2 ** GIGANTIC_ORDER_MAX - 1);
  const order = Math.log2(length);
  const isFolio = Number.isInteger(order) && order > 0 && head % length === 0 && head + length > pfn;
  return isFolio ? { head, order } : undefined;
}

function findHead(fd: number, pfn: number): number | undefined {
  const block = Math.floor(pfn / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  const words = new Int32Array(HPAGE_PMD_NR * 2);
  const got = readSync(fd, new Uint8Array(words.buffer), 0, HPAGE_PMD_NR * 8, block * 8) >>> 3;
  for (let at = Math.min(pfn - block, got - 1); at >= 0; at--) {
    if ((words[2 * at] & KPF_COMPOUND_HEAD) !== 0) return block + at;
    if ((words[2 * at] & KPF_COMPOUND_TAIL) === 0) return undefined;
  }
  for (let order = 10; order <= GIGANTIC_ORDER_MAX; order++) {
    const head = Math.floor(block / 2 ** order) * 2 ** order;
    if (((readFlagsOf(fd, head)?.low ?? 0) & KPF_COMPOUND_HEAD) === 0) continue;
    if (countTails(fd, head + 1, block - head) === block - head) return head;
  }
  return undefined;
}

/** Consecutive tails from a frame on, at most `limit`. */
function countTails(fd: number, from: number, limit: number): number {
  const words = new Int32Array(BUFFER_FRAMES * 2);
  const bytes = new Uint8Array(words.buffer);
  // Most folios end soon: the first read is small.
  let piece = HPAGE_PMD_NR;
  for (let counted = 0; counted < limit; piece = BUFFER_FRAMES) {
    const wanted = Math.min(piece, limit - counted);
    const got = readSync(fd, bytes, 0, wanted * 8, (from + counted) * 8) >>> 3;
    for (let at = 0; at < got; at++) if ((words[2 * at] & KPF_COMPOUND_TAIL) === 0) return counted + at;
    counted += got;
    if (got < wanted) return counted;
  }
  return limit;
}
