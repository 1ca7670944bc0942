/**
 * How much is mapped, and what the schemes' state of it takes at the moment when it was most.
 *
 * Followed from the folios that steps touched. Small folios have one mapcount of 32 bits under schemes that do not count
 * them as large ones (docs/schemes.md). Invariant: the sums are those of all folios that are mapped after the last step.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { Scheme } from "../schemes/index.ts";

const SMALL_FOLIO_BITS = 32;

export class MappedState {
  /** By frame: the order plus one of the folio mapped now whose head it is; 0 for all others. */
  private orderPlusOne = new Uint8Array(2 ** 16);
  private folios = 0;
  private pages = 0;
  private small = 0;
  private peak = { pages: 0, smallFolios: 0, largeFolios: 0 };
  foliosMax = 0;

  get mappedBytesMax(): number {
    return this.peak.pages * PAGE_SIZE_BYTES;
  }

  mapped(head: number, order: number): void {
    if (head >= this.orderPlusOne.length) this.grow(head);
    const before = this.orderPlusOne[head] - 1;
    if (before === order) return;
    if (before >= 0) this.unmapped(head);
    this.orderPlusOne[head] = order + 1;
    this.folios++;
    this.pages += 2 ** order;
    if (order === 0) this.small++;
  }

  unmapped(head: number): void {
    const order = (head < this.orderPlusOne.length ? this.orderPlusOne[head] : 0) - 1;
    if (order < 0) return;
    this.orderPlusOne[head] = 0;
    this.folios--;
    this.pages -= 2 ** order;
    if (order === 0) this.small--;
  }

  private grow(head: number): void {
    const larger = new Uint8Array(2 ** Math.ceil(Math.log2(head + 1)));
    larger.set(this.orderPlusOne);
    this.orderPlusOne = larger;
  }

  /** Call after all folios of a step were told. */
  endStep(): void {
    this.foliosMax = Math.max(this.foliosMax, this.folios);
    if (this.pages <= this.peak.pages) return;
    this.peak = { pages: this.pages, smallFolios: this.small, largeFolios: this.folios - this.small };
  }

  /** Bytes of a scheme's state at the peak. */
  stateBytesOf({ stateBits, smallFolios }: Scheme): number {
    const { peak } = this;
    const ofLarge = stateBits.perFolio * peak.largeFolios + stateBits.perPage * (peak.pages - peak.smallFolios);
    const ofSmall = smallFolios === "mapcount" ? SMALL_FOLIO_BITS : stateBits.perFolio + stateBits.perPage;
    return (ofLarge + ofSmall * peak.smallFolios) / 8;
  }
}
