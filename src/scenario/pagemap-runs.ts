/**
 * Page-table entries of one VMA to runs, as recordings have them.
 *
 * An entry continues a run if its letters are the same and what it holds follows: the next page of a large folio, the
 * small folio with the next label, the next swap slot, or once more the same page (KSM), marker or zero page.
 */
import type { PagemapRun } from "./dump.ts";
import type { FolioBook } from "./dumped-folios.ts";

/** Of the bits from 55 on. */
const IS_PRESENT = 1 << (63 - 55);
const IS_SWAP = 1 << (62 - 55);

/** What the last entry of a run holds; the next one must follow it. */
type Held =
  | { readonly kind: "zero" | "nothing" }
  | { readonly kind: "same"; readonly value: number }
  | { readonly kind: "swap"; readonly type: number; readonly offset: number }
  | { readonly kind: "small"; readonly label: number; readonly frame: number }
  | { readonly kind: "large"; readonly label: number; readonly page: number };

interface OpenRun {
  readonly page: number;
  readonly flags: string;
  readonly first: Held;
  last: Held;
  n: number;
}

/** Puts entries that say the same together. */
export class RunBuilder {
  private readonly base: string;
  private readonly folios: FolioBook;
  private readonly runs: PagemapRun[] = [];
  private run: OpenRun | undefined;

  constructor(base: string, folios: FolioBook) {
    this.base = base;
    this.folios = folios;
  }

  /** The next entry of the VMA: its page, its letters, bits 55 to 63 and bits 0 to 54. */
  add(page: number, flags: string, bits: number, value: number): void {
    const held = this.heldBy(bits, value);
    const { run } = this;
    if (run !== undefined && run.page + run.n === page && run.flags === flags && this.follows(run, held)) {
      run.last = held;
      run.n++;
      return;
    }
    this.flush();
    this.run = { page, flags, first: held, last: held, n: 1 };
  }

  /** All runs. */
  close(): readonly PagemapRun[] {
    this.flush();
    return this.runs;
  }

  private heldBy(bits: number, value: number): Held {
    if ((bits & IS_PRESENT) !== 0) {
      if (this.folios.isZero(value)) return { kind: "zero" };
      const { label, page, pages } = this.folios.find(value);
      return pages === 1 ? { kind: "small", label, frame: value } : { kind: "large", label, page };
    }
    if ((bits & IS_SWAP) === 0) return { kind: "nothing" };
    const type = value % 32;
    const offset = Math.floor(value / 32);
    return type > SWAP_TYPE_LAST ? { kind: "same", value } : { kind: "swap", type, offset };
  }

  private follows({ first, last, n }: OpenRun, next: Held): boolean {
    if (last.kind === "small" && next.kind === "small") {
      const isRepeated = first.kind === "small" && first.label === last.label && n > 1;
      if (next.label === last.label) return isRepeated || n === 1;
      return !isRepeated && next.label === last.label + 1;
    }
    if (last.kind === "large" && next.kind === "large") return next.label === last.label && next.page === last.page + 1;
    if (last.kind === "swap" && next.kind === "swap") return next.type === last.type && next.offset === last.offset + 1;
    if (last.kind === "same" && next.kind === "same") return next.value === last.value;
    return last.kind === next.kind && (last.kind === "zero" || last.kind === "nothing");
  }

  private flush(): void {
    if (this.run === undefined) return;
    const { page, n, flags } = this.run;
    this.runs.push({ base: this.base, page, n, flags, where: whereOf(this.run) });
    this.run = undefined;
  }
}

/** Above are migration entries and markers. */
const SWAP_TYPE_LAST = 24;

function whereOf({ first, last, n }: OpenRun): string {
  switch (first.kind) {
    case "zero":
      return "ZERO";
    case "nothing":
      return "";
    case "same":
      return `swap type=${first.value % 32} off=0x${Math.floor(first.value / 32).toString(16)}`;
    case "swap":
      return `swap type=${first.type} off=0x${first.offset.toString(16)}`;
    case "large":
      return `F${first.label}[${first.page}-${first.page + n - 1}]`;
    case "small": {
      if (n === 1) return `F${first.label}[0-0]`;
      const end = last.kind === "small" ? last.label : first.label;
      return end === first.label ? `F${first.label}[0-0]*${n}` : `F${first.label}..F${end}`;
    }
  }
}
