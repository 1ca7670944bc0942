/**
 * What two dumps may differ in without a difference: a list of rules, each with its name and its reason.
 *
 * A rule either covers a difference as a whole, or takes out of each value what it knows about; a difference that is none
 * after all rules have done so is covered too. A rule touches nothing but what its reason explains. Rules that hold for
 * any two machines are in MACHINE_NOISE; the others are chosen by whoever compares, for the kernel at hand.
 */
import type { ScenarioRecord } from "./dump.ts";

/** One figure that two dumps do not agree on; null: one of them has no such figure. */
export interface FigureDifference {
  /** Keys from the dump down: `["processes", "P", "vmas", "0x200000000", "smaps", "Pss"]`. */
  readonly path: readonly string[];
  readonly left: string | null;
  readonly right: string | null;
}

export interface ComparisonRule {
  readonly name: string;
  readonly reason: string;
  /** The difference is none. */
  readonly covers?: (difference: FigureDifference) => boolean;
  /** The value without what the rule is about; the same value if it is not about this figure. */
  readonly strips?: (path: readonly string[], value: string) => string;
}

/** The names of the rules that make a difference none; undefined if it remains one. */
export function rulesThatCover(
  rules: readonly ComparisonRule[],
  difference: FigureDifference,
): readonly string[] | undefined {
  const whole = rules.find((rule) => rule.covers?.(difference) === true);
  if (whole !== undefined) return [whole.name];
  if (difference.left === null || difference.right === null) return undefined;
  let left: string = difference.left;
  let right: string = difference.right;
  const used: string[] = [];
  for (const { name, strips } of rules) {
    if (strips === undefined) continue;
    const before = [left, right];
    left = strips(difference.path, left);
    right = strips(difference.path, right);
    if (left !== before[0] || right !== before[1]) used.push(name);
  }
  return left === right ? used : undefined;
}

/** Strips a pattern from figures of one name. */
function stripping(pattern: RegExp, by: string, ...names: readonly string[]): NonNullable<ComparisonRule["strips"]> {
  return (path, value) => (names.includes(path.at(-1) ?? "") ? value.replaceAll(pattern, by) : value);
}

function isPagemap(path: readonly string[]): boolean {
  return path[0] === "processes" && path[2] === "pagemap";
}

export const PFN_RULE: ComparisonRule = {
  name: "pfn",
  reason: "which frame a folio gets is up to the allocator's state",
  covers: ({ path }) => path[0] === "folios" && path.at(-1) === "pfn",
};

export const PID_RULE: ComparisonRule = {
  name: "pids and owner ids in commands",
  reason:
    "`spawn` and `fork` print the pid and the owner id that was free; a word that `touch` wrote begins with the pid",
  strips: (path, value) =>
    path[0] === "commands"
      ? value
          .replace(/ = pid [0-9]+ mm_id [0-9]+$/, " = pid")
          .replace(/( peek .* = 0x)[0-9a-f]{1,4}([0-9a-f]{8})$/, "$1pid:$2")
      : value,
};

export const OWNER_ID_RULE: ComparisonRule = {
  name: "owner ids without a name",
  reason:
    "an owner slot may still hold the id of an address space that nobody in the scenario has; its number is free to choose",
  strips: stripping(/\bid[0-9]+:/g, "id:", "raw mm"),
};

export const MEMINFO_RULE: ComparisonRule = {
  name: "meminfo_kB",
  reason: "/proc/meminfo counts the whole machine; the tests' own part is test_kB, which is compared",
  covers: ({ path }) => path[0] === "meminfo_kB",
};

export const SWAP_TYPE_RULE: ComparisonRule = {
  name: "swap type",
  reason: "the type is the number of the swap device among those in use",
  strips: (path, value) => (isPagemap(path) ? value.replace(/\bswap type=[0-9]+/, "swap") : value),
};

/** What differs between any two machines. */
export const MACHINE_NOISE: readonly ComparisonRule[] = [
  PFN_RULE,
  PID_RULE,
  OWNER_ID_RULE,
  MEMINFO_RULE,
  SWAP_TYPE_RULE,
];

export const SOFT_DIRTY_RULE: ComparisonRule = {
  name: "soft-dirty",
  reason: "a kernel without CONFIG_MEM_SOFT_DIRTY has neither pagemap's bit 55 nor the VMA flag sd",
  // An entry that holds nothing but the bit is no entry at all for a kernel that has none.
  covers: ({ path, left, right }) => isPagemap(path) && [left, right].includes(null) && (left ?? right) === "----d--- ",
  strips: (path, value) => {
    if (path.at(-1) === "vmflags") return value.replace(/ ?\bsd\b/, "");
    return isPagemap(path) ? value.replace(/^(....)d/, "$1-") : value;
  },
};

