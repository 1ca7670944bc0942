/**
 * The tables of a stored capture, back to facts. Every value is checked against what the rest of the program relies on:
 * rows that others point to exist, ranges of frames lie in the machine, codes are known.
 *
 * What is checked here is small; the runs, which are many, are checked by the readers while they count (load-runs.ts).
 */
import { join } from "node:path";
import { z } from "zod";
import {
  FOLIO_KIND_NAMES,
  FolioColumns,
  type FolioKind,
  type MapsVma,
  PAGE_SIZE_BYTES,
  type SmapsVmaFields,
  procRefusal,
} from "../kernel/index.ts";
import { BadCapture } from "./bad-capture.ts";
import type { CaptureFacts, SmallFrames } from "./capture-facts.ts";
import type { CapturedProcess, Machine, ProcessState } from "./capture.ts";
import type { Manifest } from "./manifest.ts";
import { type TableColumns, readTable } from "./parquet-table.ts";
import { VMAS_MAX } from "./read-plan.ts";
import { SmapsColumns, smapsSize } from "./smaps-columns.ts";
import {
  CORRECTIONS_TABLE,
  DISAGREEMENTS_TABLE,
  FOLIOS_TABLE,
  MACHINE_TABLE,
  PROCESSES_TABLE,
  SMAPS_COLUMNS,
  TABLES,
  type TableSchema,
  VMAS_TABLE,
} from "./table-schema.ts";
import { OBSERVED_NAMES } from "./write-tables.ts";

/** Frames of a machine: the tables over frames count them with 31 bits. 8 TiB. */
const FRAMES_MAX = 2 ** 31 - 1;
/** The largest folio: a 1 GiB hugetlb page. */
const ORDER_MAX = 18;
const PAGES_MAX = 2 ** 52;
const STATES: readonly string[] = ["complete", "ended", "refused", "shares-mm"] satisfies ProcessState[];
const MAPCOUNT_CONFIGS: readonly string[] = ["page", "nopage", "unknown"] satisfies Machine["mapcountConfig"][];

/** Reads all tables but the mappings. Throws BadCapture. */
export async function readTables(directory: string, { files }: Pick<Manifest, "files">): Promise<CaptureFacts> {
  const tables = new Map<TableSchema, TableColumns>();
  for (const schema of TABLES) {
    const path = join(directory, `${schema.name}.parquet`);
    const table = await readTable(path, schema);
    if (files.some(({ table: name, rows }) => name === schema.name && rows !== table.rows)) {
      throw new BadCapture("damaged", path, "has another number of rows than the manifest says");
    }
    tables.set(schema, table);
  }
  return parseTables(directory, tables);
}

/** The facts in tables, all of TABLES, that were read. Throws BadCapture where they cannot be. */
export function parseTables(directory: string, tables: ReadonlyMap<TableSchema, TableColumns>): CaptureFacts {
  const tableOf = (schema: TableSchema): TableColumns => {
    const table = tables.get(schema);
    if (table === undefined) throw new Error(`the table "${schema.name}" was not read`);
    return table;
  };
  const machine = parseMachine(tableOf(MACHINE_TABLE));
  if (machine.pageSizeBytes !== PAGE_SIZE_BYTES) {
    throw new BadCapture("other-page-size", directory, `has pages of ${machine.pageSizeBytes} bytes`);
  }
  const processTable = tableOf(PROCESSES_TABLE);
  const processes = parseProcesses(processTable);
  const vmaTable = tableOf(VMAS_TABLE);
  const vmas = parseVmas(vmaTable);
  const mmOfVma = Int32Array.from(vmaTable.numbers("mm"));
  checkAddressSpaces(processTable, vmaTable, processes, mmOfVma);
  const corrections = tableOf(CORRECTIONS_TABLE);
  const mapcount = Array.from(corrections.numbers("mapcount"));
  if (mapcount.some((count) => count < 0)) throw corrections.damaged("mapcount", "a negative count");
  return {
    machine,
    processes,
    vmas,
    mmOfVma,
    smaps: parseSmaps(vmaTable, vmas),
    ...parseFolios(tableOf(FOLIOS_TABLE), machine.frameCount),
    corrections: { pfn: parseFrames(corrections, machine.frameCount), mapcount },
    disagreements: parseFrames(tableOf(DISAGREEMENTS_TABLE), machine.frameCount),
  };
}

const ThpSizes = z.array(
  z.object({ sizeKb: z.number(), enabled: z.string().nullable(), shmemEnabled: z.string().nullable() }),
);

