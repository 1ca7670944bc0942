/**
 * struct file: one open(2), shared by the descriptors that fork and dup make and by the VMAs that map it.
 *
 * It knows whether it may write, which decides whether a disk's file counts as text (CONFIG_READ_ONLY_THP_FOR_FS), and
 * how far readahead has come (struct file_ra_state).
 */
import { assert } from "./assert.ts";
import type { FileMapping } from "./file-mapping.ts";

/** struct file_ra_state: the last window that was read in advance, in pages. */
export class ReadaheadState {
  /** First page of the window, its pages, and how many of them wait for the reader behind the mark. */
  start = 0;
  size = 0;
  asyncSize = 0;
  /** Order of the folios of the window. */
  order = 0;
  /** Byte behind the last one read; -1: nothing was read yet. */
  previousByte = -1;
  /** mmap_miss: faults that found nothing, less those that did. */
  missed = 0;
}

export class OpenFile {
  readonly mapping: FileMapping;
  readonly isReadOnly: boolean;
  readonly readahead = new ReadaheadState();
  private references = 0;

  constructor(mapping: FileMapping, isReadOnly: boolean) {
    this.mapping = mapping;
    this.isReadOnly = isReadOnly;
  }

  /** get_file: one more descriptor or VMA. */
  hold(): void {
    if (this.references++ === 0 && this.countsAsWriter) this.mapping.writers++;
  }

  /** fput. */
  release(): void {
    assert(this.references > 0, "an open file is released by those who hold it");
    if (--this.references === 0 && this.countsAsWriter) this.mapping.writers--;
  }

  /** get_write_access is taken by open(2), not for files that never had a name. */
  private get countsAsWriter(): boolean {
    return !this.isReadOnly && this.mapping.fileKind !== "hugetlb";
  }
}
