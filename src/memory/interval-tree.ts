/**
 * Interval trees of VMAs: who may map this page of a file, or of an anon_vma (mm/interval_tree.c; kernel-facts 6.1, 6.2).
 *
 * A balanced search tree by the first page offset of each interval; every node also knows the largest last offset below it,
 * so a search leaves out what ends before the range. Equal first offsets stand in the order in which they were entered, as
 * in the kernel, and come in that order: `treePlace` is that order as a number. The kernel balances by colours, here heights
 * of siblings differ by at most one (AVL); both are at most about twice as deep as they need be.
 *
 * Invariant: an item's interval and place do not change while it is in a tree. Vma.changeRange takes it out and back in.
 */
import type { WalkCosts } from "../kernel/index.ts";
import { assert } from "./assert.ts";

type SearchCosts = Pick<WalkCosts, "treeNodes">;

/** What a tree holds: pages [pgoff, lastPgoff] of a file or anon_vma. No two items of one tree have pgoff and place equal. */
export interface Interval {
  readonly pgoff: number;
  readonly lastPgoff: number;
  /** Order among intervals that begin alike. */
  readonly treePlace: number;
}

interface Node<Item> {
  item: Item;
  /** Largest lastPgoff in the subtree. */
  subtreeLast: number;
  height: number;
  left: Node<Item> | undefined;
  right: Node<Item> | undefined;
}

/** Intervals in order, with a search for those that overlap a range. */
export class IntervalTree<Item extends Interval> {
  private root: Node<Item> | undefined;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Enters an item that is not in the tree. O(log n). */
  add(item: Item): void {
    this.root = inserted(this.root, item);
    this.count++;
  }

  /** Takes an item out; false if it was not in. O(log n). */
  delete(item: Item): boolean {
    if (!this.has(item)) return false;
    this.root = removed(this.root, item);
    this.count--;
    return true;
  }

  has(item: Item): boolean {
    let node = this.root;
    while (node !== undefined && node.item !== item) {
      node = comesBefore(item, node.item) ? node.left : node.right;
    }
    return node !== undefined;
  }

  /** All items, in order. */
  *[Symbol.iterator](): Generator<Item> {
    const above: Node<Item>[] = [];
    for (let node = this.root; node !== undefined || above.length > 0;) {
      for (; node !== undefined; node = node.left) above.push(node);
      node = above.pop();
      if (node === undefined) return;
      yield node.item;
      node = node.right;
    }
  }

  /** Items that overlap [first, last], in order. O(log n + k). */
  overlapping(first: number, last: number): Item[] {
    const found: Item[] = [];
    this.visitOverlapping(first, last, (item) => found.push(item) > 0);
    return found;
  }

  /**
   * Visits items that overlap [first, last], in order, until `visit` says false; then so does the answer. `costs` are told
   * of every node that is looked at. The tree must not change meanwhile.
   */
  visitOverlapping(first: number, last: number, visit: (item: Item) => boolean, costs?: SearchCosts): boolean {
    return this.root === undefined || search(this.root, { first, last, visit, costs });
  }

  /** Throws if order, balance or a subtree's last offset is wrong: for tests. O(n). */
  check(): void {
    assert(checkedNodes(this.root) === this.count, "an interval tree counts its nodes");
    let before: Item | undefined;
    for (const item of this) {
      assert(before === undefined || comesBefore(before, item), "an interval tree is in order");
      before = item;
    }
  }
}

function comesBefore(item: Interval, other: Interval): boolean {
  return item.pgoff < other.pgoff || (item.pgoff === other.pgoff && item.treePlace < other.treePlace);
}

interface Search<Item> {
  readonly first: number;
  readonly last: number;
  readonly visit: (item: Item) => boolean;
  readonly costs: SearchCosts | undefined;
}

/** interval_tree_iter_first and _next: what ends before the range or begins behind it is left out. False: stopped. */
function search<Item extends Interval>(node: Node<Item>, wanted: Search<Item>): boolean {
  const { first, last, visit, costs } = wanted;
  if (costs !== undefined) costs.treeNodes++;
  if (node.subtreeLast < first) return true;
  if (node.left !== undefined && !search(node.left, wanted)) return false;
  if (node.item.pgoff > last) return true;
  if (node.item.lastPgoff >= first && !visit(node.item)) return false;
  return node.right === undefined || search(node.right, wanted);
}

function inserted<Item extends Interval>(node: Node<Item> | undefined, item: Item): Node<Item> {
  if (node === undefined) return { item, subtreeLast: item.lastPgoff, height: 1, left: undefined, right: undefined };
  assert(node.item !== item, "a VMA is once in an interval tree");
  if (comesBefore(item, node.item)) node.left = inserted(node.left, item);
  else node.right = inserted(node.right, item);
  return balanced(node);
}

function removed<Item extends Interval>(node: Node<Item> | undefined, item: Item): Node<Item> | undefined {
  if (node === undefined) return undefined;
  if (node.item === item) {
    if (node.left === undefined) return node.right;
    if (node.right === undefined) return node.left;
    // The next in order takes its place.
    let next = node.right;
    while (next.left !== undefined) next = next.left;
    node.item = next.item;
    node.right = removed(node.right, next.item);
  } else if (comesBefore(item, node.item)) node.left = removed(node.left, item);
  else node.right = removed(node.right, item);
  return balanced(node);
}

function heightOf(node: Node<Interval> | undefined): number {
  return node === undefined ? 0 : node.height;
}

/** Height and last offset from those of the children. */
function renew(node: Node<Interval>): void {
  const { left, right } = node;
  node.height = 1 + Math.max(heightOf(left), heightOf(right));
  let last = node.item.lastPgoff;
  if (left !== undefined && left.subtreeLast > last) last = left.subtreeLast;
  if (right !== undefined && right.subtreeLast > last) last = right.subtreeLast;
  node.subtreeLast = last;
}

/** The subtree's new root, after one side may have become two higher than the other. */
function balanced<Item extends Interval>(node: Node<Item>): Node<Item> {
  const { left, right } = node;
  const lean = heightOf(left) - heightOf(right);
  if (lean > 1 && left !== undefined) {
    if (heightOf(left.left) < heightOf(left.right)) node.left = turnedLeft(left);
    return turnedRight(node);
  }
  if (lean < -1 && right !== undefined) {
    if (heightOf(right.right) < heightOf(right.left)) node.right = turnedRight(right);
    return turnedLeft(node);
  }
  renew(node);
  return node;
}

/** The left child comes up. */
function turnedRight<Item extends Interval>(node: Node<Item>): Node<Item> {
  const { left } = node;
  assert(left !== undefined, "a subtree is turned right around its left child");
  node.left = left.right;
  left.right = node;
  renew(node);
  renew(left);
  return left;
}

/** The right child comes up. */
function turnedLeft<Item extends Interval>(node: Node<Item>): Node<Item> {
  const { right } = node;
  assert(right !== undefined, "a subtree is turned left around its right child");
  node.right = right.left;
  right.left = node;
  renew(node);
  renew(right);
  return right;
}

/** Nodes of the subtree, each of which is checked. */
function checkedNodes(node: Node<Interval> | undefined): number {
  if (node === undefined) return 0;
  const nodes = 1 + checkedNodes(node.left) + checkedNodes(node.right);
  const { height, subtreeLast } = node;
  assert(Math.abs(heightOf(node.left) - heightOf(node.right)) <= 1, "an interval tree is balanced");
  renew(node);
  assert(node.height === height && node.subtreeLast === subtreeLast, "a node of an interval tree knows its subtree");
  return nodes;
}
