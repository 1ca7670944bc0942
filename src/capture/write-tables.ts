/**
 * The facts of a capture as the columns of its tables, and onto disk.
 */
import { join } from "node:path";
import { FOLIO_KIND_NAMES, type MapsVma, PAGE_SHIFT, formatProcRefusal } from "../kernel/index.ts";
import type { CaptureFacts } from "./capture-facts.ts";
import type { CapturedProcess, Machine } from "./capture.ts";
import { type ColumnSource, type WrittenFile, writeTable } from "./parquet-table.ts";
import {
  CORRECTIONS_TABLE,
  DISAGREEMENTS_TABLE,
  FOLIOS_TABLE,
  MACHINE_TABLE,
  PROCESSES_TABLE,
  SMAPS_COLUMNS,
  type TableSchema,
  VMAS_TABLE,
} from "./table-schema.ts";

type Columns = Readonly<Record<string, ColumnSource>>;

/** Writes all tables but the mappings into a directory; returns what was written, for the manifest. */
export function writeTables(
  directory: string,
  facts: CaptureFacts,
): (WrittenFile & { readonly name: string; readonly table: string })[] {
  const { machine, processes, vmas, folios, small, corrections, disagreements } = facts;
  const write = (
    schema: TableSchema,
    rows: number,
    columns: Columns,
  ): WrittenFile & { name: string; table: string } => {
    const name = `${schema.name}.parquet`;
    return { name, table: schema.name, ...writeTable(join(directory, name), schema, rows, columns) };
  };
  return [
    write(MACHINE_TABLE, 1, machineColumns(machine)),
    write(PROCESSES_TABLE, processes.length, processColumns(processes)),
    write(VMAS_TABLE, vmas.length, vmaColumns(facts)),
    write(FOLIOS_TABLE, folios.count + small.pfn.length, folioColumns(facts)),
    write(CORRECTIONS_TABLE, corrections.pfn.length, {
      pfn: (row) => corrections.pfn[row],
      mapcount: (row) => corrections.mapcount[row],
    }),
    write(DISAGREEMENTS_TABLE, disagreements.length, { pfn: (row) => disagreements[row] }),
  ];
}

function machineColumns(machine: Machine): Columns {
  return {
    kernel_release: () => machine.kernelRelease,
    architecture: () => machine.architecture,
    page_size_bytes: () => machine.pageSizeBytes,
    mapcount_config: () => machine.mapcountConfig,
    boot_id: () => machine.bootId,
    host_pseudonym: () => machine.hostPseudonym,
    began_at_ms: () => machine.beganAtMs,
    ended_at_ms: () => machine.endedAtMs,
    uptime_seconds: () => machine.uptimeSeconds,
    processor_count: () => machine.processorCount,
    frame_count: () => machine.frameCount,
    thp_enabled: () => machine.thpEnabled,
    thp_shmem_enabled: () => machine.thpShmemEnabled,
    thp_sizes_json: () => JSON.stringify(machine.thpSizes),
    ksm_pages_shared: () => machine.ksmPagesShared,
    options_json: () => JSON.stringify(machine.options),
    meminfo_json: () => JSON.stringify(machine.meminfo),
  };
}

function processColumns(processes: readonly CapturedProcess[]): Columns {
  return {
    pid: (row) => processes[row].pid,
    ppid: (row) => processes[row].ppid,
    uid: (row) => processes[row].uid,
    user_name: (row) => processes[row].userName,
    name: (row) => processes[row].name,
    command: (row) => processes[row].command,
    cgroup: (row) => processes[row].cgroup,
    state: (row) => processes[row].state,
    refusal_code: (row) => refusalCode(processes[row]),
    refusal_what: (row) => processes[row].refusal?.what ?? null,
    refusal: (row) => refusalSentence(processes[row]),
    mm: (row) => processes[row].mm,
    first_vma: (row) => processes[row].firstVma,
    end_vma: (row) => processes[row].endVma,
    vm_size_bytes: (row) => processes[row].status.vmSizeBytes ?? null,
    vm_rss_bytes: (row) => processes[row].status.vmRssBytes ?? null,
    vm_swap_bytes: (row) => processes[row].status.vmSwapBytes ?? null,
    vm_pte_bytes: (row) => processes[row].status.vmPteBytes ?? null,
    hugetlb_bytes: (row) => processes[row].status.hugetlbBytes ?? null,
  };
}

