/**
 * The readers of the stall bench: each reads the target's page tables about once a second, on a processor of its own,
 * for as long as one measurement takes.
 *
 * The target runs with realtime priority and the readers with the best ordinary one where that is allowed, so that what is
 * measured is the wait for a lock and not for a processor that somebody else has. Realtime would let a reader's threads
 * starve each other on their one processor.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endChildren } from "../capture/processes.ts";

/** A reading begins every so many milliseconds, or when the one before has ended. */
const READING_EVERY_MS = 1000;
/** An incomplete answer (a process of the machine that may not be read) is an answer. */
const DONE = [0, 3];

/** Where and what. */
export interface ReaderPlace {
  /** Goes before a command: priority and processor. */
  readonly prefix: readonly string[];
  readonly pid: number;
  /** The built command line program. */
  readonly foliometer: string;
  /** For captures. */
  readonly directory: string;
}

/** One measurement: it begins when the reader says so, and is over when the target says so. */
export interface Measurement {
  readonly begin: () => void;
  readonly isOver: () => boolean;
}

/** A reader; `read` returns how many readings were made from `begin` until `isOver`. */
export interface Reader {
  readonly name: string;
  readonly isOurs: boolean;
  read(place: ReaderPlace, measurement: Measurement): Promise<number>;
}

/** All readers, in the order in which they take turns. */
export const READERS: readonly Reader[] = [
  {
    name: "none",
    isOurs: false,
    async read(_, { begin }) {
      begin();
      return Promise.resolve(0);
    },
  },
  repeated("cat smaps", false, ({ pid }) => ["cat", `/proc/${pid}/smaps`]),
  repeated("cat smaps_rollup", false, ({ pid }) => ["cat", `/proc/${pid}/smaps_rollup`]),
  repeated("foliometer capture --pid", true, ({ pid, foliometer, directory }) => {
    const output = join(directory, "capture");
    rmSync(output, { recursive: true, force: true });
    return [process.execPath, foliometer, "capture", "--pid", String(pid), "-o", output, "--quiet"];
  }),
  { name: "foliometer watch", isOurs: true, read: watch },
];

function repeated(name: string, isOurs: boolean, argv: (place: ReaderPlace) => readonly string[]): Reader {
  return {
    name,
    isOurs,
    async read(place, { begin, isOver }) {
      let readings = 0;
      begin();
      while (!isOver()) {
        const began = performance.now();
        await runToEnd([...place.prefix, ...argv(place)]);
        readings++;
        const left = READING_EVERY_MS - (performance.now() - began);
        for (let at = 0; at < left && !isOver(); at += 50) await sleep(50);
      }
      return readings;
    },
  };
}

async function runToEnd(argv: readonly string[]): Promise<void> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  const code = await codeOf(child);
  if (typeof code !== "number" || !DONE.includes(code)) throw new Error(`${argv.join(" ")} ended with ${code}`);
}

async function codeOf(child: ChildProcess): Promise<number | string> {
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal ?? "?"));
  });
}

/**
 * The target is read at every moment: its faults show that its page tables change. What is measured begins with the second
 * moment: the first reads the whole machine.
 */
async function watch({ prefix, pid, foliometer }: ReaderPlace, { begin, isOver }: Measurement): Promise<number> {
  const options = ["watch", "--interval", `${READING_EVERY_MS}ms`, "--pid", String(pid), "--batch", "100000", "--json"];
  const [program = "", ...args] = [...prefix, process.execPath, foliometer, ...options];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  let moments = -1;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (moments < 0 && text.includes("\n")) begin();
    moments += text.split("\n").length - 1;
  });
  const ended = codeOf(child);
  while (!isOver()) {
    if (child.exitCode !== null) throw new Error(`foliometer watch ended with ${child.exitCode}`);
    await sleep(50);
  }
  await endChildren([child], "SIGTERM", 10_000);
  await ended;
  return moments;
}
