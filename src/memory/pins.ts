/**
 * Who holds references on pages of processes without mapping them: io_uring's registered buffers, gup_test, pipes.
 *
 * Each is an open file, which fork shares and whose last close gives the references back: a child keeps its parent's pipe
 * full. io_uring gives back at unregistering at the latest; gup_test is one for the whole machine, and any close of it
 * that is the last of its file ends the pins of whoever holds some.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { EAGAIN, EBADF, EFAULT, EINVAL, ENXIO } from "./errno.ts";
import { getUserPages, releasePages } from "./gup.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import type { HoldingFile } from "./pin-state.ts";
import { Unsupported } from "./unsupported.ts";

/** Pages that a pipe of 1 MiB holds. */
const PIPE_PAGES = 256;
/** Pages that vmsplice takes at a time. */
const SPLICE_PAGES = 16;
/** The largest buffer that io_uring registers. */
const RING_BUFFER_LIMIT_BYTES = 2 ** 30;

/** IORING_REGISTER_BUFFERS on a new ring: pins the pages to write, for long. */
export function registerRingBuffer(
  memory: Memory,
  mm: Mm,
  id: number,
  startAddress: number,
  lengthBytes: number,
): number {
  const files = memory.pins.of(mm);
  const ring: HoldingFile = { kind: "ring", holders: 1, frames: undefined };
  const before = files.rings.get(id);
  if (before !== undefined) files.forgotten.push(before);
  files.rings.set(id, ring);
  if (lengthBytes === 0 || lengthBytes > RING_BUFFER_LIMIT_BYTES) return -EFAULT;
  const first = Math.floor(startAddress / PAGE_SIZE_BYTES);
  const n = Math.ceil((startAddress + lengthBytes) / PAGE_SIZE_BYTES) - first;
  const frames = getUserPages(memory, mm, first, n, { pin: true, write: true, longterm: true, fast: true });
  if (typeof frames === "number") return -EFAULT;
  if (frames.length < n) {
    releasePages(memory, frames, true);
    return -EFAULT;
  }
  ring.frames = frames;
  keepOnePinPerFolio(memory, ring);
  return 0;
}

/**
 * io_coalesce_buffer: a buffer that passes through whole large folios of one size (the first and the last may be cut)
 * needs one pin of each, and the other pins are given back.
 */
function keepOnePinPerFolio(memory: Memory, ring: HoldingFile): void {
  const { frames } = memory;
  const pinned = ring.frames ?? [];
  const order = frames.order[pinned[0]];
  if (order === 0) return;
  const kept: number[] = [];
  const spare: number[] = [];
  for (let i = 0; i < pinned.length; i++) {
    const frame = pinned[i];
    const head = frames.headOf(frame);
    const isNext = i > 0 && frame === pinned[i - 1] + 1 && head === frames.headOf(pinned[i - 1]);
    if (isNext) {
      spare.push(frame);
      continue;
    }
    const endsBefore = i === 0 || pinned[i - 1] === frames.headOf(pinned[i - 1]) + (1 << order) - 1;
    if (i > 0 && (!endsBefore || frame !== head || frames.order[frame] !== order)) return;
    kept.push(frame);
  }
  releasePages(memory, spare, true);
  ring.frames = kept;
}

/** IORING_UNREGISTER_BUFFERS, and the ring is closed. */
export function unregisterRingBuffer(memory: Memory, mm: Mm, id: number): number {
  const { rings } = memory.pins.of(mm);
  const ring = rings.get(id);
  if (ring === undefined) return -EBADF;
  const { frames } = ring;
  ring.frames = undefined;
  if (frames !== undefined) releasePages(memory, frames, true);
  rings.delete(id);
  closeFile(memory, ring);
  return frames === undefined ? -ENXIO : 0;
}

/**
 * PIN_LONGTERM_TEST_START of gup_test; one range at a time on the machine. `way`: with PIN_LONGTERM_TEST_FLAG_USE_FAST
 * the tables first.
 */
