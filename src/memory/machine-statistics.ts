/**
 * Counters of the whole machine: the mTHP statistics of each size and the events of /proc/vmstat that the model makes.
 *
 * Pages mapped (AnonPages, Mapped) are not here: they are sums over folios of what is counted (kernel-facts 2.6).
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";

/** /sys/kernel/mm/transparent_hugepage/hugepages-SIZEkB/stats, per order. */
export class MthpStatistics {
  readonly nrAnon = new Int32Array(HPAGE_PMD_ORDER + 1);
  readonly nrAnonPartiallyMapped = new Int32Array(HPAGE_PMD_ORDER + 1);
  readonly split = new Int32Array(HPAGE_PMD_ORDER + 1);
  readonly splitDeferred = new Int32Array(HPAGE_PMD_ORDER + 1);
}

/** Events of /proc/vmstat by the kernel's names. */
export type VmEvent =
  | "thp_fault_alloc"
  | "thp_collapse_alloc"
  | "thp_split_page"
  | "thp_split_page_failed"
  | "thp_deferred_split_page"
  | "thp_split_pmd"
  | "thp_zero_page_alloc"
  | "thp_file_alloc"
  | "thp_file_mapped"
  | "thp_swpout"
  | "pswpout"
  | "pswpin"
  | "pgmigrate_success"
  | "thp_migration_success"
  | "thp_migration_split"
  | "cow_ksm"
  | "ksm_swpin_copy"
  | "nr_foll_pin_acquired"
  | "nr_foll_pin_released";

export class MachineStatistics {
  readonly mthp = new MthpStatistics();
  readonly events = new Map<VmEvent, number>();

  count(event: VmEvent, n = 1): void {
    this.events.set(event, (this.events.get(event) ?? 0) + n);
  }
}
