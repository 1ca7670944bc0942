/**
 * What two dumps may differ in without a difference: a list of rules, each with its name and its reason.
 *
 * A rule looks at one difference, at its path and both values, and says whether it covers it. It covers nothing but what
 * its reason explains. Rules that hold for any two machines are in MACHINE_NOISE; the others are chosen by whoever
 * compares, for the kernel at hand.
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
  readonly covers: (difference: FigureDifference) => boolean;
}

/** Both values are the same after what the rule knows about is taken out. */
function sameAfter(change: (text: string) => string): (difference: FigureDifference) => boolean {
  return ({ left, right }) => left !== null && right !== null && change(left) === change(right);
}

/** One difference in a folio's figure of that name. */
function isFigure({ path }: FigureDifference, name: string): boolean {
  return path[0] === "folios" && path.at(-1) === name;
}

export const PFN_RULE: ComparisonRule = {
  name: "pfn",
  reason: "which frame a folio gets is up to the allocator's state",
  covers: (difference) => isFigure(difference, "pfn"),
};

export const PID_RULE: ComparisonRule = {
  name: "pids and owner ids in commands",
  reason: "`spawn` and `fork` print the pid and the owner id that was free",
  covers: (difference) =>
    difference.path[0] === "commands" &&
    sameAfter((text) => text.replace(/ = pid -?[0-9]+ mm_id [0-9]+$/, ""))(difference),
};

export const OWNER_ID_RULE: ComparisonRule = {
  name: "owner ids without a name",
  reason:
    "an owner slot may still hold the id of an address space that nobody in the scenario has; its number is free to choose",
  covers: (difference) =>
    isFigure(difference, "raw mm") && sameAfter((text) => text.replaceAll(/\bid[0-9]+:/g, "id:"))(difference),
};

export const MEMINFO_RULE: ComparisonRule = {
  name: "meminfo_kB",
  reason: "/proc/meminfo counts the whole machine; the tests' own part is test_kB, which is compared",
  covers: ({ path }) => path[0] === "meminfo_kB",
};

export const SWAP_TYPE_RULE: ComparisonRule = {
  name: "swap type",
  reason: "the type is the number of the swap device among those in use",
  covers: (difference) =>
    difference.path.includes("pagemap") &&
    sameAfter((text) => text.replaceAll(/\bswap type=[0-9]+/g, "swap"))(difference),
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
  covers: (difference) => {
    const { path, left, right } = difference;
    if (path.at(-1) === "vmflags") return sameAfter((text) => text.replace(/ ?\bsd\b/, ""))(difference);
    if (!path.includes("pagemap")) return false;
    // An entry that holds nothing but the bit is no entry at all for a kernel that has none.
    const without = (text: string | null): string => (text ?? "-------- ").replace(/^(....)d/, "$1-");
    return without(left) === without(right);
  },
};

export const KSM_FLAG_RULE: ComparisonRule = {
  name: "KSM in kpageflags",
  reason: "Linux 6.18.15 sets KSM on every anonymous page in kpageflags; later kernels on KSM pages alone",
  covers: (difference) =>
    isFigure(difference, "kpageflags") && sameAfter((text) => text.replaceAll(/,KSM\b/g, ""))(difference),
};

export const RAW_RULE: ComparisonRule = {
  name: "raw",
  reason: "struct folio is not readable on the kernel compared with (no /proc/kcore)",
  covers: ({ path, left, right }) => {
    const name = path.at(-1) ?? "";
    const isRaw = name.startsWith("raw") || ["refcount", "mapcount", "anon_exclusive"].includes(name);
    return path[0] === "folios" && isRaw && (left === null || right === null);
  },
};

export const TEST_MEMORY_RULE: ComparisonRule = {
  name: "test_kB",
  reason:
    "other programs changed AnonPages or Mapped while the dump was made, so the tests' part could not be told apart",
  covers: ({ path, left, right }) => path[0] === "test_kB" && (left === null || right === null),
};

export const MACHINE_COUNTERS_RULE: ComparisonRule = {
  name: "counters of the whole machine",
  reason: "vmstat, mthp and ksm count what all programs do",
  covers: ({ path }) => path[0] === "vmstat_delta" || path[0] === "mthp" || path[0] === "ksm",
};

export const FILE_NAME_RULE: ComparisonRule = {
  name: "inode numbers and names of files",
  reason: "the files of another machine lie elsewhere",
  covers: (difference) =>
    (difference.path.at(-1) === "numa_maps" || difference.path.at(-1) === "name") &&
    sameAfter((text) => text.replaceAll(/\/\S*\/(?=[^/\s]*$)/g, "/"))(difference),
};

export const NUMA_RULE: ComparisonRule = {
  name: "NUMA",
  reason: "the recorded machines have two nodes; this one has another number of them, or no NUMA",
  covers: (difference) =>
    difference.path.at(-1) === "numa_maps" &&
    (difference.left === null ||
      difference.right === null ||
      sameAfter((text) => text.replaceAll(/ N[0-9]+=[0-9]+/g, ""))(difference)),
};

export const SWAP_OFFSET_RULE: ComparisonRule = {
  name: "swap offset",
  reason: "which slot of a swap device a page gets depends on the device's use so far",
  covers: (difference) =>
    difference.path.includes("pagemap") &&
    sameAfter((text) => text.replaceAll(/\bswap type=[0-9]+ off=0x[0-9a-f]+/g, "swap"))(difference),
};

export const IDLE_RULE: ComparisonRule = {
  name: "idle",
  reason: "programs that look for idle pages (DAMON) set IDLE, clear REFERENCED and take the accessed bit",
  covers: (difference) =>
    (isFigure(difference, "kpageflags") &&
      sameAfter((text) => text.replaceAll(/\b(?:IDLE|REFERENCED)\b,?/g, "").replaceAll(/,(?=;|$)/g, ""))(difference)) ||
    difference.path.at(-1) === "Referenced",
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