function parseMachine(table: TableColumns): Machine {
  if (table.rows !== 1) throw table.damaged("kernel_release", `${table.rows} machines`);
  const text = (name: string): string => table.texts(name)[0];
  const nullable = (name: string): string | null => table.nullableTexts(name)[0];
  const amount = (name: string): number => {
    const [value] = table.numbers(name);
    if (!(value >= 0)) throw table.damaged(name, "a negative number");
    return value;
  };
  const frameCount = amount("frame_count");
  if (frameCount < 1 || frameCount > FRAMES_MAX) throw table.damaged("frame_count", "an impossible number of frames");
  const mapcountConfig = text("mapcount_config");
  if (!MAPCOUNT_CONFIGS.includes(mapcountConfig)) throw table.damaged("mapcount_config", "an unknown word");
  return {
    kernelRelease: text("kernel_release"),
    architecture: text("architecture"),
    pageSizeBytes: amount("page_size_bytes"),
    mapcountConfig: mapcountConfig as Machine["mapcountConfig"],
    bootId: text("boot_id"),
    hostPseudonym: nullable("host_pseudonym"),
    beganAtMs: amount("began_at_ms"),
    endedAtMs: amount("ended_at_ms"),
    uptimeSeconds: amount("uptime_seconds"),
    processorCount: amount("processor_count"),
    frameCount,
    thpEnabled: nullable("thp_enabled"),
    thpShmemEnabled: nullable("thp_shmem_enabled"),
    thpSizes: parseJson(table, "thp_sizes_json", ThpSizes),
    ksmPagesShared: amount("ksm_pages_shared"),
    options: parseJson(table, "options_json", z.record(z.string(), z.string())),
    meminfo: parseJson(table, "meminfo_json", z.record(z.string(), z.number())),
  };
}

function parseJson<T>(table: TableColumns, name: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(table.texts(name)[0]));
  } catch {
    throw table.damaged(name, "no JSON of the expected form");
  }
}

function parseProcesses(table: TableColumns): CapturedProcess[] {
  const [pid, ppid, uid] = ["pid", "ppid", "uid"].map((name) => table.numbers(name));
  const [userName, name, command, cgroup, state] = ["user_name", "name", "command", "cgroup", "state"].map((column) =>
    table.texts(column),
  );
  const [code, what] = ["refusal_code", "refusal_what"].map((column) => table.nullableTexts(column));
  const [mm, firstVma, endVma] = ["mm", "first_vma", "end_vma"].map((column) => table.numbers(column));
  const [size, rss, swap, pte, hugetlb] = [
    "vm_size_bytes",
    "vm_rss_bytes",
    "vm_swap_bytes",
    "vm_pte_bytes",
    "hugetlb_bytes",
  ].map((column) => table.numbers(column));
  return Array.from({ length: table.rows }, (_, row) => {
    if (!STATES.includes(state[row])) throw table.damaged("state", "an unknown word");
    return {
      pid: pid[row],
      ppid: ppid[row],
      uid: uid[row],
      userName: userName[row],
      name: name[row],
      command: command[row],
      cgroup: cgroup[row],
      state: state[row] as ProcessState,
      refusal: refusalOf(code[row], what[row]),
      mm: mm[row],
      firstVma: firstVma[row],
      endVma: endVma[row],
      status: {
        vmSizeBytes: definedAt(size, row),
        vmRssBytes: definedAt(rss, row),
        vmSwapBytes: definedAt(swap, row),
        vmPteBytes: definedAt(pte, row),
        hugetlbBytes: definedAt(hugetlb, row),
      },
    };
  });
}

/** A nullable number as the rest of the program has it. */
function definedAt(numbers: Float64Array, row: number): number | undefined {
  return Number.isNaN(numbers[row]) ? undefined : numbers[row];
}

function refusalOf(code: string | null, what: string | null): CapturedProcess["refusal"] {
  return code === null || what === null ? null : procRefusal(code, what);
}

