/**
 * Reads what the running machine is: release, options, settings, clocks, meminfo.
 *
 * Everything is optional but /proc itself: what cannot be read is null or a note, never a guess.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, readSync } from "node:fs";
import os from "node:os";
import { gunzipSync } from "node:zlib";
import {
  type KernelConfig,
  PAGE_SIZE_BYTES,
  pageMapcountConfig,
  parseKernelConfig,
  parseMeminfoText,
} from "../kernel/index.ts";
import type { Machine, ThpSizeSettings } from "./capture.ts";

const THP = "/sys/kernel/mm/transparent_hugepage";
const OPTIONS: ReadonlySet<string> = new Set([
  "CONFIG_PAGE_MAPCOUNT",
  "CONFIG_NO_PAGE_MAPCOUNT",
  "CONFIG_TRANSPARENT_HUGEPAGE",
  "CONFIG_DEVICE_PRIVATE",
  "CONFIG_MIGRATION",
  "CONFIG_MEMORY_FAILURE",
  "CONFIG_MEM_SOFT_DIRTY",
  "CONFIG_KSM",
]);

/** The text of a file, or null if it cannot be read. */
export function readTextOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** The machine now; `endedAtMs` and `meminfo` are set when the capture ends. */
export function readMachine(frameCount: number): Machine {
  const kernelRelease = os.release();
  const config = readKernelConfig(kernelRelease);
  const now = Date.now();
  return {
    kernelRelease,
    architecture: process.arch,
    pageSizeBytes: readPageSizeBytes(),
    mapcountConfig: pageMapcountConfig(config, kernelRelease),
    bootId: readTextOrNull("/proc/sys/kernel/random/boot_id")?.trim() ?? "",
    hostPseudonym: null,
    beganAtMs: now,
    endedAtMs: now,
    uptimeSeconds: os.uptime(),
    processorCount: os.cpus().length,
    frameCount,
    thpEnabled: selected(readTextOrNull(`${THP}/enabled`)),
    thpShmemEnabled: selected(readTextOrNull(`${THP}/shmem_enabled`)),
    thpSizes: readThpSizes(),
    ksmPagesShared: Number(readTextOrNull("/sys/kernel/mm/ksm/pages_shared") ?? "0"),
    options: Object.fromEntries([...(config ?? [])].filter(([name]) => OPTIONS.has(name))),
    meminfo: readMeminfo(),
  };
}

/** /proc/meminfo as a plain record. The counters behind it lag by up to a second (kernel-facts 3.10). */
export function readMeminfo(): Record<string, number> {
  const text = readTextOrNull("/proc/meminfo");
  return text === null ? {} : Object.fromEntries(parseMeminfoText(text));
}

/** The kernel's options from /proc/config.gz or /boot, if either is there. */
function readKernelConfig(release: string): KernelConfig | undefined {
  try {
    return parseKernelConfig(gunzipSync(readFileSync("/proc/config.gz")).toString("utf8"));
  } catch {
    // Built without IKCONFIG_PROC: distributions put the same text under /boot.
    const text = readTextOrNull(`/boot/config-${release}`);
    return text === null ? undefined : parseKernelConfig(text);
  }
}

/** The base page size. x86 has one; elsewhere the C library is asked. */
function readPageSizeBytes(): number {
  if (process.arch === "x64" || process.arch === "ia32") return PAGE_SIZE_BYTES;
  try {
    return Number(execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" }).trim());
  } catch {
    return PAGE_SIZE_BYTES;
  }
}

/** The bracketed word of a sysfs choice: "always [madvise] never" -> "madvise". */
function selected(text: string | null): string | null {
  return text === null ? null : (/\[([^\]]+)\]/.exec(text)?.[1] ?? text.trim());
}

function readThpSizes(): ThpSizeSettings[] {
  if (!existsSync(THP)) return [];
  return readdirSync(THP)
    .flatMap((name) => {
      const sizeKb = /^hugepages-([0-9]+)kB$/.exec(name)?.[1];
      if (sizeKb === undefined) return [];
      const enabled = selected(readTextOrNull(`${THP}/${name}/enabled`));
      const shmemEnabled = selected(readTextOrNull(`${THP}/${name}/shmem_enabled`));
      return [{ sizeKb: Number(sizeKb), enabled, shmemEnabled }];
    })
    .toSorted((a, b) => a.sizeKb - b.sizeKb);
}

/**
 * Frames that /proc/kpageflags covers: the end of the file, which has no size, found by halving. The kernel rounds it up
 * to whole sections (kernel-facts 3.9).
 */
export function findFrameCount(fd: number): number {
  const entry = Buffer.allocUnsafeSlow(8);
  const exists = (pfn: number): boolean => readSync(fd, entry, 0, 8, pfn * 8) === 8;
  if (!exists(0)) return 0;
  let below = 1;
  while (exists(below)) below *= 2;
  let low = below / 2;
  let high = below;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (exists(middle)) low = middle;
    else high = middle;
  }
  return high;
}
