/**
 * The memory control groups of partially mapped folios: /proc/kpagecgroup names a group by its directory's inode.
 *
 * Only those folios are asked for: for all others whole-folio counting changes nothing. The directories are walked once,
 * and only if there is such a folio.
 */
import { closeSync, openSync, readSync, readdirSync, statSync } from "node:fs";
import type { FolioColumns } from "../kernel/index.ts";
import { readTextOrNull } from "./machine.ts";

/** Directories looked at before the walk gives up; the rest of the folios then have no group. */
const DIRECTORIES_MAX = 20_000;

/** Group path by row of the folio, for partially mapped folios whose group is known. */
export function readFolioCgroups(folios: FolioColumns): Map<number, string> {
  const rows: number[] = [];
  for (let row = 0; row < folios.count; row++) {
    const mapped = folios.pagesMapped[row];
    if (mapped > 0 && mapped < 2 ** folios.order[row]) rows.push(row);
  }
  const groups = new Map<number, string>();
  if (rows.length === 0) return groups;
  const inodes = readInodes(rows, folios);
  if (inodes === undefined) return groups;
  const paths = cgroupPaths(memoryHierarchyRoot());
  for (const [index, row] of rows.entries()) {
    const path = paths.get(inodes[index]);
    if (path !== undefined) groups.set(row, path);
  }
  return groups;
}

function readInodes(rows: readonly number[], folios: FolioColumns): number[] | undefined {
  let fd: number;
  try {
    fd = openSync("/proc/kpagecgroup", "r");
  } catch {
    // A kernel without memory control groups has no such file; then no folio has a group.
    return undefined;
  }
  try {
    const entry = Buffer.alloc(8);
    return rows.map((row) => {
      const got = readSync(fd, entry, 0, 8, folios.headPfn[row] * 8);
      return got === 8 ? entry.readUInt32LE(0) + entry.readUInt32LE(4) * 2 ** 32 : 0;
    });
  } finally {
    closeSync(fd);
  }
}

/** Where the hierarchy with the memory controller is mounted: v1's own, else v2's. */
function memoryHierarchyRoot(): string | undefined {
  const mounts = (readTextOrNull("/proc/mounts") ?? "").split("\n").map((line) => line.split(" "));
  const v1 = mounts.find(([, , type, options]) => type === "cgroup" && options?.split(",").includes("memory"));
  return (v1 ?? mounts.find(([, , type]) => type === "cgroup2"))?.[1];
}

function cgroupPaths(root: string | undefined): Map<number, string> {
  const paths = new Map<number, string>();
  if (root === undefined) return paths;
  const open = [""];
  for (let path = open.pop(); path !== undefined && paths.size < DIRECTORIES_MAX; path = open.pop()) {
    try {
      paths.set(statSync(root + path).ino, path === "" ? "/" : path);
      for (const entry of readdirSync(root + path, { withFileTypes: true })) {
        if (entry.isDirectory()) open.push(`${path}/${entry.name}`);
      }
    } catch {
      // The group was removed while we looked.
    }
  }
  return paths;
}
