/**
 * Two system calls that Node does not offer, through koffi if it is installed: ioctl(PAGEMAP_SCAN) and kcmp.
 *
 * koffi is optional. Without it captures work: holes are read through instead of skipped, the level of huge mappings is
 * not known, and processes that share one address space are not recognised; the capture says so. This file is the only
 * one that knows koffi.
 */
import { createRequire } from "node:module";
import {
  PAGEMAP_SCAN,
  PAGEMAP_SCAN_ARGUMENT_BYTES,
  PAGEMAP_SCAN_REGION_BYTES,
  decodeScanRegions,
  encodeScanArgument,
} from "../kernel/index.ts";

/** System calls on this thread. */
export interface SystemCalls {
  /**
   * One PAGEMAP_SCAN over pages [from, to) for entries in any of `anyOf`'s categories and all of `mask`'s.
   * Fills `regions` with pairs of page numbers [start, end) and returns their count, or -errno.
   * At most 512 regions and `maxPages` pages are found by one call; `walkEnd` says where it stopped.
   */
  scan(request: ScanRequest): number;
  /** Whether two processes share one address space (kcmp KCMP_VM); undefined where the kernel does not say. */
  sharesAddressSpace(pidA: number, pidB: number): boolean | undefined;
}

export interface ScanRequest {
  fd: number;
  from: number;
  to: number;
  maxPages: number;
  mask: number;
  anyOf: number;
  /** In: room for 512 pairs. Out: pairs of page numbers. */
  readonly regions: Float64Array;
  /** Out: page number where the walk ended. */
  walkEnd: number;
}

/** Regions a call may report: more than 512 repeat data (capture-and-peers C.7, trap 1). */
export const SCAN_REGIONS_MAX = 512;

/** The system calls, or a sentence that says why there are none. */
export function loadSystemCalls(): { calls: SystemCalls } | { missing: string } {
  if (process.platform !== "linux") return { missing: `PAGEMAP_SCAN is a call of Linux; this is ${process.platform}` };
  if (process.env["FOLIOMETER_NO_KOFFI"] === "1") return { missing: "koffi is switched off by FOLIOMETER_NO_KOFFI" };
  try {
    return { calls: bind(createRequire(import.meta.url)("koffi") as Koffi) };
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { missing: `the optional package koffi cannot be loaded (${why})` };
  }
}

type NativeFunction = (...values: readonly unknown[]) => number;

interface Koffi {
  load(path: null): { func(prototype: string): NativeFunction };
  address(buffer: Uint8Array): bigint;
  errno(): number;
}

const SYS_KCMP: Readonly<Partial<Record<string, number>>> = {
  x64: 312,
  arm64: 272,
  riscv64: 272,
  s390x: 343,
  ppc64: 354,
};
const KCMP_VM = 1;

function bind(koffi: Koffi): SystemCalls {
  const libc = koffi.load(null);
  const ioctl = libc.func("int ioctl(int fd, unsigned long request, void *argument)");
  const syscall = libc.func(
    "long syscall(long number, int pid1, int pid2, int type, unsigned long a, unsigned long b)",
  );
  const argument = Buffer.alloc(PAGEMAP_SCAN_ARGUMENT_BYTES);
  const view = new DataView(argument.buffer, argument.byteOffset, argument.length);
  const vector = Buffer.alloc(PAGEMAP_SCAN_REGION_BYTES * SCAN_REGIONS_MAX);
  const vectorView = new DataView(vector.buffer, vector.byteOffset, vector.length);
  const vectorAddress = koffi.address(vector);
  const kcmp = SYS_KCMP[process.arch];
  return {
    scan(request) {
      encodeScanArgument(view, {
        startPage: request.from,
        endPage: request.to,
        vectorAddress,
        vectorLength: SCAN_REGIONS_MAX,
        maxPages: request.maxPages,
        categoryMask: request.mask,
        categoryAnyofMask: request.anyOf,
        returnMask: 0,
      });
      const found = ioctl(request.fd, PAGEMAP_SCAN, argument);
      if (found < 0) return -koffi.errno();
      request.walkEnd = decodeScanRegions(view, vectorView, found, request.regions);
      return found;
    },
    sharesAddressSpace(pidA, pidB) {
      if (kcmp === undefined) return undefined;
      const order = syscall(kcmp, pidA, pidB, KCMP_VM, 0, 0);
      return order < 0 ? undefined : order === 0;
    },
  };
}
