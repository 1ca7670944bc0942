/**
 * The model's answer to a scenario held against a kernel's, and differences sorted by what they are about.
 *
 * Two real boots agree on everything compared here but for few things, which have rules of their own: what the machine
 * remembers of pages it has reclaimed (whether they come back active), when the id of an address space is free again, and
 * what the driver's own memory adds to the counters of folio sizes that every process may use. Invariant: a scenario that the model does not cover is no
 * difference and no agreement; it is counted apart, with the reason.
 */
import { Unsupported } from "../../src/memory/index.ts";
import {
  type ComparisonRule,
  type DumpDifference,
  type KernelCounting,
  MACHINE_NOISE,
  type ScenarioRecord,
  compareRecords,
  runScenario,
  scenarioOf,
} from "../../src/scenario/index.ts";
import type { LabAnswer, NamedScenario } from "./lab.ts";

/** What came of a scenario on a kernel and on the model. */
export type Outcome =
  | { readonly kind: "equal" }
  | { readonly kind: "differs"; readonly differences: readonly DumpDifference[] }
  /** The model refused a command. */
  | { readonly kind: "uncovered"; readonly reason: string }
  /** The model broke one of its own invariants. */
  | { readonly kind: "broken"; readonly reason: string }
  /** The laboratory has no answer. */
  | { readonly kind: "unanswered"; readonly reason: string };

/** Counters of /proc/vmstat that the model keeps, but for thp_zero_page_alloc: an earlier scenario may have left the huge zero page. */
export const VMSTAT_KEYS: readonly string[] = [
  "nr_anon_transparent_hugepages",
  "nr_foll_pin_acquired",
  "nr_foll_pin_released",
  "thp_fault_alloc",
  "thp_collapse_alloc",
  "thp_split_page",
  "thp_split_page_failed",
  "thp_deferred_split_page",
  "thp_split_pmd",
  "thp_file_alloc",
  "thp_file_mapped",
  "thp_swpout",
  "pswpout",
  "pswpin",
  "pgmigrate_success",
  "thp_migration_success",
  "thp_migration_split",
  "cow_ksm",
  "ksm_swpin_copy",
];

/** Whether a page that comes back is active is decided by the sizes of all LRU lists at that time. */
const REFAULT_RULE: ComparisonRule = {
  name: "active after reclaim",
  reason: "a page that was reclaimed comes back active or not depending on how much the machine has on its LRU lists",
  strips: (path, value) => {
    if (path.at(-1) === "numa_maps") return value.replace(/ active=[0-9]+/, "");
    return path.at(-1) === "kpageflags" ? value.replaceAll(/,ACTIVE\b/g, "") : value;
  },
};

/** "P0(dead):3" and "P2:3": an owner's id may have been given to another before. "id6:3": nobody's that is known. */
function isSameOwner(left: string, right: string): boolean {
  const [a, b] = [left.split(":"), right.split(":")];
  return a[1] === b[1] && (a[0] === b[0] || /\(dead\)|\bid[0-9]/.test(`${a[0]} ${b[0]}`));
}

const OWNER_NAME_RULE: ComparisonRule = {
  name: "names of owner ids",
  reason:
    "an id becomes free when the last lazy user of an address space lets go, soon or late; and a process that may have no large folios cannot be asked for its id",
  covers: ({ path, left, right }) => {
    if (path.at(-1) !== "raw mm" || left === null || right === null) return false;
    const [owners, others] = [left.split(" "), right.split(" ")];
    return owners.length === others.length && owners.every((owner, slot) => isSameOwner(owner, others[slot]));
  },
};

const DRIVER_FOLIOS_RULE: ComparisonRule = {
  name: "folio sizes for everybody",
  reason: "with a size set to always the driver's own memory has such folios, and the counters count them",
  covers: ({ path }) => path[0] === "mthp" || (path[0] === "test_kB" && path[1] === "AnonPages"),
};

const RECLAIMS = /^swapo|\spageout$|\sfadvise\s/m;

/** What may differ in this scenario. */
export function rulesFor(text: string): ComparisonRule[] {
  const rules = [...MACHINE_NOISE, OWNER_NAME_RULE];
  if (RECLAIMS.test(text)) rules.push(REFAULT_RULE);
  if (/^thp \S+ always$/m.test(text)) rules.push(DRIVER_FOLIOS_RULE);
  return rules;
}

