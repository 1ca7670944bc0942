/**
 * /sys/kernel/mm/transparent_hugepage: which sizes of large folio a fault may use.
 *
 * The defaults are those of the kernel lab: the global switch at madvise, every size at never, no deferred split of
 * underused folios, the zero page allowed (use_zero_page).
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";

export type ThpSwitch = "always" | "madvise" | "never";
export type ThpSizeSwitch = ThpSwitch | "inherit";
export type ShmemSizeSwitch = "always" | "within_size" | "advise" | "never" | "inherit";

export class ThpSettings {
  enabled: ThpSwitch = "madvise";
  /** The huge= option of the mount that files without a name lie on: the last shmem_enabled that was neither deny nor force. */
  shmemMount: "always" | "within_size" | "advise" | "never" = "never";
  /** The global shmem_enabled. */
  shmemEnabled: "always" | "within_size" | "advise" | "never" | "deny" | "force" = "never";
  useZeroPage = true;
  /** hugepages-SIZEkB/enabled by order, 2 to 9. */
  readonly size: ThpSizeSwitch[] = Array.from({ length: HPAGE_PMD_ORDER + 1 }, () => "never");
  /** hugepages-SIZEkB/shmem_enabled by order, 1 to 9. */
  readonly shmemSize: ShmemSizeSwitch[] = Array.from({ length: HPAGE_PMD_ORDER + 1 }, () => "never");
}