function parseVmas(table: TableColumns): MapsVma[] {
  if (table.rows > VMAS_MAX) throw table.damaged("vma", `more than ${VMAS_MAX} VMAs`);
  const row = table.numbers("vma");
  const [start, end, offset, inode] = ["start_address", "end_address", "offset_bytes", "inode"].map((name) =>
    table.words(name),
  );
  const [perms, device, name] = ["perms", "device", "name"].map((column) => table.texts(column));
  return Array.from({ length: table.rows }, (_, index) => {
    if (row[index] !== index) throw table.damaged("vma", "rows out of their order");
    const startPage = pageAt(start, index);
    const endPage = pageAt(end, index);
    if (!(startPage < endPage && endPage <= PAGES_MAX)) throw table.damaged("end_address", "an impossible range");
    if (!/^[r-][w-][x-][sp]$/.test(perms[index])) throw table.damaged("perms", "no permissions");
    if (!/^[0-9a-f]{1,8}:[0-9a-f]{1,8}$/.test(device[index])) throw table.damaged("device", "no device");
    const offsetNumber = wideNumber(offset, index);
    const inodeNumber = wideNumber(inode, index);
    const vma = {
      startPage,
      endPage,
      read: perms[index].startsWith("r"),
      write: perms[index][1] === "w",
      exec: perms[index][2] === "x",
      shared: perms[index].endsWith("s"),
      offset: offsetNumber,
      offsetHex: wideBigInt(offset, index).toString(16).padStart(8, "0"),
      device: device[index],
      inode: inodeNumber,
      name: name[index],
    };
    return Number.isSafeInteger(inodeNumber) ? vma : { ...vma, inodeText: wideBigInt(inode, index).toString() };
  });
}

/** The page of a 64-bit address; NaN if it is not page-aligned. */
function pageAt(words: Int32Array, index: number): number {
  const low = words[2 * index];
  if ((low & (PAGE_SIZE_BYTES - 1)) !== 0) return Number.NaN;
  return (low >>> 12) + (words[2 * index + 1] >>> 0) * 1_048_576;
}

function wideNumber(words: Int32Array, index: number): number {
  return (words[2 * index] >>> 0) + (words[2 * index + 1] >>> 0) * 2 ** 32;
}

function wideBigInt(words: Int32Array, index: number): bigint {
  return (BigInt(words[2 * index + 1] >>> 0) << 32n) | BigInt(words[2 * index] >>> 0);
}

/** VMAs lie together by address space, in ascending order, and every process points to exactly those of its own. */
function checkAddressSpaces(
  processTable: TableColumns,
  vmaTable: TableColumns,
  processes: readonly CapturedProcess[],
  mmOfVma: Int32Array,
): void {
  const mmCount = processes.length;
  const first = new Int32Array(mmCount).fill(-1);
  const end = new Int32Array(mmCount);
  for (const [vma, mm] of mmOfVma.entries()) {
    if (mm < 0 || mm >= mmCount || (vma > 0 && mm < mmOfVma[vma - 1])) throw vmaTable.damaged("mm", "a wrong row");
    if (first[mm] < 0) first[mm] = vma;
    end[mm] = vma + 1;
  }
  const owned = new Uint8Array(mmCount);
  for (const { mm, state, firstVma, endVma } of processes) {
    if (mm < -1 || mm >= mmCount || (mm === -1) !== (state === "refused")) {
      throw processTable.damaged("mm", "an address space that does not exist");
    }
    if (mm < 0) continue;
    owned[mm] = 1;
    const fits = first[mm] < 0 ? firstVma === endVma : firstVma === first[mm] && endVma === end[mm];
    if (!fits) throw processTable.damaged("first_vma", "VMAs that are not the process's own");
  }
  if (first.some((vma, mm) => vma >= 0 && owned[mm] === 0)) throw vmaTable.damaged("mm", "an address space of nobody");
}

function parseSmaps(table: TableColumns, vmas: readonly MapsVma[]): SmapsColumns {
  const vmFlags = table.nullableTexts("smaps_vm_flags");
  if (vmFlags.every((flags) => flags === null)) return new SmapsColumns(0);
  const smaps = new SmapsColumns(vmas.length);
  const columns = SMAPS_COLUMNS.map(({ column, ...rest }) => ({
    ...rest,
    column,
    values: table.numbers(column),
  }));
  for (const [row, flags] of vmFlags.entries()) {
    if (flags === null) continue;
    const fields: Record<string, unknown> = { size: smapsSize(vmas[row]), vmFlags: [flags] };
    for (const { column, key, always, values } of columns) {
      const value = definedAt(values, row);
      if (value === undefined ? always : value < 0) throw table.damaged(column, "an impossible figure");
      if (value !== undefined) fields[key] = value;
    }
    smaps.set(row, fields as unknown as SmapsVmaFields);
  }
  return smaps;
}

const KIND_OF_NAME: ReadonlyMap<string, number> = new Map(FOLIO_KIND_NAMES.map((name, kind) => [name, kind]));

