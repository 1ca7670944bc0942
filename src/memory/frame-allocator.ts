/**
 * The page allocator: naturally aligned blocks of 2^order frames, by node.
 *
 * A buddy allocator whose buddies are joined late: freed blocks lie on a stack per order, and only when a large order
 * is wanted and none is there are the free frames swept for it. Lower halves are handed out first, so that pages faulted
 * in order lie in order, as they do on a freshly booted machine.
 */
import { assert } from "./assert.ts";
import { FREE, type FrameKind, type Frames } from "./frames.ts";
import type { OperationWatch } from "./kernel-decisions.ts";

/** The largest block: a folio of order 18 (1 GiB). */
export const MAX_ORDER = 18;
/** Blocks of this order are carved into single frames. */
const CARVED_ORDER = 9;

/** The machine has no free memory of that size. */
export class OutOfMemory extends Error {
  constructor(order: number, node: number, frameCount: number) {
    const mebibytes = frameCount / 256;
    super(
      `the model's memory of ${mebibytes} MiB has no free folio of order ${order} on node ${node}: ` +
        `give it more with --memory, for instance --memory ${2 * mebibytes}M`,
    );
    this.name = "OutOfMemory";
  }
}

/** Free blocks of one node: frames [first, end). */
class NodeBlocks {
  readonly first: number;
  readonly end: number;
  readonly stacks: number[][] = Array.from({ length: MAX_ORDER + 1 }, () => []);
  freeFrames = 0;
  /** A block that is handed out frame by frame, from here to its end: on no stack. */
  private carved = 0;
  private carvedEnd = 0;

  constructor(first: number, end: number) {
    this.first = first;
    this.end = end;
    this.addRange(first, end);
  }

  /** Adds free frames as the largest aligned blocks, the lowest on top of its stack. */
  addRange(first: number, end: number): void {
    const blocks: [number, number][] = [];
    for (let at = first; at < end;) {
      let order = MAX_ORDER;
      while (at % 2 ** order !== 0 || at + 2 ** order > end) order--;
      blocks.push([at, order]);
      at += 2 ** order;
    }
    for (const [at, order] of blocks.reverse()) this.stacks[order].push(at);
    this.freeFrames += end - first;
  }

  take(order: number): number {
    return order === 0 ? this.takeFrame() : this.takeBlock(order);
  }

  private takeFrame(): number {
    let frame = this.stacks[0].pop();
    if (frame === undefined) {
      if (this.carved === this.carvedEnd && !this.carve()) return -1;
      frame = this.carved++;
    }
    this.freeFrames--;
    return frame;
  }

  /** Takes a block of at most 512 frames off the stacks. */
  private carve(): boolean {
    let order = 1;
    while (order <= MAX_ORDER && this.stacks[order].length === 0) order++;
    if (order > MAX_ORDER) return false;
    const size = Math.min(order, CARVED_ORDER);
    this.carved = this.takeBlock(size);
    this.carvedEnd = this.carved + (1 << size);
    this.freeFrames += 1 << size;
    return true;
  }

  private takeBlock(order: number): number {
    let from = order;
    while (from <= MAX_ORDER && this.stacks[from].length === 0) from++;
    if (from > MAX_ORDER) return -1;
    const block = this.stacks[from].pop() ?? -1;
    while (from > order) {
      from--;
      this.stacks[from].push(block + (1 << from));
    }
    this.freeFrames -= 1 << order;
    return block;
  }

  /** Joins buddies by sweeping all free frames. */
  join(frames: Frames): void {
    for (const stack of this.stacks) stack.length = 0;
    this.freeFrames = 0;
    this.carved = this.carvedEnd = 0;
    for (let at = this.first; at < this.end;) {
      if (frames.kindOf(at) !== FREE) {
        at += 1;
        continue;
      }
      const start = at;
      while (at < this.end && frames.kindOf(at) === FREE) at++;
      this.addRange(start, at);
    }
  }
}

/** Hands out folios. */
export class FrameAllocator {
  private readonly frames: Frames;
  private readonly nodes: NodeBlocks[] = [];
  private readonly framesPerNode: number;
  private readonly watch: OperationWatch | undefined;

  /** The first `reserved` frames are never handed out: frame 0 means "none". `watch` is told of pages that come and go. */
  constructor(frames: Frames, nodeCount: number, reserved: number, watch?: OperationWatch) {
    this.frames = frames;
    this.watch = watch;
    this.framesPerNode = Math.floor(frames.count / nodeCount);
    for (let node = 0; node < nodeCount; node++) {
      const first = node * this.framesPerNode + (node === 0 ? reserved : 0);
      this.nodes.push(new NodeBlocks(first, (node + 1) * this.framesPerNode));
    }
  }

  get nodeCount(): number {
    return this.nodes.length;
  }

  nodeOf(frame: number): number {
    return Math.floor(frame / this.framesPerNode);
  }

  /** A folio of this order and kind, without flags; on another node if the preferred one is full. Throws OutOfMemory. */
  allocate(order: number, kind: FrameKind, node: number): number {
    let head = this.takeFrom(node, order);
    for (let other = 0; head < 0 && other < this.nodes.length; other++) head = this.takeFrom(other, order);
    if (head < 0) throw new OutOfMemory(order, node, this.frames.count);
    this.prepare(head, order, kind);
    return head;
  }

  /** The same on this node only; -1 if it is full. */
  allocateOnNode(order: number, kind: FrameKind, node: number): number {
    const head = this.takeFrom(node, order);
    if (head >= 0) this.prepare(head, order, kind);
    return head;
  }

  private prepare(head: number, order: number, kind: FrameKind): void {
    this.frames.prepare(head, order, kind);
    if (this.watch !== undefined && !this.frames.isHugetlb(head)) this.watch.did("page-allocated", 1);
  }

  private takeFrom(node: number, order: number): number {
    const blocks = this.nodes[node];
    const head = blocks.take(order);
    if (head >= 0 || order === 0 || blocks.freeFrames < 1 << order) return head;
    blocks.join(this.frames);
    return blocks.take(order);
  }

  /** Takes a folio back. Its references and mappings are gone. */
  free(head: number): void {
    const order = this.frames.order[head];
    assert(this.frames.headOf(head) === head && this.frames.kindOf(head) !== FREE, "only an allocated folio is freed");
    // Hugetlb's pages come from its pool and go back there.
    if (this.watch !== undefined && !this.frames.isHugetlb(head)) this.watch.did("page-freed", 1);
    this.frames.retire(head);
    const blocks = this.nodes[this.nodeOf(head)];
    blocks.stacks[order].push(head);
    blocks.freeFrames += 1 << order;
  }

  freeFrames(): number {
    return this.nodes.reduce((sum, blocks) => sum + blocks.freeFrames, 0);
  }
}
