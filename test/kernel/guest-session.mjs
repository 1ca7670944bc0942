/**
 * What runs inside the guest: processes with known memory, the kernel's own words about them, Foliometer's report.
 *
 * Plain JavaScript, because it runs on the guest's bare Node with nothing but what initramfs.ts packed. It starts
 * targets (test/live/target.c), lets them map, share, copy and let go of memory until they stand still, and sends one
 * line of JSON to the second serial port: what guest-account.ts describes. The scenario is the same on every kernel, so
 * that what one kernel's capture predicts can be held against what the other kernel prints.
 */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { captureLive } from "./dist/capture/index.js";
import {
  FRAME_DISAGREES,
  averageOfEntries,
  formatSmapsRollup,
  parseSmapsRollup,
  parseSmapsText,
} from "./dist/kernel/index.js";
import { SCHEMES } from "./dist/schemes/index.js";
import { reportOnCapture, smapsUnderScheme } from "./dist/study/index.js";

const PORT = "/dev/ttyS1";
const THP = "/sys/kernel/mm/transparent_hugepage";
const MADV_HUGEPAGE = 14;
const PFN_MASK = (1n << 55n) - 1n;
const PRESENT = 1n << 63n;
const EXCLUSIVE = 1n << 56n;
const FLAG_KSM = 1n << 21n;
const FLAG_HEAD = 1n << 15n;
const FLAG_TAIL = 1n << 16n;

let pipes = 0;

/** Large folios where they are asked for, and nobody who rearranges them meanwhile. */
function setSwitches() {
  const values = [
    [`${THP}/enabled`, "madvise"],
    [`${THP}/defrag`, "always"],
    [`${THP}/shrink_underused`, "0"],
    [`${THP}/khugepaged/scan_sleep_millisecs`, "3600000"],
    [`${THP}/khugepaged/alloc_sleep_millisecs`, "3600000"],
    // It wakes when the first process asks for huge pages, whatever its sleep: then it looks at one page and collapses none.
    [`${THP}/khugepaged/pages_to_scan`, "1"],
    [`${THP}/khugepaged/max_ptes_none`, "0"],
    [`${THP}/khugepaged/max_ptes_shared`, "0"],
    [`${THP}/hugepages-2048kB/enabled`, "inherit"],
    [`${THP}/hugepages-64kB/enabled`, "madvise"],
    [`${THP}/hugepages-64kB/shmem_enabled`, "always"],
    ["/proc/sys/vm/nr_hugepages", "2"],
  ];
  for (const [path, value] of values) writeFileSync(path, value);
}

/** A named pipe, open for both sides. This kernel has no sockets, so Node's own pipes to children cannot be had. */
function openPipe() {
  const path = `/tmp/pipe-${pipes++}`;
  spawnSync("/bin/busybox", ["mkfifo", path], { stdio: "inherit" });
  return openSync(path, "r+");
}

/** A line from a pipe, without its newline; waits for it. */
function readLine(fd) {
  const byte = Buffer.alloc(1);
  let line = "";
  while (readSync(fd, byte, 0, 1, null) === 1 && byte[0] !== 10) line += String.fromCharCode(byte[0]);
  return line;
}

/** A process that does what it is told; forked ones are reached through their parent. */
class Target {
  constructor({ commands, answers, route, pid }) {
    this.commands = commands;
    this.answers = answers;
    this.route = route;
    this.pid = pid;
    this.forks = 0;
    this.areas = new Map();
  }

  static start() {
    const commands = openPipe();
    const answers = openPipe();
    const { pid } = spawn("/foliometer/target", [], { stdio: [commands, answers, "inherit"] });
    return new Target({ commands, answers, route: "", pid });
  }

  /** Gives commands one after the other; returns the words of the last answer. */
  ask(...commands) {
    let words = [];
    for (const command of commands) {
      writeSync(this.commands, `${this.route}${command}\n`);
      const line = readLine(this.answers);
      const [verdict, ...rest] = line.split(" ");
      if (verdict !== "ok") throw new Error(`target: ${this.route}${command}: ${line}`);
      words = rest;
    }
    return words;
  }

  /** Makes an area that forked children have too. */
  map(name, command, pages) {
    const [address] = this.ask(command);
    this.areas.set(name, { page: Number.parseInt(address, 16) / 4096, pages });
  }

