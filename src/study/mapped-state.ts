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
  /** Orders of the folios mapped now, by head. */
  private readonly orders = new Map<number, number>();
  private pages = 0;
  private small = 0;
  private peak = { pages: 0, smallFolios: 0, largeFolios: 0 };
  foliosMax = 0;

  get mappedBytesMax(): number {
    return this.peak.pages * PAGE_SIZE_BYTES;
  }

  mapped(head: number, order: number): void {
    const before = this.orders.get(head);
    if (before === order) return;
    if (before !== undefined) this.unmapped(head);
    this.orders.set(head, order);
    this.pages += 2 ** order;
    if (order === 0) this.small++;
  }

  unmapped(head: number): void {
    const order = this.orders.get(head);
    if (order === undefined) return;
    this.orders.delete(head);
    this.pages -= 2 ** order;
    if (order === 0) this.small--;
  }

  /** Call after all folios of a step were told. */
  endStep(): void {
    this.foliosMax = Math.max(this.foliosMax, this.orders.size);
    if (this.pages <= this.peak.pages) return;
    this.peak = { pages: this.pages, smallFolios: this.small, largeFolios: this.orders.size - this.small };
  }

  /** Bytes of a scheme's state at the peak. */
  stateBytesOf({ stateBits, smallFolios }: Scheme): number {
    const { peak } = this;
    const ofLarge = stateBits.perFolio * peak.largeFolios + stateBits.perPage * (peak.pages - peak.smallFolios);
    const ofSmall = smallFolios === "mapcount" ? SMALL_FOLIO_BITS : stateBits.perFolio + stateBits.perPage;
    return (ofLarge + ofSmall * peak.smallFolios) / 8;
  }
}
