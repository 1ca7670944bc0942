/**
 * The elementary cycles of a small directed graph, shortest first, up to a limit.
 *
 * Each cycle is found once, from its least node: a walk from there over larger nodes only, never over one twice, and never
 * further than the way back is long. Length by length, so that whoever wants the first few does not pay for all; the
 * number of cycles may be exponential in the number of nodes, and that there are more is said.
 */

/** Ways that are begun before the search for cycles of one graph ends. */
const WAYS_MAX = 1_000_000;

/** A directed graph over small integers. */
export class LockGraph {
  private readonly followers = new Map<number, Set<number>>();

  /** Adds the edge; once is enough. */
  add(from: number, to: number): void {
    const known = this.followers.get(from);
    if (known === undefined) this.followers.set(from, new Set([to]));
    else known.add(to);
  }

  has(from: number, to: number): boolean {
    return this.followers.get(from)?.has(to) === true;
  }

  /**
   * The first `limit` elementary cycles by length, then by their nodes; each begins with its least node and does not repeat it.
   * `hasMore`: there are others, or may be (the search was too long).
   */
  cycles(limit: number): { readonly cycles: readonly (readonly number[])[]; readonly hasMore: boolean } {
    const nodes = [...this.followers.keys()].sort((a, b) => a - b);
    const search: CycleSearch = { found: [], limit, ways: 0 };
    const back = new Map(nodes.map((node) => [node, this.distancesTo(node, nodes)]));
    for (let length = 1; length <= nodes.length; length++) {
      for (const node of nodes) {
        const distances = back.get(node);
        if (distances !== undefined) this.extend([node], length, distances, search);
        if (search.found.length > limit || search.ways > WAYS_MAX) break;
      }
    }
    return { cycles: search.found.slice(0, limit), hasMore: search.found.length > limit || search.ways > WAYS_MAX };
  }

  /** Extends the way by every edge from which the way back to its first node still ends at `length`. */
  private extend(way: readonly number[], length: number, back: ReadonlyMap<number, number>, search: CycleSearch): void {
    search.ways++;
    const [first] = way;
    const next = [...(this.followers.get(way[way.length - 1]) ?? [])].sort((a, b) => a - b);
    for (const node of next) {
      if (search.found.length > search.limit || search.ways > WAYS_MAX) return;
      if (node === first && way.length === length) search.found.push(way);
      if (node <= first || way.includes(node)) continue;
      if (way.length + (back.get(node) ?? Infinity) <= length) this.extend([...way, node], length, back, search);
    }
  }

  /** For every node from `target` on the number of edges on the shortest way to `target` over such nodes. */
  private distancesTo(target: number, nodes: readonly number[]): ReadonlyMap<number, number> {
    const distances = new Map([[target, 0]]);
    const open = [target];
    for (let at = 0; at < open.length; at++) {
      for (const node of nodes) {
        if (node <= target || distances.has(node) || !this.has(node, open[at])) continue;
        distances.set(node, (distances.get(open[at]) ?? 0) + 1);
        open.push(node);
      }
    }
    return distances;
  }
}

interface CycleSearch {
  readonly found: (readonly number[])[];
  readonly limit: number;
  ways: number;
}
