/**
 * What the orchestrating thread and the readers say to each other.
 */
import type { FrameDifference } from "./frame-table.ts";
import type { FoundFolios } from "./folio-scan.ts";
import type { LoadTables, LoadedRuns } from "./load-runs.ts";
import type { StoredGroup } from "./mapping-part.ts";
import type { CompareRequest, CompareResult } from "./mapcount-compare.ts";
import type { ReaderTotals } from "./pagemap-reader.ts";
import type { PresentRuns, PresentRunsChoice } from "./present-runs.ts";
import type { ReadPlan } from "./read-plan.ts";
import type { RereadRequest, RereadResult } from "./reread-frames.ts";
import type { Histograms, PassTables } from "./run-passes.ts";
import type { PageSelection, SelectedRun } from "./selected-runs.ts";
import type { SwappedRuns } from "./swapped-runs.ts";

export type ReaderRequest =
  | {
      readonly type: "read";
      readonly plan: ReadPlan;
      readonly difference: FrameDifference;
      readonly useSystemCalls: boolean;
      /** Where runs go beyond the memory bound, and all of them if `keepPart`. */
      readonly partPath: string;
      readonly keepPart: boolean;
    }
  | {
      readonly type: "load";
      readonly groups: readonly StoredGroup[];
      readonly difference: FrameDifference;
      readonly tables: LoadTables;
    }
  | {
      readonly type: "countEnded";
      readonly difference: FrameDifference;
      readonly mmOfVma: Int32Array;
      readonly mmEnded: Uint8Array;
    }
  | {
      readonly type: "scanFolios";
      readonly fd: number;
      /** Pairs: first frame, frames. */
      readonly windows: Float64Array;
      readonly mapcount: Int32Array<SharedArrayBuffer>;
      readonly kind: Uint8Array<SharedArrayBuffer>;
      readonly ksmBitMeansKsm: boolean;
      readonly wantSmall: boolean;
    }
  | ({ readonly type: "compare" } & CompareRequest)
  | ({ readonly type: "reread" } & RereadRequest)
  | { readonly type: "events"; readonly tables: PassTables }
  | {
      readonly type: "histograms";
      readonly tables: Pick<PassTables, "mmOfVma" | "mmAlive" | "frameCount">;
      readonly classOfFrame: Int32Array<SharedArrayBuffer>;
      readonly classCount: number;
    }
  | {
      readonly type: "presentRuns";
      readonly tables: Pick<PassTables, "mmOfVma" | "mmAlive" | "frameCount">;
      readonly choice: PresentRunsChoice;
    }
  | {
      readonly type: "swappedRuns";
      readonly tables: Pick<PassTables, "mmOfVma" | "mmAlive">;
      /** 1 at the types of swap entries that are wanted. */
      readonly isWanted: Uint8Array;
    }
  | {
      readonly type: "selectFrames";
      readonly tables: Pick<PassTables, "mmOfVma" | "mmAlive">;
      readonly intervals: Float64Array;
    }
  | {
      readonly type: "selectPages";
      readonly tables: Pick<PassTables, "mmOfVma" | "mmAlive">;
      readonly selection: PageSelection;
    }
  | { readonly type: "finish" };

export type ReaderReply =
  | { readonly type: "read"; readonly totals: ReaderTotals }
  | ({ readonly type: "loaded" } & LoadedRuns)
  | { readonly type: "countedEnded" }
  | { readonly type: "folios"; readonly found: FoundFolios }
  | ({ readonly type: "compared" } & CompareResult)
  | ({ readonly type: "reread" } & RereadResult)
  | { readonly type: "events"; readonly events: Int32Array }
  | { readonly type: "histograms"; readonly histograms: Histograms }
  | { readonly type: "presentRuns"; readonly runs: readonly PresentRuns[] }
  | { readonly type: "swappedRuns"; readonly runs: readonly SwappedRuns[] }
  | { readonly type: "selected"; readonly runs: readonly SelectedRun[] }
  | { readonly type: "finished"; readonly groups: readonly StoredGroup[] }
  | { readonly type: "failed"; readonly message: string; readonly code: string | undefined; readonly stack: string };
