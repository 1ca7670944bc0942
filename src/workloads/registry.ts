/**
 * All workloads, in the order in which they are listed: those that fork, those that share files, one address space by
 * itself, and what the machine does to memory.
 */
import { allocator } from "./allocator.ts";
import { containerLibraries } from "./container-libraries.ts";
import { dataLoader } from "./data-loader.ts";
import { forkServer } from "./fork-server.ts";
import { jvm } from "./jvm.ts";
import { khugepagedChurn } from "./khugepaged-churn.ts";
import { ksmHosts } from "./ksm-hosts.ts";
import { numaMigration } from "./numa-migration.ts";
import { preforkDatabase } from "./prefork-database.ts";
import { pudToPte } from "./pud-to-pte.ts";
import { redisBgsave } from "./redis-bgsave.ts";
import { straddlingFolios } from "./straddling-folios.ts";
import { thirdMm } from "./third-mm.ts";
import { vmaSplits } from "./vma-splits.ts";
import { zygote } from "./zygote.ts";
import type { Workload } from "./workload.ts";

export const WORKLOADS: readonly Workload[] = [
  forkServer,
  zygote,
  redisBgsave,
  dataLoader,
  jvm,
  thirdMm,
  preforkDatabase,
  containerLibraries,
  straddlingFolios,
  allocator,
  vmaSplits,
  khugepagedChurn,
  numaMigration,
  ksmHosts,
  pudToPte,
];

/** The workload of this id. */
export function findWorkload(id: string): Workload | undefined {
  return WORKLOADS.find((workload) => workload.id === id);
}
