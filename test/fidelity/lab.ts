/**
 * The kernel laboratory beside the checkout: scenarios in, what two real kernels answered out.
 *
 * Many scenarios share a boot. So that a scenario's answer does not depend on the others of its boot, the machine is put
 * in order around each: files are emptied, swap is off, the pool of huge pages is new (flags of a page survive in it), and
 * nothing works in the background (khugepaged, writeback). What a boot does not answer, because the kernel stopped or time
 * was up, is asked again in smaller batches, until the scenario that is to blame stands alone. Nothing is kept.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type KernelCounting, type ScenarioRecord, readRecord } from "../../src/scenario/index.ts";

/** A scenario by name. */
export interface NamedScenario {
  readonly name: string;
  readonly text: string;
}

/** What a kernel made of a scenario. */
export type LabAnswer =
  | { readonly kind: "record"; readonly record: ScenarioRecord; readonly json: string }
  /** The driver could not go on, or a process was killed: the scenario is at fault. */
  | { readonly kind: "rejected"; readonly reason: string }
  /** The kernel did not survive it, or did not come to an end. */
  | { readonly kind: "lost"; readonly reason: string };

/** By the scenario's name. */
export type LabAnswers = ReadonlyMap<string, LabAnswer>;

export interface LabOptions {
  readonly kernel: KernelCounting;
  readonly onProgress?: (text: string) => void;
}

const BATCH = 40;
const BOOT_SECONDS = 60;
const SCENARIO_SECONDS = 3;
/** A dump describes no more folios. */
const FOLIOS_MAX = 4096;
const COMPLAINTS_SHOWN = 2;

const QUIET = [
  // khugepaged looks around once, for the first process that it finds something to do for; then it sleeps for an hour.
  "thp 2048kB madvise",
  "spawn Z",
  "Z mmap z 0x200000000 2M rw anon,priv",
  "Z touch @z 2M w",
  "Z madvise @z 2M hugepage",
  "sleep 300",
  "sys /proc/sys/vm/dirty_writeback_centisecs 0",
  "sys /proc/sys/vm/compaction_proactiveness 0",
];
/** Settings that a scenario may change, as the kernels begin. */
const FIRST_SETTINGS: readonly (readonly [path: string, value: string])[] = [
  ["/sys/kernel/mm/transparent_hugepage/shmem_enabled", "never"],
  ["/sys/kernel/mm/transparent_hugepage/use_zero_page", "1"],
  ["/sys/kernel/mm/ksm/use_zero_pages", "0"],
  ["/sys/kernel/mm/ksm/max_page_sharing", "256"],
];
const NEW_POOL = ["sys /proc/sys/vm/nr_hugepages 0", "sys /proc/sys/vm/nr_hugepages 8"];

/** Where the laboratory is, or why there is none to be used. */
export function findLab(): { readonly path: string } | { readonly missing: string } {
  if (process.arch !== "x64") return { missing: `the laboratory's kernels are for x64, this is ${process.arch}` };
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json"))) {
    const parent = dirname(directory);
    if (parent === directory) return { missing: "no package.json above the tests" };
    directory = parent;
  }
  const path = join(directory, "..", "shared", "kernel-lab", "lab");
  if (!existsSync(path)) return { missing: "there is no laboratory of other kernels beside the checkout" };
  return { path };
}

/** Runs scenarios with different names on one kernel. */
export async function askLab(scenarios: readonly NamedScenario[], options: LabOptions): Promise<LabAnswers> {
  const answers = new Map<string, LabAnswer>();
  const waiting: (readonly NamedScenario[])[] = [];
  for (let first = 0; first < scenarios.length; first += BATCH) waiting.push(scenarios.slice(first, first + BATCH));
  for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
    const found = await boot(batch, options.kernel);
    for (const [name, answer] of found) answers.set(name, answer);
    options.onProgress?.(`${options.kernel}: ${answers.size} of ${scenarios.length} scenarios`);
    const lost = batch.filter(({ name }) => !found.has(name));
    if (lost.length === 0) continue;
    if (batch.length === 1) {
      answers.set(lost[0].name, { kind: "lost", reason: "the kernel stopped, or did not come to an end" });
    } else waiting.unshift(...smallerBatches(lost, found.size > 0));
  }
  return answers;
}

/** Runs scenarios on both kernels, side by side where there are two processors. */
export async function askBothKernels(
  scenarios: readonly NamedScenario[],
  kernels: readonly KernelCounting[],
  onProgress?: (text: string) => void,
): Promise<Map<KernelCounting, LabAnswers>> {
  const ask = async (kernel: KernelCounting): Promise<[KernelCounting, LabAnswers]> => [
    kernel,
    await askLab(scenarios, { kernel, ...(onProgress === undefined ? {} : { onProgress }) }),
  ];
  if (availableParallelism() > 1) return new Map(await Promise.all(kernels.map(ask)));
  const answers = new Map<KernelCounting, LabAnswers>();
  for (const kernel of kernels) answers.set(...(await ask(kernel)));
  return answers;
}