/** The model's record of a scenario, or why there is none. */
export function askModel(
  { name, text }: NamedScenario,
  kernel: KernelCounting,
): ScenarioRecord | Extract<Outcome, { kind: "uncovered" | "broken" }> {
  try {
    return runScenario(scenarioOf(text, `${name}.scn`), { config: kernel, schemes: [] }).record;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isRefusal = error instanceof Unsupported || error.cause instanceof Unsupported;
    return { kind: isRefusal ? "uncovered" : "broken", reason: error.message };
  }
}

/** Runs a scenario on the model and holds it against a kernel's answer. */
export function judge(scenario: NamedScenario, kernel: KernelCounting, answer: LabAnswer | undefined): Outcome {
  if (answer === undefined) return { kind: "unanswered", reason: "there is no recorded answer" };
  if (answer.kind !== "record") return { kind: "unanswered", reason: answer.reason };
  const model = askModel(scenario, kernel);
  if ("kind" in model) return model;
  const { differences } = compareRecords(model, answer.record, {
    rules: rulesFor(scenario.text),
    vmstatKeys: VMSTAT_KEYS,
  });
  return differences.length === 0 ? { kind: "equal" } : { kind: "differs", differences };
}

/** What a difference is about, without process, address and step: "smaps Pss", "result of madvise free". */
export function subjectOf({ path, left, right }: DumpDifference): string {
  const [first] = path;
  const last = path.at(-1) ?? "";
  if (first === "commands") return `result of ${commandIn(left ?? right ?? "")}`;
  if (first === "folios")
    return path.length === 2 ? `folios: ${/^[0-9]+$/.test(last) ? "number" : last}` : `folio ${last}`;
  if (first !== "processes") return first === "mthp" ? `mthp ${last}` : path.join(" ");
  if (path.length === 2) return "processes";
  if (path[2] === "pagemap") return `pagemap ${isSameWhere(left, right) ? "flags" : "contents"}`;
  return path.includes("smaps") ? `smaps ${last}` : `vma ${last}`;
}

function isSameWhere(left: string | null, right: string | null): boolean {
  return left !== null && right !== null && left.slice(left.indexOf(" ")) === right.slice(right.indexOf(" "));
}

const MACHINE_COMMAND = /^(?:spawn|thp|shmthp|sys|sleep|ksmscan|swapon|swapoff|split)\b/;

/** "madvise free" of "P madvise 0x200000000 4k free = 0". */
function commandIn(line: string): string {
  const words = line.split(" = ")[0].split(" ");
  if (MACHINE_COMMAND.test(line)) return words[0];
  return words[1] === "madvise" ? `madvise ${words[4]}` : (words[1] ?? "");
}

/** One subject in many scenarios. */
export interface SubjectCount {
  readonly subject: string;
  /** Pairs of a scenario and a kernel in which it occurs. */
  readonly scenarios: number;
  /** Those in which it is among the first differences: of their first step that differs. */
  readonly first: number;
  readonly total: number;
  readonly example: { readonly scenario: string; readonly kernel: KernelCounting; readonly difference: DumpDifference };
}

/** A scenario that came out differently on a kernel. */
export interface Failure {
  readonly scenario: NamedScenario;
  readonly kernel: KernelCounting;
  readonly differences: readonly DumpDifference[];
}

/** Counts subjects, those that come first in most scenarios on top: what follows them is often their consequence. */
export function countSubjects(failures: readonly Failure[]): SubjectCount[] {
  const counts = new Map<
    string,
    { scenarios: number; first: number; total: number; example: SubjectCount["example"] }
  >();
  for (const { scenario, kernel, differences } of failures) {
    const seen = new Set<string>();
    const firsts = new Set<string>();
    for (const difference of differences) {
      const subject = subjectOf(difference);
      const isFirstStep = difference.step === differences[0].step;
      const count = counts.get(subject) ?? {
        scenarios: 0,
        first: 0,
        total: 0,
        example: { scenario: scenario.name, kernel, difference },
      };
      counts.set(subject, count);
      count.total++;
      if (!seen.has(subject)) count.scenarios++;
      if (isFirstStep && !firsts.has(subject)) count.first++;
      if (isFirstStep) firsts.add(subject);
      seen.add(subject);
    }
  }
  return [...counts]
    .map(([subject, count]) => ({ subject, ...count }))
    .sort((a, b) => b.first - a.first || b.scenarios - a.scenarios || b.total - a.total);
}