  fork() {
    const { commands, answers } = this;
    const child = new Target({
      commands,
      answers,
      route: `${this.route}> ${this.forks} `,
      pid: Number(this.ask("fork")[0]),
    });
    this.forks++;
    for (const [name, area] of this.areas) child.areas.set(name, area);
    return child;
  }
}

/** Two THPs and a child that copies half of the first. */
function hugeFamily(known) {
  const parent = Target.start();
  parent.map("thp", "map thp huge 1024", 1024);
  parent.ask("write thp 0 1024");
  const child = parent.fork();
  child.ask("write thp 0 256");
  known.set("thp parent", parent).set("thp child", child);
}

/**
 * Four 64 kB folios of three address spaces. The first ends with the third alone, which never got an owner slot
 * (kernel-facts 2.5): A forks B and C, A lets go, B ends, C stays. The others are shared in part, in different ways.
 */
function thirdOwnerFamily(known) {
  const first = Target.start();
  first.map("large", "map large anon 64", 64);
  first.ask(`advise large 0 64 ${MADV_HUGEPAGE}`, "write large 0 64");
  const second = first.fork();
  const third = first.fork();
  first.ask("unmap large 0 16", "unmap large 16 8");
  third.ask("write large 32 4", "unmap large 48 16");
  second.ask("exit");
  known.set("first owner", first).set("third owner", third);
}

/** 64 kB folios of one process: one mapped to a quarter, one whole. */
function cutFolio(known) {
  const target = Target.start();
  target.map("cut", "map cut anon 32", 32);
  target.ask(`advise cut 0 32 ${MADV_HUGEPAGE}`, "write cut 0 32", "unmap cut 4 12");
  known.set("cutter", target);
}

/** Large folios of shared memory: one mapped twice by one process, another half by two. */
function sharedMemory(known) {
  const parent = Target.start();
  parent.ask("memfd mem 64");
  parent.map("here", "mapfd here mem 0 64 shared", 64);
  parent.map("there", "mapfd there mem 0 16 shared", 16);
  parent.ask("write here 0 64", "read there 0 16");
  const child = parent.fork();
  child.ask("unmap here 0 16", "unmap there 0 16", "read here 16 24", "unmap here 40 24");
  known.set("memfd parent", parent).set("memfd child", child);
}

/** Small pages and a hugetlb page, shared, copied and unmapped. */
function smallFamily(known) {
  const parent = Target.start();
  parent.map("small", "map small anon 300", 300);
  parent.ask("write small 0 300", "map tlb hugetlb 512", "write tlb 0 1");
  const child = parent.fork();
  child.ask("write small 0 100", "unmap small 100 50");
  known.set("small parent", parent).set("small child", child);
}

function readWords(path, from, count) {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(count * 8);
    const got = readSync(fd, bytes, 0, bytes.length, from * 8);
    return Array.from({ length: Math.floor(got / 8) }, (_, index) => bytes.readBigUInt64LE(index * 8));
  } finally {
    closeSync(fd);
  }
}

/** What pagemap, kpagecount and kpageflags print of an area; -1 for a page that is not there. */
function areaAccount(pid, { page, pages }) {
  const entries = readWords(`/proc/${pid}/pagemap`, page, pages);
  const frames = entries.map((entry) => ((entry & PRESENT) === 0n ? -1 : Number(entry & PFN_MASK)));
  const flags = frames.map((pfn) => (pfn < 0 ? 0n : readWords("/proc/kpageflags", pfn, 1)[0]));
  return {
    exclusive: entries.map((entry, index) => (frames[index] < 0 ? -1 : Number((entry & EXCLUSIVE) !== 0n))),
    kpagecount: frames.map((pfn) => (pfn < 0 ? -1 : Number(readWords("/proc/kpagecount", pfn, 1)[0]))),
    frames,
    large: flags.map((bits) => Number((bits & (FLAG_HEAD | FLAG_TAIL)) !== 0n)),
    ksmFlag: flags.map((bits) => Number((bits & FLAG_KSM) !== 0n)),
  };
}

function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

function kernelAccount(known) {
  return mapValues(Object.fromEntries(known), ({ pid, areas }) => ({
    pid,
    rollup: readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"),
    areas: mapValues(Object.fromEntries(areas), (place) => areaAccount(pid, place)),
  }));
}

