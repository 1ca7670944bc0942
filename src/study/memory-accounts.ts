/**
 * What the machine's memory is used for, in accounts that add up to MemTotal.
 *
 * Processes by their Pss (derived: it is each frame once), page cache that nobody maps, the kernel's own memory and free
 * memory as meminfo prints them, and a rest: drivers, per-CPU allocations and what moved while the capture was taken.
 */
import type { Capture } from "../capture/index.ts";
import { KIND_FILE, KIND_SHMEM, PAGE_SIZE_BYTES, isAnonKind } from "../kernel/index.ts";
import type { MemoryAccount } from "./capture-report.ts";
import type { CaptureSums } from "./report-on-capture.ts";

/** The account of what processes map, the only one that depends on the scheme, and the one that takes what is left. */
export const PROCESSES_ACCOUNT = "processes (sum of Pss)";
export const REST_ACCOUNT = "rest";

/** The accounts, largest duty first; their bytes add up to MemTotal exactly. */
export function memoryAccounts(capture: Capture, sums: CaptureSums, pssBytes: number): MemoryAccount[] {
  const { meminfo } = capture.machine;
  const of = (label: string): number => meminfo[label] ?? 0;
  const mappedCache = mappedCacheBytes(sums);
  const accounts: MemoryAccount[] = [
    { label: PROCESSES_ACCOUNT, bytes: pssBytes, origin: "derived" },
    { label: "unmapped pages of partially mapped folios", bytes: heldUnmappedBytes(capture), origin: "derived" },
    {
      label: "page cache that no process maps",
      bytes: Math.max(0, of("Cached") + of("Buffers") + of("SwapCached") - mappedCache),
      origin: "derived",
    },
    { label: "hugetlb pool", bytes: of("Hugetlb"), origin: "measured" },
    { label: "slab", bytes: of("Slab"), origin: "measured" },
    { label: "page tables", bytes: of("PageTables") + of("SecPageTables"), origin: "measured" },
    { label: "kernel stacks", bytes: of("KernelStack"), origin: "measured" },
    { label: "per-CPU", bytes: of("Percpu"), origin: "measured" },
    { label: "free", bytes: of("MemFree"), origin: "measured" },
  ];
  const known = accounts.reduce((all, { bytes }) => all + bytes, 0);
  return [...accounts, { label: REST_ACCOUNT, bytes: of("MemTotal") - known, origin: "rest" }];
}

/** Page-cache and shmem frames that some process maps. */
function mappedCacheBytes({ classes }: CaptureSums): number {
  let frames = 0;
  for (const frameClass of classes.classes) {
    if (frameClass.kind === KIND_FILE || frameClass.kind === KIND_SHMEM) frames += frameClass.frames;
  }
  return frames * PAGE_SIZE_BYTES;
}

/** Anonymous pages without a mapping in folios that have one: not in any Pss, and not free. */
function heldUnmappedBytes({ folios }: Capture): number {
  let pages = 0;
  for (let row = 0; row < folios.count; row++) {
    const mapped = folios.pagesMapped[row];
    if (isAnonKind(folios.kind[row]) && mapped > 0) pages += 2 ** folios.order[row] - mapped;
  }
  return pages * PAGE_SIZE_BYTES;
}
