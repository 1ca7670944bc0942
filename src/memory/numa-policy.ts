/**
 * NUMA: where pages are, where new ones may come from (set_mempolicy with MPOL_BIND).
 */
import { EINVAL } from "./errno.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";

/** set_mempolicy(MPOL_BIND) to one node: 0, or -EINVAL if the machine has no memory there. */
export function bindToNode(memory: Memory, mm: Mm, node: number): number {
  if (node >= memory.allocator.nodeCount) return -EINVAL;
  mm.boundNode = node;
  return 0;
}