/** smaps_rollup of every known process under every scheme, for both histories where they differ. */
async function rollupsUnderSchemes(capture, known) {
  const rollups = {};
  for (const [name, { pid }] of known) {
    const process = capture.processes.find((each) => each.pid === pid);
    const smaps = parseSmapsText(readFileSync(`/proc/${pid}/smaps`, "utf8"));
    const rollup = parseSmapsRollup(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
    rollups[name] = {};
    for (const scheme of SCHEMES) {
      const under = async (history) => {
        const options = { scheme, all: SCHEMES, history, rollup };
        return formatSmapsRollup((await smapsUnderScheme(capture, process, smaps, options)).rollup);
      };
      rollups[name][scheme.id] = { least: await under("least-private"), most: await under("most-private") };
    }
  }
  return rollups;
}

/** What the capture counted on every page of the known areas, and the average of its folio; -1 where nothing is. */
function countsOfAreas({ frames, folios }, kernel) {
  const folioOfFrame = new Map();
  for (let row = 0; row < folios.count; row++) {
    const [head, pages] = [folios.headPfn[row], 2 ** folios.order[row]];
    for (let pfn = head; pfn < head + pages; pfn++) folioOfFrame.set(pfn, row);
  }
  const averageAt = (pfn) => {
    const row = folioOfFrame.get(pfn);
    if (row === undefined) return frames.mapcount[pfn];
    return averageOfEntries(folios.entries[row], folios.pmdEntries[row], folios.order[row]);
  };
  const countsOf = (area) => ({
    precise: area.frames.map((pfn) => (pfn < 0 ? -1 : frames.mapcount[pfn])),
    average: area.frames.map((pfn) => (pfn < 0 ? -1 : averageAt(pfn))),
    observed: area.frames.map((pfn) => (folioOfFrame.has(pfn) ? folios.observed[folioOfFrame.get(pfn)] : -1)),
    doubted: area.frames.map((pfn) => (pfn < 0 ? -1 : Number((frames.kind[pfn] & FRAME_DISAGREES) !== 0))),
  });
  return mapValues(kernel, ({ areas }) => mapValues(areas, countsOf));
}

/** A capture of the processes with these pids, of all without; `look` says what else is wanted of it. */
async function captureAccount({ pids, look }) {
  const capture = await captureLive({
    ...(pids === undefined ? {} : { pids }),
    mappingsPath: (thread) => `/tmp/mappings-${thread}`,
    keepMappings: false,
    threads: 1,
    checkEveryFrame: true,
  });
  try {
    const report = await reportOnCapture(capture, SCHEMES);
    return { report, ksmPagesShared: capture.machine.ksmPagesShared, ...(await look(capture)) };
  } finally {
    await capture.close();
  }
}

/** The program itself, as a user starts it; its output goes to files, for want of pipes. */
function commandAccount() {
  const main = "/foliometer/dist/cli/main.js";
  if (!existsSync(main)) return null;
  const [output, errors] = ["/tmp/command-output", "/tmp/command-errors"];
  const stdio = ["ignore", openSync(output, "w"), openSync(errors, "w")];
  const { status } = spawnSync(process.execPath, [main, "report", "--json"], { stdio });
  return { status, errors: readFileSync(errors, "utf8"), output: readFileSync(output, "utf8") };
}

async function account() {
  setSwitches();
  const known = new Map();
  for (const family of [hugeFamily, thirdOwnerFamily, cutFolio, sharedMemory, smallFamily]) family(known);
  const before = kernelAccount(known);
  const countsOf = (capture) => ({ counts: countsOfAreas(capture, before) });
  const silent = await captureAccount({ look: countsOf });
  const release = readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
  mkdirSync("/boot");
  writeFileSync(`/boot/config-${release}`, readFileSync(`/foliometer/config-${process.env.FOLIOMETER_KERNEL}`));
  const configured = await captureAccount({
    look: async (capture) => ({ ...countsOf(capture), rollups: await rollupsUnderSchemes(capture, known) }),
  });
  const pids = [...known].filter(([name]) => !/parent|first/.test(name)).map(([, { pid }]) => pid);
  const alone = await captureAccount({ pids, look: () => ({}) });
  const command = commandAccount();
  return { release, before, silent, configured, alone, command, after: kernelAccount(known) };
}

const result = await account().catch((error) => ({ failure: String(error?.stack ?? error) }));
writeFileSync(PORT, `${JSON.stringify(result)}\n`);
process.exit(0);
