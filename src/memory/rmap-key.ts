/**
 * folio->mapping and folio->index in one word of four bytes.
 *
 * A *span* is 512 consecutive indexes of one mapping (an anon_vma, a file, a KSM stable node). A key is the span's number
 * and the index within it, so that each page costs 4 bytes and not 12, and 2 MiB of neighbours share a span. Spans are
 * counted by the folios that name them and freed with the last. Key 0: no mapping.
 */
import { assert } from "./assert.ts";

/** Whatever folio->mapping may point to. */
export interface Mapping {
  /** Spans of this mapping by index / 512; kept by RmapKeys. */
  readonly spans: Map<number, number>;
}

const SPAN_PAGES = 512;

/** All spans of the machine. */
export class RmapKeys {
  private readonly mappingOfSpan: (Mapping | undefined)[] = [undefined];
  private readonly baseOfSpan: number[] = [0];
  private readonly usersOfSpan: number[] = [0];
  private readonly freeSpans: number[] = [];
  private lastMapping: Mapping | undefined;
  private lastBase = -1;
  private lastSpan = 0;

  /** The key of (mapping, index); the caller stores it and gives it back to `release`. */
  acquire(mapping: Mapping, index: number): number {
    const base = Math.floor(index / SPAN_PAGES);
    const span = mapping === this.lastMapping && base === this.lastBase ? this.lastSpan : this.spanOf(mapping, base);
    this.usersOfSpan[span]++;
    return span * SPAN_PAGES + (index & (SPAN_PAGES - 1));
  }

  release(key: number): void {
    if (key === 0) return;
    const span = Math.floor(key / SPAN_PAGES);
    if (--this.usersOfSpan[span] > 0) return;
    const mapping = this.mappingOfSpan[span];
    assert(mapping !== undefined, "a span in use has a mapping");
    mapping.spans.delete(this.baseOfSpan[span]);
    this.mappingOfSpan[span] = undefined;
    this.freeSpans.push(span);
    if (span === this.lastSpan) this.lastMapping = undefined;
  }

  mappingOf(key: number): Mapping | undefined {
    return this.mappingOfSpan[Math.floor(key / SPAN_PAGES)];
  }

  indexOf(key: number): number {
    return this.baseOfSpan[Math.floor(key / SPAN_PAGES)] * SPAN_PAGES + (key & (SPAN_PAGES - 1));
  }

  /** Bytes of spans in use: three numbers, and a map's entry of about 40 bytes. */
  usedBytes(): number {
    return (this.baseOfSpan.length - 1 - this.freeSpans.length) * (3 * 8 + 40);
  }

  private spanOf(mapping: Mapping, base: number): number {
    let span = mapping.spans.get(base);
    if (span === undefined) {
      span = this.freeSpans.pop() ?? this.baseOfSpan.length;
      assert(span < 2 ** 22, "at most 2^22 spans of 512 pages are in use");
      this.mappingOfSpan[span] = mapping;
      this.baseOfSpan[span] = base;
      this.usersOfSpan[span] = 0;
      mapping.spans.set(base, span);
    }
    this.lastMapping = mapping;
    this.lastBase = base;
    this.lastSpan = span;
    return span;
  }
}
