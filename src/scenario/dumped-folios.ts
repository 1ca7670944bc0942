/**
 * The folios of one dump by their frames, labelled F1, F2, ... as they are asked for.
 */
import { KPF_NAMES } from "../kernel/index.ts";
import type { FolioDump, SmallFolioDump, ValueRun } from "./dump.ts";

/** A folio as printed: runs of kpagecount, and of kpageflags in hexadecimal. */
export interface DumpedFolio {
  readonly head: number;
  readonly pages: number;
  readonly counts: [first: number, last: number, count: number][];
  readonly flags: [first: number, last: number, bits: string][];
}

/** The names that recordings have for bits which the kernel's headers name otherwise. */
const RECORDED_NAMES: Readonly<Record<string, string>> = {
  COMPOUND_HEAD: "HEAD",
  COMPOUND_TAIL: "TAIL",
  ZERO_PAGE: "ZERO",
};
/** The last bit that recordings name. */
const LAST_NAMED_BIT = 41;

/** Names of the set bits, lowest first, with commas. */
export function kpageflagNames(hex: string): string {
  const word = hex.replace(/^0x/, "").padStart(16, "0");
  const halves = [Number.parseInt(word.slice(8), 16), Number.parseInt(word.slice(0, 8), 16)];
  const names: string[] = [];
  for (let bit = 0; bit <= LAST_NAMED_BIT; bit++) {
    if (((halves[bit >> 5] >>> (bit & 31)) & 1) === 0) continue;
    const name = KPF_NAMES[bit] ?? "";
    names.push(RECORDED_NAMES[name] ?? (name === "" ? "?" : name));
  }
  return names.join(",");
}

export class FolioBook {
  private readonly folioOfFrame = new Map<number, DumpedFolio>();
  private readonly labels = new Map<DumpedFolio, number>();
  private readonly zeroFrames: ReadonlySet<number>;

  constructor(folios: readonly DumpedFolio[], zeroFrames: ReadonlySet<number>) {
    this.zeroFrames = zeroFrames;
    for (const folio of folios) {
      for (let page = 0; page < folio.pages; page++) this.folioOfFrame.set(folio.head + page, folio);
    }
  }

  isZero(frame: number): boolean {
    return this.zeroFrames.has(frame);
  }

  /** The folio of a frame; it gets the next label if it has none. */
  find(frame: number): { readonly label: number; readonly page: number; readonly pages: number } {
    let folio = this.folioOfFrame.get(frame);
    if (folio === undefined) {
      // A frame that changed hands while it was read: a folio that says nothing.
      folio = { head: frame, pages: 1, counts: [[0, 0, 0]], flags: [[0, 0, "0"]] };
      this.folioOfFrame.set(frame, folio);
    }
    let label = this.labels.get(folio);
    if (label === undefined) {
      label = this.labels.size + 1;
      this.labels.set(folio, label);
    }
    return { label, page: frame - folio.head, pages: folio.pages };
  }

  /** All labelled folios; small ones in a row that say the same are one entry. */
  describe(): Record<string, FolioDump> {
    const described: Record<string, FolioDump> = {};
    let small: { readonly first: number; readonly dump: SmallFolioDump; readonly text: string } | undefined;
    const flush = (next: number): void => {
      if (small === undefined) return;
      described[next - 1 > small.first ? `F${small.first}..F${next - 1}` : `F${small.first}`] = small.dump;
      small = undefined;
    };
    for (const [folio, label] of this.labels) {
      if (folio.pages > 1) {
        flush(label);
        described[`F${label}`] = {
          pages: folio.pages,
          pfn: `0x${folio.head.toString(16)}`,
          kpagecount: folio.counts.map(([first, last, count]): ValueRun => [first, last, count]),
          kpageflags: folio.flags.map(([first, last, bits]) => [first, last, kpageflagNames(bits)] as const),
        };
        continue;
      }
      const dump = {
        kpagecount: folio.counts[0]?.[2] ?? 0,
        kpageflags: kpageflagNames(folio.flags[0]?.[2] ?? "0"),
        pages: 1,
      };
      const text = JSON.stringify(dump);
      if (small?.text === text) continue;
      flush(label);
      small = { first: label, dump, text };
    }
    flush(this.labels.size + 1);
    return described;
  }
}
