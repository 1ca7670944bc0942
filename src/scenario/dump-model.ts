/**
 * A dump of the model, in the schema of the kernel lab: every process's VMAs and pagemap, then all folios they map.
 */
import { FREE, FILE, SHMEM, KSM, ANON, type Memory, hasFolioFlag, ksmReport, type Vma } from "../memory/index.ts";
import type { CountedMachine } from "./counted-machine.ts";
import type { FolioLabels } from "./dump-model-pagemap.ts";
import { pagemapRuns, readPagemap } from "./dump-model-pagemap.ts";
import { dumpFolios } from "./dump-model-folios.ts";
import { dumpVma } from "./dump-model-smaps.ts";
import type { Dump, MthpCounters, ProcessDump } from "./dump.ts";
import type { ModelProcess, ProcessTable } from "./model-process.ts";

/** Only mappings in this window belong to the scenario, as in the lab. Pages. */
const TEST_FIRST = 0x100000;
const TEST_END = 0x7000000;

/** The state of these processes and of all folios that they map. */
export function dumpModel(
  machine: CountedMachine,
  table: ProcessTable,
  label: string,
  chosen: readonly ModelProcess[],
  labels: FolioLabels,
): Dump {
  const processes: Record<string, ProcessDump> = {};
  for (const process of chosen) processes[process.name] = dumpProcess(machine, process, labels);
  return {
    label,
    processes,
    folios: dumpFolios(machine, labels, (mmId) => table.ownerName(mmId)),
    ...dumpTotals(machine),
  };
}

/** The VMAs of a process that dumps show: those of the scenario. */
export function dumpedVmas({ mm }: ModelProcess): Vma[] {
  return mm.vmas.filter(({ start }) => start >= TEST_FIRST && start < TEST_END);
}

function dumpProcess(machine: CountedMachine, process: ModelProcess, labels: FolioLabels): ProcessDump {
  const vmas = dumpedVmas(process);
  const policy = process.boundNode < 0 ? "default" : `bind:${process.boundNode}`;
  return {
    vmas: vmas.map((vma) => dumpVma(machine, vma, policy)),
    pagemap: vmas.flatMap((vma) => pagemapRuns(machine.memory, vma, readPagemap(machine, vma), labels)),
  };
}

/** Sums over all folios of the machine, in pages. */
interface Totals {
  anonPages: number;
  mapped: number;
  shmem: number;
  anonHuge: number;
  shmemHuge: number;
  shmemPmdMapped: number;
  fileHuge: number;
  filePmdMapped: number;
  swapCached: number;
  mlocked: number;
  unevictable: number;
}

function sumFolios({ memory, kernel }: CountedMachine): Totals {
  const { frames } = memory;
  const sums: Totals = {
    anonPages: 0, mapped: 0, shmem: 0, anonHuge: 0, shmemHuge: 0, shmemPmdMapped: 0, fileHuge: 0, filePmdMapped: 0,
    swapCached: 0, mlocked: 0, unevictable: 0,
  }; // prettier-ignore
  for (let head = 0; head < frames.count; head += 2 ** frames.order[head]) {
    const kind = frames.kindOf(head);
    if (kind === FREE) continue;
    const pages = 2 ** frames.order[head];
    const isPmdMapped = kernel.counter.entireMapcount(head) > 0;
    if (kind === ANON || kind === KSM) {
      sums.anonPages += kernel.counter.statisticsPages(head);
      if (isPmdMapped) sums.anonHuge += pages;
    } else if (kind === SHMEM || kind === FILE) {
      sums.mapped += kernel.counter.statisticsPages(head);
      addCached(memory, sums, head, pages, kind === SHMEM, isPmdMapped);
    }
    if (hasFolioFlag(memory, head, "swapCache")) sums.swapCached += pages;
    if (hasFolioFlag(memory, head, "mlocked")) sums.mlocked += pages;
    if (hasFolioFlag(memory, head, "unevictable")) sums.unevictable += pages;
  }
  return sums;
}

function addCached(
  memory: Memory,
  sums: Totals,
  head: number,
  pages: number,
  isShmem: boolean,
  isPmdMapped: boolean,
): void {
  const isCached = memory.frames.rmapKey[head] !== 0;
  if (isShmem) {
    if (isCached) sums.shmem += pages;
    if (isCached && pages === 512) sums.shmemHuge += pages;
    if (isPmdMapped) sums.shmemPmdMapped += pages;
  } else {
    if (isCached && pages === 512) sums.fileHuge += pages;
    if (isPmdMapped) sums.filePmdMapped += pages;
  }
}

/** The order of /proc/vmstat's events in a dump. */
const VM_EVENTS = [
  "nr_anon_transparent_hugepages", "nr_foll_pin_acquired", "nr_foll_pin_released", "thp_fault_alloc", "thp_collapse_alloc",
  "thp_split_page", "thp_split_page_failed", "thp_deferred_split_page", "thp_split_pmd", "thp_zero_page_alloc",
  "thp_file_alloc", "thp_file_mapped", "thp_swpout", "pswpout", "pswpin", "pgmigrate_success", "thp_migration_success",
  "thp_migration_split", "cow_ksm", "ksm_swpin_copy",
] as const; // prettier-ignore

function dumpTotals(machine: CountedMachine): Pick<Dump, "meminfo_kB" | "test_kB" | "vmstat_delta" | "mthp" | "ksm"> {
  const { memory } = machine;
  const sums = sumFolios(machine);
  const vmstat: Record<string, number> = {};
  for (const name of VM_EVENTS) {
    const value =
      name === "nr_anon_transparent_hugepages" ? sums.anonHuge / 512 : (memory.statistics.events.get(name) ?? 0);
    if (value !== 0) vmstat[name] = value;
  }
  return {
    meminfo_kB: {
      AnonPages: sums.anonPages * 4,
      Mapped: sums.mapped * 4,
      Shmem: sums.shmem * 4,
      AnonHugePages: sums.anonHuge * 4,
      ShmemHugePages: sums.shmemHuge * 4,
      ShmemPmdMapped: sums.shmemPmdMapped * 4,
      FileHugePages: sums.fileHuge * 4,
      FilePmdMapped: sums.filePmdMapped * 4,
      SwapCached: sums.swapCached * 4,
      Mlocked: sums.mlocked * 4,
      Unevictable: sums.unevictable * 4,
      HugePages_Free: memory.hugetlb.free,
      HugePages_Rsvd: memory.hugetlb.reserved,
    },
    test_kB: { AnonPages: sums.anonPages * 4, Mapped: sums.mapped * 4 },
    vmstat_delta: vmstat,
    ...dumpMthp(memory),
    ksm: ksmReport(memory),
  };
}

function dumpMthp(memory: Memory): Pick<Dump, "mthp"> {
  const { nrAnon, nrAnonPartiallyMapped, split, splitDeferred } = memory.statistics.mthp;
  const mthp: Record<string, MthpCounters> = {};
  for (let order = 2; order <= 9; order++) {
    const values = {
      nr_anon: nrAnon[order],
      nr_anon_partially_mapped: nrAnonPartiallyMapped[order],
      split: split[order],
      split_deferred: splitDeferred[order],
    };
    if (Object.values(values).some((value) => value !== 0)) mthp[`${4 << order}kB`] = values;
  }
  return Object.keys(mthp).length === 0 ? {} : { mthp };
}
