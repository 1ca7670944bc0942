/**
 * The tools that answer a part of the same question today, each as its users
 * run it. A peer that cannot be had on this machine is reported with the reason
 * and never given a figure.
 *
 * thpmaps is the kernel's own tool (tools/mm/thpmaps, GPL, since 6.9); it is
 * taken from an installed linux-source package at bench time. As shipped it
 * gives up at the first pagemap that it may not open, which is /proc/1/pagemap
 * in many containers and virtual machines; so it is told the pids to read.
 */

import { closeSync, existsSync, lstatSync, mkdirSync, openSync, readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Command } from "./measure.ts";
import { runToEnd } from "./processes.ts";

const SOURCE_DIRECTORY = "/usr/src";
const FIRST_WITH_THPMAPS = [6, 9] as const;
// Debian's own: another python3 earlier in PATH does not see python3-numpy.
const PYTHON = "/usr/bin/python3";

export interface Peers {
  readonly commands: readonly Command[];
  /** One line for each peer that is missing. */
  readonly missing: readonly string[];
}

/** Processes with memory of their own whose pagemap we may open; the caller is one of them. */
export function readReadablePids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        if (readFileSync(`/proc/${pid}/maps`, "latin1") === "") return false;
        closeSync(openSync(`/proc/${pid}/pagemap`, "r"));
        return true;
      } catch {
        return false;
      }
    })
    .sort((a, b) => a - b);
}

function findProgram(name: string): string | undefined {
  const directories = (process.env["PATH"] ?? "/usr/bin:/bin").split(":");
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/** The newest installed linux-source that is new enough, as [archive, its top directory]. */
function findLinuxSource(): readonly [string, string] | undefined {
  const archives = existsSync(SOURCE_DIRECTORY) ? readdirSync(SOURCE_DIRECTORY) : [];
  const known = archives.flatMap((name) => {
    const match = /^(linux-source-(\d+)\.(\d+))\.tar\.xz$/.exec(name);
    if (match === null) return [];
    const [major, minor] = [Number(match[2]), Number(match[3])];
    const enough = major > FIRST_WITH_THPMAPS[0] || (major === FIRST_WITH_THPMAPS[0] && minor >= FIRST_WITH_THPMAPS[1]);
    return enough ? [{ archive: join(SOURCE_DIRECTORY, name), top: match[1] ?? "", order: major * 1000 + minor }] : [];
  });
  const newest = known.sort((a, b) => a.order - b.order).at(-1);
  return newest === undefined ? undefined : [newest.archive, newest.top];
}

/** A directory of ours under /tmp. What lies there is run as root, so nobody else may have made it. */
function openCache(): string {
  const uid = process.getuid?.() ?? 0;
  const directory = join(tmpdir(), `foliometer-bench-cache-${uid}`);
  if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
  const stat = lstatSync(directory);
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o022) !== 0)
    throw new Error(`${directory} is not ours alone`);
  return directory;
}

async function extractThpmaps(archive: string, top: string): Promise<string> {
  const cache = openCache();
  const program = join(cache, top, "tools/mm/thpmaps");
  if (!existsSync(program))
    await runToEnd("tar", ["xJf", archive, "-C", cache, "--occurrence=1", `${top}/tools/mm/thpmaps`]);
  return program;
}

async function findThpmaps(onProgress: (text: string) => void): Promise<{ command: Command } | { missing: string }> {
  const source = findLinuxSource();
  if (source === undefined) {
    return { missing: "no linux-source package of 6.9 or later is installed (apt-get install linux-source-6.12)" };
  }
  try {
    await runToEnd(PYTHON, ["-c", "import numpy"]);
  } catch {
    return { missing: `${PYTHON} has no numpy (apt-get install python3-numpy)` };
  }
  onProgress(`thpmaps: taking it from ${basename(source[0])}`);
  const program = await extractThpmaps(...source);
  const argv = (): string[] => [
    PYTHON,
    program,
    "--rollup",
    ...readReadablePids().flatMap((pid) => ["--pid", String(pid)]),
  ];
  return { command: { name: "thpmaps", argv } };
}

/** All peers of the whole machine. `cat` exits with 1 because of the processes it may not read. */
export async function findPeers(onProgress: (text: string) => void): Promise<Peers> {
  const missing: string[] = [];
  const commands: Command[] = [];
  if (findProgram("smem") === undefined)
    missing.push("smem: not available, because it is not installed (apt-get install smem)");
  else commands.push({ name: "smem", argv: () => ["smem"] });
  for (const file of ["smaps", "smaps_rollup"]) {
    commands.push({ name: `cat ${file}`, argv: () => ["sh", "-c", `cat /proc/[0-9]*/${file}`], okExitCodes: [0, 1] });
  }
  const thpmaps = await findThpmaps(onProgress);
  if ("missing" in thpmaps) missing.push(`thpmaps: not available, because ${thpmaps.missing}`);
  else commands.push(thpmaps.command);
  return { commands, missing };
}
