/**
 * Open files that hold references on pages: what pins.ts works on.
 *
 * Descriptors are numbers per process and kind, as the scenario language gives them; an open file behind them may have
 * several holders after a fork.
 */
import type { Mm } from "./mm.ts";

/** An open file and the references that it holds; each process that has it open is one of its holders. */
export interface HoldingFile {
  readonly kind: "ring" | "pipe" | "gupTest";
  holders: number;
  /** One frame a reference; undefined: nothing is registered (io_uring). */
  frames: number[] | undefined;
}

/** What one process has open. */
export class ProcessFiles {
  readonly rings = new Map<number, HoldingFile>();
  readonly pipes = new Map<number, HoldingFile>();
  gupTest: HoldingFile | undefined;
  /** Numbers that were used again without closing: open until the process exits. */
  readonly forgotten: HoldingFile[] = [];

  all(): HoldingFile[] {
    const files = [...this.rings.values(), ...this.pipes.values(), ...this.forgotten];
    return this.gupTest === undefined ? files : [...files, this.gupTest];
  }
}

/** Open files that hold references, of all processes. */
export class PinState {
  private readonly filesOf = new Map<Mm, ProcessFiles>();
  /** The pages that gup_test has pinned, if it has. */
  gupTestFrames: number[] | undefined;

  of(mm: Mm): ProcessFiles {
    const known = this.filesOf.get(mm);
    if (known !== undefined) return known;
    const files = new ProcessFiles();
    this.filesOf.set(mm, files);
    return files;
  }

  forget(mm: Mm): void {
    this.filesOf.delete(mm);
  }
}
