/**
 * ksmd's unstable tree: places of one scan, ordered by the content of their pages.
 *
 * Its shape matters: a search that meets a place whose page is gone gives up (get_mergeable_page), and whether it meets it
 * depends on how the tree is balanced. So this is the kernel's red-black tree: the same rotations, and a node with two
 * children is replaced by its successor.
 */
import { assert } from "./assert.ts";
import type { KsmItem } from "./ksm-state.ts";

export interface TreeNode {
  readonly item: KsmItem;
  parent: TreeNode | undefined;
  left: TreeNode | undefined;
  right: TreeNode | undefined;
  isRed: boolean;
}

/** What the searched page is, seen from a node's: before it, behind it, equal, or the node's page is gone. */
export type Comparison = "before" | "behind" | "equal" | "gone";

export class UnstableTree {
  private root: TreeNode | undefined;

  /** All are forgotten at the beginning of a scan. */
  clear(): void {
    this.root = undefined;
  }

  /** unstable_tree_search_insert: the equal node's item; undefined if the item went in; "gone" if the search gave up. */
  findOrInsert(item: KsmItem, compare: (other: KsmItem) => Comparison): KsmItem | undefined | "gone" {
    let parent: TreeNode | undefined;
    let isLeft = false;
    for (let node = this.root; node !== undefined;) {
      const order = compare(node.item);
      if (order === "gone") return "gone";
      if (order === "equal") return node.item;
      parent = node;
      isLeft = order === "before";
      node = isLeft ? node.left : node.right;
    }
    const added: TreeNode = { item, parent, left: undefined, right: undefined, isRed: true };
    item.treeNode = added;
    if (parent === undefined) this.root = added;
    else if (isLeft) parent.left = added;
    else parent.right = added;
    this.balanceAfterInsert(added);
    return undefined;
  }

  /** rb_erase. */
  erase(node: TreeNode): void {
    let child: TreeNode | undefined;
    let parent: TreeNode | undefined;
    let wasRed: boolean;
    if (node.left !== undefined && node.right !== undefined) {
      let successor = node.right;
      while (successor.left !== undefined) successor = successor.left;
      child = successor.right;
      wasRed = successor.isRed;
      parent = successor.parent === node ? successor : successor.parent;
      if (successor.parent !== node) {
        this.replace(successor, child);
        successor.right = node.right;
        successor.right.parent = successor;
      }
      this.replace(node, successor);
      successor.left = node.left;
      successor.left.parent = successor;
      successor.isRed = node.isRed;
    } else {
      child = node.left ?? node.right;
      parent = node.parent;
      wasRed = node.isRed;
      this.replace(node, child);
    }
    node.item.treeNode = undefined;
    if (!wasRed) this.balanceAfterErase(child, parent);
  }

  private replace(node: TreeNode, by: TreeNode | undefined): void {
    const { parent } = node;
    if (parent === undefined) this.root = by;
    else if (parent.left === node) parent.left = by;
    else parent.right = by;
    if (by !== undefined) by.parent = parent;
  }

  private rotateLeft(node: TreeNode): void {
    const up = node.right;
    assert(up !== undefined, "a rotation to the left lifts a right child");
    node.right = up.left;
    if (up.left !== undefined) up.left.parent = node;
    this.replace(node, up);
    up.left = node;
    node.parent = up;
  }

  private rotateRight(node: TreeNode): void {
    const up = node.left;
    assert(up !== undefined, "a rotation to the right lifts a left child");
    node.left = up.right;
    if (up.right !== undefined) up.right.parent = node;
    this.replace(node, up);
    up.right = node;
    node.parent = up;
  }

  private balanceAfterInsert(added: TreeNode): void {
    let node = added;
    for (let parent = node.parent; parent !== undefined && parent.isRed; parent = node.parent) {
      const grandparent = parent.parent;
      assert(grandparent !== undefined, "a red node has a parent");
      const isLeft = grandparent.left === parent;
      const uncle = isLeft ? grandparent.right : grandparent.left;
      if (uncle?.isRed === true) {
        parent.isRed = false;
        uncle.isRed = false;
        grandparent.isRed = true;
        node = grandparent;
        continue;
      }
      if (node === (isLeft ? parent.right : parent.left)) {
        if (isLeft) this.rotateLeft(parent);
        else this.rotateRight(parent);
        parent = node;
      }
      parent.isRed = false;
      grandparent.isRed = true;
      if (isLeft) this.rotateRight(grandparent);
      else this.rotateLeft(grandparent);
      break;
    }
    if (this.root !== undefined) this.root.isRed = false;
  }

  /** A black node is missing on the paths through `child`, which lies under `parent` and may be empty. */
  private balanceAfterErase(child: TreeNode | undefined, under: TreeNode | undefined): void {
    let node = child;
    let parent = under;
    while (parent !== undefined && node?.isRed !== true) {
      const isLeft: boolean = parent.left === node;
      let sibling = this.blackSibling(parent, isLeft);
      const far = isLeft ? sibling.right : sibling.left;
      const near = isLeft ? sibling.left : sibling.right;
      if (far?.isRed !== true && near?.isRed !== true) {
        sibling.isRed = true;
        node = parent;
        parent = node.parent;
        continue;
      }
      if (far?.isRed !== true) {
        if (near !== undefined) near.isRed = false;
        sibling.isRed = true;
        if (isLeft) this.rotateRight(sibling);
        else this.rotateLeft(sibling);
        sibling = this.blackSibling(parent, isLeft);
      }
      sibling.isRed = parent.isRed;
      parent.isRed = false;
      const outer = isLeft ? sibling.right : sibling.left;
      if (outer !== undefined) outer.isRed = false;
      if (isLeft) this.rotateLeft(parent);
      else this.rotateRight(parent);
      return;
    }
    if (node !== undefined) node.isRed = false;
  }

  /** The sibling of the side that lacks a black node; a red one is rotated up first. */
  private blackSibling(parent: TreeNode, isLeft: boolean): TreeNode {
    const sibling = isLeft ? parent.right : parent.left;
    assert(sibling !== undefined, "the side that lacks nothing is not empty");
    if (!sibling.isRed) return sibling;
    sibling.isRed = false;
    parent.isRed = true;
    if (isLeft) this.rotateLeft(parent);
    else this.rotateRight(parent);
    const black = isLeft ? parent.right : parent.left;
    assert(black !== undefined, "a red node has two black children or none");
    return black;
  }
}