function parseFolios(
  table: TableColumns,
  frameCount: number,
): Pick<CaptureFacts, "folios" | "folioFlags" | "folioCgroups" | "small"> {
  const [head, pages, order] = ["head_pfn", "pages", "order"].map((name) => table.numbers(name));
  const kind = table.texts("kind").map((name) => KIND_OF_NAME.get(name) ?? -1);
  const flags = table.words("flags");
  const largeColumns = new LargeColumns(table);
  const cgroup = table.nullableTexts("cgroup");
  const folios = new FolioColumns(
    Math.max(
      1,
      order.reduce((count, value) => count + (value > 0 ? 1 : 0), 0),
    ),
  );
  const low: number[] = [];
  const high: number[] = [];
  const folioCgroups = new Map<number, string>();
  const small = { pfn: [], frames: [], kind: [], flagsLow: [], flagsHigh: [] } satisfies {
    [K in keyof SmallFrames]: number[];
  } as { [K in keyof SmallFrames]: number[] };
  const behind = { small: 0, large: 0 };
  for (let row = 0; row < table.rows; row++) {
    const size = order[row] > 0 ? "large" : "small";
    if (!(order[row] >= 0 && order[row] <= ORDER_MAX)) throw table.damaged("order", "an impossible order");
    if (kind[row] < 0) throw table.damaged("kind", "an unknown word");
    if (pages[row] < 1 || (size === "large" && pages[row] !== 2 ** order[row])) {
      throw table.damaged("pages", "an impossible number of pages");
    }
    const start = head[row];
    const isAligned = size === "small" || start % pages[row] === 0;
    const isInside = size === "small" ? start + pages[row] <= frameCount : start < frameCount;
    if (start < behind[size] || !isInside || !isAligned) throw table.damaged("head_pfn", "an impossible frame");
    behind[size] = start + pages[row];
    if (size === "small") {
      small.pfn.push(start);
      small.frames.push(pages[row]);
      small.kind.push(kind[row]);
      small.flagsLow.push(flags[2 * row]);
      small.flagsHigh.push(flags[2 * row + 1]);
      continue;
    }
    const folio = folios.append(start, order[row], kind[row] as FolioKind, largeColumns.headExclusive(row));
    low.push(flags[2 * row]);
    high.push(flags[2 * row + 1]);
    largeColumns.copyTo(folios, folio, row);
    const group = cgroup[row];
    if (group !== null) folioCgroups.set(folio, group);
  }
  return { folios, folioFlags: { low: Int32Array.from(low), high: Int32Array.from(high) }, folioCgroups, small };
}

const LARGE_COLUMNS = [
  ["entries", "entries"],
  ["pmd_entries", "pmdEntries"],
  ["mapped_pages", "mappedPages"],
  ["mm_count", "mmCount"],
  ["pages_mapped", "pagesMapped"],
  ["mapped_outside", "mappedOutside"],
] as const;

/** The columns that only large folios have. */
class LargeColumns {
  private readonly table: TableColumns;
  private readonly counts;
  private readonly exclusive;
  private readonly observed;

  constructor(table: TableColumns) {
    this.table = table;
    this.counts = LARGE_COLUMNS.map(([name, key]) => ({ name, key, values: table.numbers(name) }));
    this.exclusive = table.numbers("head_exclusive");
    this.observed = table.nullableTexts("observed");
  }

  headExclusive(row: number): boolean {
    const exclusive = this.exclusive[row];
    if (Number.isNaN(exclusive)) throw this.table.damaged("head_exclusive", "no value for a large folio");
    return exclusive === 1;
  }

  copyTo(folios: FolioColumns, folio: number, row: number): void {
    for (const { name, key, values } of this.counts) {
      const value = values[row];
      if (!(value >= 0)) throw this.table.damaged(name, "no count for a large folio");
      folios[key][folio] = value;
    }
    if (folios.pagesMapped[folio] > 2 ** folios.order[folio]) {
      throw this.table.damaged("pages_mapped", "more pages than the folio has");
    }
    const observed = OBSERVED_NAMES.indexOf(this.observed[row] ?? "");
    if (observed < 0) throw this.table.damaged("observed", "an unknown word");
    folios.observed[folio] = observed;
  }
}

function parseFrames(table: TableColumns, frameCount: number): number[] {
  const frames = Array.from(table.numbers("pfn"));
  for (const [index, pfn] of frames.entries()) {
    if (pfn < 0 || pfn >= frameCount || (index > 0 && pfn <= frames[index - 1])) {
      throw table.damaged("pfn", "an impossible frame");
    }
  }
  return frames;
}
