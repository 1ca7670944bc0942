/**
 * All rules, by group, in the order in which a report shows them.
 *
 * Ids are stable. To add a rule: one entry in the file of its group; if an operation of the model asks it, its name in
 * memory/kernel-decisions.ts.
 */
import type { CowRule } from "../memory/index.ts";
import { cowRules } from "./cow.ts";
import { FILE_RULES } from "./files.ts";
import { KHUGEPAGED_RULES } from "./khugepaged.ts";
import { KSM_RULES } from "./ksm.ts";
import { MADVISE_RULES } from "./madvise.ts";
import { MIGRATE_RULES } from "./migrate.ts";
import { NUMA_RULES } from "./numa.ts";
import { PIN_RULES } from "./pins.ts";
import { RECLAIM_RULES } from "./reclaim.ts";
import type { DecisionRule } from "./rule.ts";
import { SPLIT_RULES } from "./split.ts";

/** The rules of a kernel with this rule of copy-on-write. */
export function rulesOf(cowRule: CowRule): readonly DecisionRule[] {
  return [
    ...cowRules(cowRule),
    ...PIN_RULES,
    ...MADVISE_RULES,
    ...MIGRATE_RULES,
    ...NUMA_RULES,
    ...RECLAIM_RULES,
    ...SPLIT_RULES,
    ...KHUGEPAGED_RULES,
    ...KSM_RULES,
    ...FILE_RULES,
  ];
}

/** The rules of today's kernel. */
export const DECISION_RULES: readonly DecisionRule[] = rulesOf("large-reuse");

/** The rule with this id, of today's kernel; undefined if there is none. */
export function findRule(id: string): DecisionRule | undefined {
  return DECISION_RULES.find((rule) => rule.id === id);
}