/** Where some were answered, the first that was not is to blame; otherwise it may be anywhere. */
function smallerBatches(lost: readonly NamedScenario[], isFirstToBlame: boolean): (readonly NamedScenario[])[] {
  const cut = isFirstToBlame ? 1 : Math.ceil(lost.length / 2);
  return [lost.slice(0, cut), lost.slice(cut)].filter((batch) => batch.length > 0);
}

/** The scenarios that one boot answered. */
async function boot(batch: readonly NamedScenario[], kernel: KernelCounting): Promise<Map<string, LabAnswer>> {
  const lab = findLab();
  if ("missing" in lab) throw new Error(lab.missing);
  const folder = mkdtempSync(join(tmpdir(), "foliometer-lab-"));
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", clean);
  try {
    const paths = writeBatch(batch, folder);
    const seconds = BOOT_SECONDS + SCENARIO_SECONDS * batch.length;
    const output = join(folder, "out");
    const complaint = await run(lab.path, ["--kernel", kernel, "--timeout", seconds.toString(), output, ...paths]);
    const answers = new Map<string, LabAnswer>();
    for (const [index, { name }] of batch.entries()) {
      const answer = readAnswer(join(output, kernel, fileName(index, "b")));
      if (answer !== undefined) answers.set(name, answer);
    }
    if (answers.size === 0 && !/timed out|no output|kernel (?:no)?page:/.test(complaint)) {
      throw new Error(`the laboratory does not work: ${complaint.trim()}`);
    }
    return answers;
  } finally {
    process.removeListener("exit", clean);
    clean();
  }
}

/** The guest runs files in the order of their names. */
function fileName(index: number, part: "a" | "b" | "c"): string {
  return `s${index.toString().padStart(4, "0")}${part}`;
}

function writeBatch(batch: readonly NamedScenario[], folder: string): string[] {
  const paths: string[] = [];
  const add = (name: string, text: string): void => {
    const path = join(folder, `${name}.scn`);
    writeFileSync(path, text);
    paths.push(path);
  };
  add("a_quiet", `${QUIET.join("\n")}\n`);
  for (const [index, { text }] of batch.entries()) {
    if (text.includes("hugetlb")) add(fileName(index, "a"), `${NEW_POOL.join("\n")}\n`);
    add(fileName(index, "b"), text);
    const after = tidyingAfter(text);
    if (after.length > 0) add(fileName(index, "c"), `${after.join("\n")}\n`);
  }
  return paths;
}

/** What a scenario leaves behind when its processes are gone: pages of files, a swap device. */
function tidyingAfter(text: string): string[] {
  const paths = new Set([...text.matchAll(/ open [0-9]+ (?<path>\/\S+)/g)].map((match) => match.groups?.path ?? ""));
  const lines = [...paths].map((path, index) => `Z open ${index} ${path} 0`);
  if (lines.length > 0) lines.unshift("spawn Z");
  if (text.includes("swapon")) lines.push("swapoff /dev/ram1");
  for (const [path, value] of FIRST_SETTINGS) if (text.includes(path)) lines.push(`sys ${path} ${value}`);
  // What io_uring held for a process that has ended is given back at some later time.
  if (text.includes(" uring ")) lines.push("sleep 200");
  return lines;
}

function readAnswer(path: string): LabAnswer | undefined {
  if (!existsSync(`${path}.json`)) return undefined;
  const text = readFileSync(`${path}.txt`, "utf8");
  const complaints = text.split("\n").filter((line) => line.includes("!! ") || line.endsWith("Timer expired"));
  if (complaints.length > 0) {
    return { kind: "rejected", reason: complaints.slice(0, COMPLAINTS_SHOWN).join("; ") };
  }
  if (!text.includes("\nscenario_ms ")) return { kind: "rejected", reason: "the driver did not come to the end" };
  const json = withSignedCounters(readFileSync(`${path}.json`, "utf8"));
  const record = readRecord(JSON.parse(json));
  if (
    record.steps.some(
      ({ dump }) => `F${FOLIOS_MAX}` in dump.folios || JSON.stringify(dump).includes(`..F${FOLIOS_MAX}"`),
    )
  ) {
    return { kind: "rejected", reason: `there are ${FOLIOS_MAX} folios or more, which no dump can tell apart` };
  }
  return { kind: "record", record, json };
}

/** HugePages_Rsvd may fall below zero; the driver then reads the largest number there is. */
function withSignedCounters(json: string): string {
  return json.replaceAll(/\b9223372036854775807\b/g, "-1");
}

/** Runs the laboratory and returns what it complained of. Its exit status says no more than the files it leaves. */
async function run(program: string, args: readonly string[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    // A session of its own: QEMU must not hear a Ctrl-C before the laboratory has put its files away.
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    const stop = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
    };
    process.once("exit", stop);
    child.on("error", reject);
    child.on("close", () => {
      process.removeListener("exit", stop);
      resolve(complaint);
    });
  });
}