export function startGupTest(
  memory: Memory,
  mm: Mm,
  startAddress: number,
  lengthBytes: number,
  write: boolean,
  way: "slow" | "fast" = "slow",
): number {
  const files = memory.pins.of(mm);
  files.gupTest ??= { kind: "gupTest", holders: 1, frames: [] };
  if (memory.pins.gupTestFrames !== undefined) return -EINVAL;
  if (startAddress % PAGE_SIZE_BYTES !== 0 || lengthBytes % PAGE_SIZE_BYTES !== 0 || lengthBytes === 0) return -EINVAL;
  const first = startAddress / PAGE_SIZE_BYTES;
  const n = lengthBytes / PAGE_SIZE_BYTES;
  const pinned: number[] = [];
  while (pinned.length < n) {
    const request = { pin: true, write, longterm: true, fast: way === "fast" };
    const frames = getUserPages(memory, mm, first + pinned.length, n - pinned.length, request);
    if (typeof frames === "number") {
      releasePages(memory, pinned, true);
      return frames;
    }
    pinned.push(...frames);
  }
  memory.pins.gupTestFrames = pinned;
  return 0;
}

/** PIN_LONGTERM_TEST_STOP, and the file is closed. */
export function stopGupTest(memory: Memory, mm: Mm): number {
  const files = memory.pins.of(mm);
  if (files.gupTest === undefined) return -EBADF;
  releaseGupTest(memory);
  closeFile(memory, files.gupTest);
  files.gupTest = undefined;
  return 0;
}

function releaseGupTest(memory: Memory): void {
  const frames = memory.pins.gupTestFrames;
  memory.pins.gupTestFrames = undefined;
  if (frames !== undefined) releasePages(memory, frames, true);
}

/** vmsplice into a new pipe of 1 MiB: plain references on the pages. Bytes taken, or -errno. */
export function splicePages(memory: Memory, mm: Mm, id: number, startAddress: number, lengthBytes: number): number {
  const files = memory.pins.of(mm);
  const pipe: HoldingFile = { kind: "pipe", holders: 1, frames: [] };
  const before = files.pipes.get(id);
  if (before !== undefined) files.forgotten.push(before);
  files.pipes.set(id, pipe);
  const end = startAddress + lengthBytes;
  const held: number[] = [];
  pipe.frames = held;
  let address = startAddress;
  while (address < end) {
    const first = Math.floor(address / PAGE_SIZE_BYTES);
    const n = Math.min(SPLICE_PAGES, Math.ceil(end / PAGE_SIZE_BYTES) - first);
    const frames = getUserPages(memory, mm, first, n, { pin: false, write: false, longterm: false, fast: true });
    if (typeof frames === "number") return address > startAddress ? address - startAddress : frames;
    const room = Math.min(frames.length, PIPE_PAGES - held.length);
    held.push(...frames.slice(0, room));
    if (room > 0) address = Math.min(end, (first + room) * PAGE_SIZE_BYTES);
    if (room < frames.length) {
      releasePages(memory, frames.slice(room), false);
      return address > startAddress ? address - startAddress : -EAGAIN;
    }
  }
  return lengthBytes;
}

/** Both ends of the pipe are closed in this process. */
export function closePipe(memory: Memory, mm: Mm, id: number): number {
  const { pipes } = memory.pins.of(mm);
  const pipe = pipes.get(id);
  if (pipe === undefined) throw new Unsupported(`unvmsplice ${id}`, "the process has no pipe of this number");
  pipes.delete(id);
  closeFile(memory, pipe);
  return 0;
}

function closeFile(memory: Memory, file: HoldingFile): void {
  file.holders--;
  if (file.holders > 0) return;
  if (file.kind === "gupTest") releaseGupTest(memory);
  else if (file.frames !== undefined) releasePages(memory, file.frames, file.kind === "ring");
  file.frames = undefined;
}

/** fork: the child has every open file of the parent under the same number. */
export function inheritPins(memory: Memory, parent: Mm, child: Mm): void {
  const from = memory.pins.of(parent);
  const to = memory.pins.of(child);
  for (const [id, file] of from.rings) to.rings.set(id, file);
  for (const [id, file] of from.pipes) to.pipes.set(id, file);
  to.forgotten.push(...from.forgotten);
  to.gupTest = from.gupTest;
  for (const file of from.all()) file.holders++;
}

/** exit: the process's files are closed, after its address space is gone. */
export function closeAllPins(memory: Memory, mm: Mm): void {
  for (const file of memory.pins.of(mm).all()) closeFile(memory, file);
  memory.pins.forget(mm);
}