function refusalCode({ refusal }: CapturedProcess): string | null {
  if (refusal === null) return null;
  return refusal.code === "other" ? refusal.errno : refusal.code;
}

function refusalSentence({ refusal }: CapturedProcess): string | null {
  return refusal === null ? null : formatProcRefusal(refusal);
}

function vmaColumns({ vmas, mmOfVma, processes, smaps }: CaptureFacts): Columns {
  const pidOfMm = new Map<number, number>();
  for (const { mm, pid } of processes) if (mm >= 0 && !pidOfMm.has(mm)) pidOfMm.set(mm, pid);
  return {
    vma: (row) => row,
    mm: (row) => mmOfVma[row],
    pid: (row) => pidOfMm.get(mmOfVma[row]) ?? 0,
    start_address: (row) => addressOf(vmas[row].startPage),
    end_address: (row) => addressOf(vmas[row].endPage),
    perms: (row) => permissionsOf(vmas[row]),
    offset_bytes: (row) => BigInt(`0x${vmas[row].offsetHex}`),
    device: (row) => vmas[row].device,
    inode: (row) => BigInt(vmas[row].inodeText ?? vmas[row].inode),
    name: (row) => vmas[row].name,
    ...Object.fromEntries(
      SMAPS_COLUMNS.map(({ column, key }) => [column, (row: number) => smaps.figure(key, row)] as const),
    ),
    smaps_vm_flags: (row) => smaps.vmFlags(row),
  };
}

function addressOf(page: number): bigint {
  return BigInt(page) << BigInt(PAGE_SHIFT);
}

function permissionsOf({ read, write, exec, shared }: MapsVma): string {
  return `${read ? "r" : "-"}${write ? "w" : "-"}${exec ? "x" : "-"}${shared ? "s" : "p"}`;
}

/** How the running kernel reports a folio's sharing, by OBSERVED_ code. */
export const OBSERVED_NAMES: readonly string[] = ["unknown", "exclusive", "shared"];

/** Large folios and runs of small frames in one table, ascending by frame. */
function folioColumns({ folios, folioFlags, folioCgroups, small }: CaptureFacts): Columns {
  const smallCount = small.pfn.length;
  const pfnOf = (index: number): number => (index < smallCount ? small.pfn[index] : folios.headPfn[index - smallCount]);
  // Indexes below smallCount are small runs, the others large folios.
  const order = Uint32Array.from({ length: smallCount + folios.count }, (_, index) => index).sort(
    (a, b) => pfnOf(a) - pfnOf(b),
  );
  const either =
    <T>(ofSmall: (index: number) => T, ofLarge: (folio: number) => T) =>
    (row: number): T =>
      order[row] < smallCount ? ofSmall(order[row]) : ofLarge(order[row] - smallCount);
  const large = <T>(ofLarge: (folio: number) => T): ((row: number) => T | null) =>
    either<T | null>(() => null, ofLarge);
  return {
    head_pfn: (row) => pfnOf(order[row]),
    pages: either(
      (index) => small.frames[index],
      (folio) => 2 ** folios.order[folio],
    ),
    order: either(
      () => 0,
      (folio) => folios.order[folio],
    ),
    kind: either(
      (index) => FOLIO_KIND_NAMES[small.kind[index]],
      (folio) => FOLIO_KIND_NAMES[folios.kind[folio]],
    ),
    flags: either(
      (index) => wordsToBigInt(small.flagsLow[index], small.flagsHigh[index]),
      (folio) => wordsToBigInt(folioFlags.low[folio], folioFlags.high[folio]),
    ),
    entries: large((folio) => folios.entries[folio]),
    pmd_entries: large((folio) => folios.pmdEntries[folio]),
    mapped_pages: large((folio) => folios.mappedPages[folio]),
    mm_count: large((folio) => folios.mmCount[folio]),
    pages_mapped: large((folio) => folios.pagesMapped[folio]),
    head_exclusive: large((folio) => folios.headExclusive[folio] === 1),
    mapped_outside: large((folio) => folios.mappedOutside[folio]),
    observed: large((folio) => OBSERVED_NAMES[folios.observed[folio]] ?? OBSERVED_NAMES[0]),
    cgroup: large((folio) => folioCgroups.get(folio) ?? null),
  };
}

function wordsToBigInt(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