export const KSM_FLAG_RULE: ComparisonRule = {
  name: "KSM in kpageflags",
  reason: "Linux 6.18.15 sets KSM on every anonymous page in kpageflags; other kernels on KSM pages alone",
  strips: stripping(/,KSM\b/g, "", "kpageflags"),
};

export const RAW_RULE: ComparisonRule = {
  name: "raw",
  reason: "struct folio cannot be read on the machine compared with",
  covers: ({ path, left, right }) => {
    const name = path.at(-1) ?? "";
    const isRaw = name.startsWith("raw") || ["refcount", "mapcount", "anon_exclusive"].includes(name);
    return path[0] === "folios" && isRaw && (left === null || right === null);
  },
};

export const TEST_MEMORY_RULE: ComparisonRule = {
  name: "test_kB",
  reason: "AnonPages and Mapped of the tests alone cannot be told on a machine where other programs do not hold still",
  covers: ({ path, left, right }) => path[0] === "test_kB" && (left === null || right === null),
};

export const MACHINE_COUNTERS_RULE: ComparisonRule = {
  name: "counters of the whole machine",
  reason: "vmstat, mthp and ksm count what all programs do",
  covers: ({ path }) => path[0] === "vmstat_delta" || path[0] === "mthp" || path[0] === "ksm",
};

export const FILE_NAME_RULE: ComparisonRule = {
  name: "folders of files",
  reason: "the files of another machine lie elsewhere",
  strips: stripping(/(^|file=)\/(?:[^\s/]*\/)+/g, "$1/", "numa_maps", "name"),
};

export const NUMA_RULE: ComparisonRule = {
  name: "NUMA",
  reason: "the recorded machines have two nodes; this one has another number of them, or no NUMA",
  covers: ({ path, left, right }) => path.at(-1) === "numa_maps" && (left === null || right === null),
  strips: stripping(/ N[0-9]+=[0-9]+/g, "", "numa_maps"),
};

export const SWAP_OFFSET_RULE: ComparisonRule = {
  name: "swap offset",
  reason: "which slot of a swap device a page gets depends on the device's use so far",
  strips: (path, value) => (isPagemap(path) ? value.replace(/\bswap(?: type=[0-9]+)? off=0x[0-9a-f]+/, "swap") : value),
};

export const IDLE_RULE: ComparisonRule = {
  name: "idle",
  reason: "a program that looks for idle pages (DAMON) sets IDLE and takes the accessed bits, on which aging depends",
  covers: ({ path }) => path.at(-1) === "Referenced",
  strips: (path, value) => {
    if (path.at(-1) === "numa_maps") return value.replace(/ active=[0-9]+/, "");
    if (path.at(-1) !== "kpageflags") return value;
    return value.replaceAll(/\b(?:IDLE|REFERENCED|ACTIVE),|,(?:IDLE|REFERENCED|ACTIVE)\b/g, "");
  },
};

/** Rules for the answers of a running kernel, of which nothing is known but what it has answered. */
export function rulesForKernel(answers: ScenarioRecord): readonly ComparisonRule[] {
  const dumps = answers.steps.map(({ dump }) => dump);
  const vmas = dumps.flatMap(({ processes }) => Object.values(processes).flatMap((process) => process.vmas));
  const hasSoftDirty = vmas.some(({ vmflags }) => vmflags.includes("sd"));
  const flags = dumps.flatMap(({ folios }) => Object.values(folios).flatMap(({ kpageflags }) => [kpageflags].flat(2)));
  const isText = (flag: string | number): flag is string => typeof flag === "string";
  const anonWithoutKsm = flags.filter(isText).some((text) => /\bANON\b/.test(text) && !/\bKSM\b/.test(text));
  const nodes = new Set(
    vmas.flatMap(({ numa_maps }) => [...(numa_maps ?? "").matchAll(/ (N[0-9]+)=/g)].map((m) => m[1])),
  );
  return [
    ...MACHINE_NOISE,
    RAW_RULE,
    TEST_MEMORY_RULE,
    MACHINE_COUNTERS_RULE,
    FILE_NAME_RULE,
    SWAP_OFFSET_RULE,
    ...(hasSoftDirty ? [] : [SOFT_DIRTY_RULE]),
    ...(anonWithoutKsm ? [KSM_FLAG_RULE] : []),
    ...(flags.filter(isText).some((text) => /\bIDLE\b/.test(text)) ? [IDLE_RULE] : []),
    ...(nodes.size < 2 ? [NUMA_RULE] : []),
  ];
}
