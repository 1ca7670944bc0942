/**
 * Files that live only as long as someone has them: shared anonymous memory, memfds, files that were deleted.
 *
 * The page cache of a file stays when its last mapping goes, unless the file goes with it: then all of its pages are freed,
 * those of tmpfs too, which otherwise nothing but swap can take. What maps says of a VMA decides:
 *
 *     /dev/zero (deleted), [anon_shmem:...]   MAP_SHARED | MAP_ANONYMOUS: no descriptor has it, mappings alone keep it
 *     /memfd:name (deleted), name (deleted)   gone with the last mapping, unless somebody's open descriptor, or another
 *                                             hard link, keeps it: neither can be seen in a capture
 *     /SYSV0000002a (deleted)                 stays until IPC_RMID, whoever maps it
 *     any other name                          stays
 */
import type { Capture, PresentRuns } from "../capture/index.ts";
import { FRAME_KIND_MASK, KIND_FILE, KIND_SHMEM, type MapsVma } from "../kernel/index.ts";
import { KIND_COLUMNS } from "./kind-bytes.ts";

/** A file that goes with its last mapping. */
export interface VanishingFile {
  /** The name in maps of the first VMA that has it. */
  readonly name: string;
  /** No descriptor or link can keep it. */
  readonly isCertain: boolean;
  /** Rows of the mms that have it in a VMA, ascending. */
  readonly mms: readonly number[];
  /** Its mapped frames by kind. */
  readonly pages: Float64Array;
}

/** What becomes of a VMA's file when nobody maps it any longer. */
export type FileFate = "stays" | "goes" | "may go";

const DELETED = " (deleted)";

/** The fate of a VMA's file by what maps prints. "stays" where there is no file. */
export function fileFate({ name, inode, shared }: Pick<MapsVma, "name" | "inode" | "shared">): FileFate {
  if (inode === 0) return "stays";
  if (name.startsWith("[anon_shmem:") || (name === `/dev/zero${DELETED}` && shared)) return "goes";
  if (name.startsWith("/SYSV") || !name.endsWith(DELETED)) return "stays";
  return "may go";
}

interface FoundFile {
  readonly name: string;
  readonly isCertain: boolean;
  readonly mms: Set<number>;
  readonly pages: Float64Array;
}

/** Finds the files of a capture. O(VMAs), and O(runs + frames) where there are any. */
export async function findVanishingFiles(capture: Capture): Promise<VanishingFile[]> {
  const { files, fileOfVma } = groupVmas(capture);
  if (files.length > 0) {
    const vmas = Uint8Array.from(fileOfVma, (file) => (file < 0 ? 0 : 1));
    countPages(capture, await capture.presentRuns({ vmas, framesOnly: true }), { files, fileOfVma });
  }
  return files.map(({ mms, ...file }) => ({ ...file, mms: [...mms].toSorted((a, b) => a - b) }));
}

/** The files, and the file of each VMA; -1: none that vanishes. */
function groupVmas({ vmas, mmOfVma, mmAlive }: Capture): { files: FoundFile[]; fileOfVma: Int32Array } {
  const files: FoundFile[] = [];
  const known = new Map<string, number>();
  const fileOfVma = new Int32Array(vmas.length).fill(-1);
  for (const [row, vma] of vmas.entries()) {
    const fate = fileFate(vma);
    if (fate === "stays" || mmAlive[mmOfVma[row]] === 0) continue;
    const key = `${fate} ${vma.device} ${vma.inodeText ?? vma.inode}`;
    let file = known.get(key);
    if (file === undefined) {
      const { name } = vma;
      file =
        files.push({ name, isCertain: fate === "goes", mms: new Set(), pages: new Float64Array(KIND_COLUMNS) }) - 1;
      known.set(key, file);
    }
    fileOfVma[row] = file;
    files[file].mms.add(mmOfVma[row]);
  }
  return { files, fileOfVma };
}

/** Counts every frame of the files once. */
function countPages(
  { frames }: Capture,
  parts: readonly PresentRuns[],
  { files, fileOfVma }: { readonly files: readonly FoundFile[]; readonly fileOfVma: Int32Array },
): void {
  const { kind, mapcount, frameCount } = frames;
  const isCounted = new Uint8Array(frameCount);
  for (const part of parts) {
    for (let row = 0; row < part.count; row++) {
      const file = fileOfVma[part.vma[row]];
      if (file < 0 || part.file[row] === 0) continue;
      const lowest = part.step[row] < 0 ? part.frame[row] - part.pages[row] + 1 : part.frame[row];
      const behind = part.step[row] === 0 ? lowest + 1 : lowest + part.pages[row];
      const { pages } = files[file];
      for (let pfn = lowest; pfn < behind; pfn++) {
        const of = kind[pfn] & FRAME_KIND_MASK;
        if (isCounted[pfn] !== 0 || mapcount[pfn] <= 0 || (of !== KIND_FILE && of !== KIND_SHMEM)) continue;
        isCounted[pfn] = 1;
        pages[of]++;
      }
    }
  }
}
