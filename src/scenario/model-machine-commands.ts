/**
 * The commands of the machine on the model: processes, settings, ksmd, swap, split.
 *
 * A setting that the model does not have is refused; one whose effect it has by construction (khugepaged asleep, no
 * deferred work) is accepted at the value that says so.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import {
  EINVAL,
  ESRCH,
  type Memory,
  type ShmemSizeSwitch,
  Unsupported,
  closeAllPins,
  exitMm,
  changeKsmSetting,
  forkMm,
  inheritPins,
  ksmScan,
  splitRange,
  swapOff,
  swapOn,
} from "../memory/index.ts";
import type { MachineCommand } from "./command.ts";
import { closeFile, holdFile } from "./model-file-commands.ts";
import type { ModelProcess } from "./model-process.ts";
import type { ModelRun } from "./model-run.ts";

/** The lab learns a process's mm id from a large folio that it faults in there: new pages before it reach the LRU list. */
function probeMmId(memory: Memory): void {
  memory.lruBatches.forgetAdded();
}

/**
 * Starts a process with an empty test window. The lab's program then faults a large folio in it, outside of the window, to
 * learn its mm id: that works the LRU batches off.
 */
export function spawnProcess(run: ModelRun, name: string): string {
  const process = run.table.add(name, run.machine.memory.createMm(name));
  probeMmId(run.machine.memory);
  return `pid ${process.pid} mm_id ${process.mmId}`;
}

/** fork(2): the address space, and every open file. The LRU batches are worked off as by spawnProcess. */
export function forkProcess(run: ModelRun, parent: ModelProcess, name: string): string {
  const { memory } = run.machine;
  const mm = forkMm(memory, parent.mm, name);
  inheritPins(memory, parent.mm, mm);
  const child = run.table.add(name, mm, parent);
  for (const file of child.files.values()) holdFile(file);
  probeMmId(memory);
  return `pid ${child.pid} mm_id ${child.mmId}`;
}

/** The end of a process: its memory first, then its files (do_exit's order). */
export function exitProcess(run: ModelRun, process: ModelProcess): void {
  const { memory } = run.machine;
  exitMm(memory, process.mm);
  closeAllPins(memory, process.mm);
  for (const file of process.files.values()) closeFile(memory, file);
  process.files.clear();
  process.alive = false;
}

/** Everything that is no process's own command and no dump. 0, a positive result, or -errno. */
export function runMachineCommand(run: ModelRun, command: MachineCommand): number {
  const { memory } = run.machine;
  switch (command.kind) {
    case "thp":
      memory.thp.size[orderOfKb(command.sizeKb)] = command.value;
      return 0;
    case "shmthp":
      return setShmemSize(memory, orderOfKb(command.sizeKb), command.value);
    case "sys":
      return writeSetting(memory, command.path, command.value);
    case "ksmscan":
      return ksmScan(memory, command.scans);
    case "swapon":
      return swapOn(memory, command.path);
    case "swapoff":
      return swapOff(memory, command.path);
    case "split": {
      const process = run.find(command.process);
      if (process === undefined) return -ESRCH;
      const end = command.address + command.lengthBytes;
      return splitRange(memory, process.mm, command.address, end, command.order);
    }
    default:
      return 0;
  }
}

/** thpsize_shmem_enabled_store. */
function setShmemSize({ thp }: Memory, order: number, value: ShmemSizeSwitch): number {
  if (value === "inherit" && thp.shmemEnabled === "force" && order !== HPAGE_PMD_ORDER) return -EINVAL;
  thp.shmemSize[order] = value;
  return 0;
}

function orderOfKb(sizeKb: number): number {
  return Math.log2(sizeKb / 4);
}

const THP_FOLDER = "/sys/kernel/mm/transparent_hugepage/";
const KSM_FOLDER = "/sys/kernel/mm/ksm/";
const SIZE_SETTING = /^hugepages-(\d+)kB\/(enabled|shmem_enabled)$/;

function writeSetting(memory: Memory, path: string, value: string): number {
  if (path.startsWith(THP_FOLDER)) return writeThpSetting(memory, path.slice(THP_FOLDER.length), value);
  if (path.startsWith(KSM_FOLDER) && /^\d{1,9}$/.test(value)) {
    return changeKsmSetting(memory, path.slice(KSM_FOLDER.length), Number(value));
  }
  if (path === "/proc/sys/vm/nr_hugepages" && /^\d{1,3}$/.test(value)) {
    if (memory.hugetlb.resize(Number(value))) return 0;
    throw new Unsupported(`sys ${path} ${value}`, "fewer huge pages than are in use or promised");
  }
  const known = HARMLESS_SETTINGS.get(path);
  if (known?.test(value) === true) return 0;
  throw new Unsupported(`sys ${path} ${value}`, "the model has no such setting");
}

/** Settings that decide nothing here: batches are always drained, statistics always exact, nothing scans by itself. */
const HARMLESS_SETTINGS: ReadonlyMap<string, RegExp> = new Map([
  ["/proc/sys/vm/stat_refresh", /^.*$/],
  ["/proc/sys/vm/compact_memory", /^1$/],
  ["/proc/sys/vm/drop_caches", /^2$/],
]);

function isOneOf<T extends string>(value: string, values: readonly T[]): value is T {
  return values.some((one) => one === value);
}

function writeThpSetting(memory: Memory, name: string, value: string): number {
  const { thp } = memory;
  const size = SIZE_SETTING.exec(name);
  if (size !== null) {
    const order = orderOfKb(Number(size[1]));
    if (size[2] === "enabled") {
      if (!isOneOf(value, ["always", "madvise", "inherit", "never"])) return -EINVAL;
      thp.size[order] = value;
    } else {
      if (!isOneOf(value, ["always", "within_size", "advise", "inherit", "never"])) return -EINVAL;
      return setShmemSize(memory, order, value);
    }
    return 0;
  }
  // khugepaged sleeps: how it would work decides nothing.
  if (/^khugepaged\/[a-z_]+$/.test(name)) return 0;
  if (name === "enabled") {
    if (!isOneOf(value, ["always", "madvise", "never"])) return -EINVAL;
    thp.enabled = value;
    return 0;
  }
  if (name === "shmem_enabled") {
    if (!isOneOf(value, ["always", "within_size", "advise", "never", "deny", "force"])) return -EINVAL;
    // Nothing but the size of a PMD may be inherited from force.
    const inherits = thp.shmemSize.flatMap((own, order) => (own === "inherit" ? [order] : []));
    if (value === "force" && String(inherits) !== String([HPAGE_PMD_ORDER])) return -EINVAL;
    thp.shmemEnabled = value;
    if (value !== "force" && value !== "deny") thp.shmemMount = value;
    return 0;
  }
  if (name === "use_zero_page") {
    if (value !== "0" && value !== "1") return -EINVAL;
    thp.useZeroPage = value === "1";
    return 0;
  }
  if (name === "defrag" && isOneOf(value, ["always", "defer", "defer+madvise", "madvise", "never"])) return 0;
  if (/^khugepaged\/(?:scan_sleep_millisecs|alloc_sleep_millisecs)$/.test(name) && /^\d{5,}$/.test(value)) return 0;
  throw new Unsupported(`sys ${THP_FOLDER}${name} ${value}`, "the model has no such setting");
}
