/**
 * VMAs and the files that they map: i_mmap and the reference that each VMA holds on the inode.
 */
import { assert } from "./assert.ts";
import type { FileMapping } from "./file-mapping.ts";
import type { Memory } from "./memory.ts";
import { closeHugetlbVma } from "./hugetlb.ts";
import { releaseFile } from "./inode.ts";
import type { Vma } from "./vma.ts";

/** vma_link_file, get_file: a new VMA maps its file. */
export function linkFile(vma: Vma): void {
  const { file } = vma;
  if (file === undefined) return;
  file.vmas.add(vma);
  file.holders++;
  vma.openFile?.hold();
}

/** unlink_file_vma, fput: the VMA is gone. Tells whether it had a file, whose inode may have died with it. */
export function unlinkFile(memory: Memory, vma: Vma): void {
  const file: FileMapping | undefined = vma.file;
  if (file === undefined) return;
  if (vma.isHugetlb) closeHugetlbVma(memory, vma);
  assert(file.vmas.delete(vma), "a VMA is in the tree of its file");
  vma.openFile?.release();
  releaseFile(memory, file);
}
