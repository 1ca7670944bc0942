/**
 * The three shapes of 1 GiB that are forked, written after the fork, and unmapped: as scenarios, so that the kernel and the
 * model are asked the same by the same words.
 */

export type Shape = "4 KiB pages" | "2 MiB folios, PTEs" | "2 MiB folios, PMDs";
export const SHAPES: readonly Shape[] = ["4 KiB pages", "2 MiB folios, PTEs", "2 MiB folios, PMDs"];

/** The commands that are measured, by their place among the scenario's timed ones. */
export const MEASURED = ["fork", "write all after fork", "munmap"] as const;

const START = 0x2_0000_0000;
const FOLIO_BYTES = 2 * 1024 * 1024;

/** How many folios of 2 MiB, or their worth in small pages: 512 are 1 GiB. */
export function scenarioOf(shape: Shape, folios: number): string {
  const length = `${folios * 2}M`;
  const lines = [
    "thp 2048kB madvise",
    "spawn P",
    `P mmap a 0x${START.toString(16)} ${length} rw anon,priv`,
    `P madvise @a ${length} ${shape === "4 KiB pages" ? "nohugepage" : "hugepage"}`,
    `P touch @a ${length} w`,
  ];
  // A change of rights of one page splits the PMD that maps it; changed back, the folio stays mapped by PTEs.
  if (shape === "2 MiB folios, PTEs") {
    for (let folio = 0; folio < folios; folio++) {
      const page = `0x${(START + folio * FOLIO_BYTES + 4096).toString(16)}`;
      lines.push(`P mprotect ${page} 4k r`, `P mprotect ${page} 4k rw`);
    }
  }
  // The child's copies are small pages whatever the shape; what the parent unmaps has it still.
  lines.push("P fork C", `C touch @a ${length} w`, "C exit", `P munmap @a ${length}`, "P exit");
  return `${lines.join("\n")}\n`;
}
