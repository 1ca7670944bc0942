/**
 * The questions of the bench, each as its users type it, and what each may take.
 *
 * A question to a stored capture has 2 s and 300 MB, on the workload of bench:capture; `who` about an address of the
 * running machine has 0.3 s. Beside them run what they cannot be faster than: reading the capture's files, reading the
 * maps of all processes, starting Node.
 */
import { join } from "node:path";
import type { Command, Sample } from "../capture/measure.ts";
import type { Place } from "./places.ts";

/** An upper bound of a figure's median. */
export interface Bar {
  readonly figure: keyof Sample;
  readonly atMost: number;
}

/** What is measured: a question with its bars, or a floor without any. */
export interface Measured {
  readonly command: Command;
  readonly bars: readonly Bar[];
}

const STORED_BARS: readonly Bar[] = [
  { figure: "wallSeconds", atMost: 2 },
  { figure: "peakRssBytes", atMost: 300e6 },
];
const LIVE_BARS: readonly Bar[] = [
  { figure: "wallSeconds", atMost: 0.3 },
  { figure: "peakRssBytes", atMost: 300e6 },
];

/** An incomplete capture (a process that may not be read) is an answer, and so is a difference. */
const ANSWERS = [0, 1, 3];

/** What is asked, and where answers go. */
export interface Asked {
  /** The command's words up to its name. */
  readonly foliometer: readonly string[];
  /** Two captures of the workload, one after the other. */
  readonly captures: readonly [string, string];
  /** A third, that has what smaps says: the formats that print smaps again begin with it. */
  readonly captureWithSmaps: string;
  /** A directory of ours. */
  readonly directory: string;
  /** A process with gigabytes that it shares with another. */
  readonly pid: number;
  readonly place: Place;
  /** A page that dozens of processes map. */
  readonly sharedPlace: Place;
  /** A large file that some processes map. */
  readonly file: string;
  readonly exportFormats: readonly string[];
}

/** Questions to a stored capture, and their floor. */
export function storedQuestions(asked: Asked): Measured[] {
  const [capture, later] = asked.captures;
  const ask = (name: string, args: readonly string[]): Measured =>
    question(asked, { name, args: () => args, bars: STORED_BARS });
  const pid = String(asked.pid);
  return [
    ask("report", ["report", capture]),
    ask("who --pfn", ["who", "--pfn", `0x${asked.place.pfn.toString(16)}`, capture]),
    ask("who --file", ["who", "--file", asked.file, capture]),
    ask("who PID ADDRESS", ["who", pid, asked.place.address, capture]),
    ask("sharing", ["sharing", capture]),
    ask("sharing --by program", ["sharing", "--by", "program", capture]),
    ask("free PID", ["free", pid, capture]),
    ask("free --each", ["free", "--each", capture]),
    ask("folios", ["folios", capture]),
    ask("diff A B", ["diff", capture, later]),
    ask("diff --schemes", ["diff", capture, "--schemes", "page,mm-owner"]),
    ...asked.exportFormats.map((format) => exporting(asked, format)),
    {
      command: { name: "floor: cat the capture", argv: () => ["sh", "-c", `cat '${capture}'/* > /dev/null`] },
      bars: [],
    },
  ];
}

function exporting(asked: Asked, format: string): Measured {
  const capture = format === "proc" ? asked.captureWithSmaps : asked.captures[0];
  let runs = 0;
  // Each run writes to a new place, and all go at the end: an ext4 without a journal takes longer to create files soon
  // after others were removed, because it passes over freshly freed inodes (1.2 s of the kernel's time instead of 0.4 s
  // for the 1,050 files of "proc" was seen).
  const args = (): string[] => {
    const to = join(asked.directory, `exported-${format}-${runs++}`);
    return ["export", capture, "--format", format, "-o", to];
  };
  return question(asked, { name: `export ${format}`, args, bars: STORED_BARS });
}

/** Questions to the running machine, and their floors. */
export function liveQuestions(asked: Asked): Measured[] {
  const ask = (name: string, { pid, address }: Place): Measured =>
    question(asked, { name, args: () => ["who", String(pid), address], bars: LIVE_BARS });
  return [
    ask("live who, after fork", asked.place),
    ask("live who, in 45 processes", asked.sharedPlace),
    {
      command: {
        name: "floor: cat /proc/*/maps",
        argv: () => ["sh", "-c", "cat /proc/[0-9]*/maps > /dev/null"],
        okExitCodes: [0, 1],
      },
      bars: [],
    },
    { command: { name: "floor: start Node", argv: () => [process.execPath, "-e", "0"] }, bars: [] },
  ];
}

function question(
  { foliometer }: Asked,
  {
    name,
    args,
    bars,
  }: { readonly name: string; readonly args: () => readonly string[]; readonly bars: readonly Bar[] },
): Measured {
  const command = { name, argv: () => [...foliometer, ...args(), "--quiet"], okExitCodes: ANSWERS };
  return { command, bars };
}
