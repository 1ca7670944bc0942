/**
 * The figures that smaps printed, one typed array a figure, one row a VMA: twenty thousand blocks as objects would take
 * more memory than the capture's runs.
 *
 * NaN stands for a figure that is not there, also for all of a VMA that has no facts.
 */
import { PAGE_SIZE_BYTES, type SmapsVmaFields } from "../kernel/index.ts";
import { SMAPS_COLUMNS, type SmapsColumn } from "./table-schema.ts";

/** smaps by row of the VMA. */
export class SmapsColumns {
  /** VMAs that have facts. */
  count = 0;
  private readonly figures: ReadonlyMap<SmapsColumn["key"], Float64Array>;
  /** The same, for a look at all of them. */
  private readonly columns: readonly (readonly [SmapsColumn["key"], Float64Array])[];
  /** VmFlags as printed, null where there are no facts. Most VMAs share a few texts. */
  private readonly flags: (string | null)[];
  private readonly flagLists = new Map<string, readonly string[]>();
  private readonly sizes: Float64Array;

  /** `vmaCount` 0 where no facts are wanted: then every VMA is without. */
  constructor(vmaCount: number) {
    this.figures = new Map(SMAPS_COLUMNS.map(({ key }) => [key, new Float64Array(vmaCount).fill(Number.NaN)]));
    this.columns = [...this.figures];
    this.flags = Array.from({ length: vmaCount }, () => null);
    this.sizes = new Float64Array(vmaCount);
  }

  /** Gives a VMA its facts. */
  set(row: number, fields: SmapsVmaFields): void {
    if (this.flags[row] === null) this.count++;
    this.flags[row] = fields.vmFlags.join(" ");
    this.sizes[row] = fields.size;
    for (const [key, values] of this.figures) values[row] = fields[key] ?? Number.NaN;
  }

  /** A single figure, null if it is not there. */
  figure(key: SmapsColumn["key"], row: number): number | null {
    const value = this.figures.get(key)?.[row] ?? Number.NaN;
    return Number.isNaN(value) ? null : value;
  }

  /** VmFlags as printed, null if the VMA has no facts. */
  vmFlags(row: number): string | null {
    return this.flags[row] ?? null;
  }

  /** All that smaps printed of a VMA. */
  fields(row: number): SmapsVmaFields | undefined {
    const flags = this.vmFlags(row);
    if (flags === null) return undefined;
    const fields: Record<string, unknown> = { size: this.sizes[row], vmFlags: this.flagsIn(flags) };
    for (const [key, values] of this.columns) {
      const value = values[row];
      if (!Number.isNaN(value)) fields[key] = value;
    }
    return fields as unknown as SmapsVmaFields;
  }

  private flagsIn(text: string): readonly string[] {
    let flags = this.flagLists.get(text);
    if (flags === undefined) {
      flags = text.split(" ").filter((flag) => flag !== "");
      this.flagLists.set(text, flags);
    }
    return flags;
  }
}

/** The `Size:` that smaps prints for a range of pages, in kB. */
export function smapsSize({ startPage, endPage }: { readonly startPage: number; readonly endPage: number }): number {
  return (endPage - startPage) * (PAGE_SIZE_BYTES / 1024);
}
