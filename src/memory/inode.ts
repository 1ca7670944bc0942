/**
 * The life of an inode: a file is opened by its path or made without a name, and dies with the last who holds it.
 *
 * Descriptors, VMAs and a name hold it (FileMapping.holders). With the last its pages leave the cache; what is pinned stays in
 * memory until the pin goes.
 */
import { assert } from "./assert.ts";
import { FileMapping } from "./file-mapping.ts";
import { evictHugetlbFile } from "./hugetlb-file.ts";
import type { Memory } from "./memory.ts";
import { createShmem } from "./shmem.ts";
import { truncateToNothing } from "./truncate.ts";

/** A new file of this path: /tmpfs is a tmpfs mounted with huge=always, all else a disk. */
export function openFile(memory: Memory, path: string): FileMapping {
  if (path.startsWith("/tmpfs/")) return createShmem(memory, path, 0, "always");
  return new FileMapping({ fileKind: "disk", name: path, sizeBytes: 0, shmemHuge: "never", hasLargeFolios: true });
}

/** One holder less; with the last the inode is evicted. */
export function releaseFile(memory: Memory, file: FileMapping): void {
  assert(file.holders > 0, "a file is released by those who hold it");
  if (--file.holders > 0) return;
  if (file.fileKind === "hugetlb") evictHugetlbFile(memory, file);
  else truncateToNothing(memory, file);
}
