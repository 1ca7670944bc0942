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
 *
 * A VMA keeps a file whether or not it maps a page of it. So nothing is certain where somebody was not read; and if the
 * kernel counts a mapping of one of its pages that was not found, somebody else has the file.
 */
import type { Capture, PresentRuns } from "../capture/index.ts";
import { FRAME_KIND_MASK, KIND_FILE, KIND_SHMEM, type MapsVma } from "../kernel/index.ts";
import { isAllRead } from "./capture-scope.ts";
import { KIND_COLUMNS } from "./kind-bytes.ts";

/** A file that goes with its last mapping. */
export interface VanishingFile {
  /** The name in maps of the first VMA that has it. */
  readonly name: string;
  /** Nothing else can keep it: no descriptor, no link, nobody who was not read. */
  readonly isCertain: boolean;
  /** Rows of the mms that have it in a VMA, ascending. */
  readonly mms: readonly number[];
  /** Its frames that these mms map and nobody else, by kind. */
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
  isCertain: boolean;
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
function groupVmas(capture: Capture): { files: FoundFile[]; fileOfVma: Int32Array } {
  const files: FoundFile[] = [];
  const known = new Map<string, number>();
  const allRead = isAllRead(capture);
  const { vmas, mmOfVma, mmAlive } = capture;
  const fileOfVma = new Int32Array(vmas.length).fill(-1);
  for (const [row, vma] of vmas.entries()) {
    const fate = fileFate(vma);
    if (fate === "stays" || mmAlive[mmOfVma[row]] === 0) continue;
    const key = `${fate} ${vma.device} ${vma.inodeText ?? vma.inode}`;
    let file = known.get(key);
    if (file === undefined) {
      const { name } = vma;
      const isCertain = fate === "goes" && allRead;
      file = files.push({ name, isCertain, mms: new Set(), pages: new Float64Array(KIND_COLUMNS) }) - 1;
      known.set(key, file);
    }
    fileOfVma[row] = file;
    files[file].mms.add(mmOfVma[row]);
  }
  return { files, fileOfVma };
}

/** Counts every frame of the files once. */
function countPages(
  capture: Capture,
  parts: readonly PresentRuns[],
  { files, fileOfVma }: { readonly files: readonly FoundFile[]; readonly fileOfVma: Int32Array },
): void {
  const { kind, mapcount } = capture.frames;
  const entries = countEntries(capture, parts);
  const isCounted = new Uint8Array(entries.length);
  for (const part of parts) {
    for (let row = 0; row < part.count; row++) {
      if (part.file[row] === 0) continue;
      const file = files[fileOfVma[part.vma[row]]];
      const { lowest, behind } = framesOf(part, row);
      for (let pfn = lowest; pfn < behind; pfn++) {
        const of = kind[pfn] & FRAME_KIND_MASK;
        if (isCounted[pfn] !== 0 || mapcount[pfn] <= 0 || (of !== KIND_FILE && of !== KIND_SHMEM)) continue;
        isCounted[pfn] = 1;
        if (mapcount[pfn] > entries[pfn]) file.isCertain = false;
        else file.pages[of]++;
      }
    }
  }
}

/** Entries of the files' VMAs on each frame; -1 in a folio of whose mappings the kernel knows more, if not of which page. */
function countEntries({ frames, folios, machine }: Capture, parts: readonly PresentRuns[]): Int32Array {
  const entries = new Int32Array(frames.frameCount);
  for (const part of parts) {
    for (let row = 0; row < part.count; row++) {
      if (part.file[row] === 0) continue;
      const { lowest, behind } = framesOf(part, row);
      const each = part.step[row] === 0 ? part.pages[row] : 1;
      for (let pfn = lowest; pfn < behind; pfn++) entries[pfn] += each;
    }
  }
  if (machine.mapcountConfig !== "nopage") return entries;
  for (let row = 0; row < folios.count; row++) {
    const head = folios.headPfn[row];
    if (folios.mappedOutside[row] > 0) entries.fill(-1, head, head + 2 ** folios.order[row]);
  }
  return entries;
}

/** The frames [lowest, behind) of a run. */
function framesOf({ frame, pages, step }: PresentRuns, row: number): { lowest: number; behind: number } {
  const lowest = step[row] < 0 ? frame[row] - pages[row] + 1 : frame[row];
  return { lowest, behind: step[row] === 0 ? lowest + 1 : lowest + pages[row] };
}
