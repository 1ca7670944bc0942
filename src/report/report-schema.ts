/**
 * The shape of the JSON report as a zod schema: strict, so that a field which is not documented does not pass.
 *
 * Loaded only where it is asked for (`foliometer report --json-schema`, tests): nothing on the way to a figure needs it.
 */
import { z } from "zod";
import type { CaptureReport } from "../study/index.ts";

const Bytes = z.int().describe("bytes");
const Count = z.int().nonnegative();
const RangeOf = (unit: string) =>
  z.strictObject({ least: z.int(), most: z.int() }).describe(`${unit}; what some history leaves at least and at most`);
const ByScheme = <T extends z.ZodType>(value: T) => z.record(z.string(), value).describe("by scheme id");

const ProcessFigures = z.strictObject({
  pssBytes: Bytes,
  pssAnonBytes: Bytes,
  pssFileBytes: Bytes,
  pssShmemBytes: Bytes,
  ussBytes: RangeOf("bytes"),
  exclusiveEntries: RangeOf("page-table entries"),
});

const ProcessReport = z.strictObject({
  pid: Count,
  ppid: Count,
  uid: Count,
  user: z.string(),
  name: z.string(),
  command: z.string(),
  cgroup: z.string(),
  state: z.enum(["complete", "ended", "refused", "shares-mm"]),
  refusal: z.string().nullable(),
  rssBytes: Bytes,
  rssAnonBytes: Bytes,
  rssFileBytes: Bytes,
  rssShmemBytes: Bytes,
  swapBytes: Bytes,
  hugetlbBytes: Bytes,
  pageTablesBytes: Bytes,
  changedBytes: Bytes,
  exclusiveEntriesMeasured: Count,
  schemes: ByScheme(ProcessFigures),
});

const MachineFigures = z.strictObject({
  pssBytes: Bytes,
  ussBytes: RangeOf("bytes"),
  anonPagesBytes: Bytes,
  mappedBytes: Bytes,
  exclusiveEntries: RangeOf("page-table entries"),
  kpagecountChangedFrames: Count,
  kpagecountDifference: Count,
  mapmaxChangedVmas: Count,
  partialNoticed: Count,
  partialMissed: Count,
  partialMissedBytes: Bytes,
  partialPastDecides: Count,
  partialPastDecidesBytes: Bytes,
});

const FolioOrderReport = z.strictObject({
  order: Count,
  kind: z.string(),
  folios: Count,
  bytes: Bytes,
  mappedBytes: Bytes,
  mappedByOne: Count,
  mappedByTwo: Count,
  mappedByMore: Count,
  partiallyMapped: Count,
});

const CgroupReport = z.strictObject({
  cgroup: z.string(),
  anonExtraBytes: ByScheme(Bytes),
  fileExtraBytes: ByScheme(Bytes),
});

const Machine = z.strictObject({
  kernelRelease: z.string(),
  architecture: z.string(),
  mapcountConfig: z.enum(["page", "nopage", "unknown"]),
  pageSizeBytes: Bytes,
  beganAtMs: z.number(),
  endedAtMs: z.number(),
  bootId: z.string(),
  memTotalBytes: Bytes,
  thpEnabled: z.string().nullable(),
});

const Coverage = z.strictObject({
  processesRead: Count,
  processesRefused: Count,
  processesEnded: Count,
  framesChecked: Count,
  everyFrameChecked: z.boolean(),
  framesDiffered: Count,
  framesDifferAfterSecondLook: Count,
  framesCountedMoreByKernel: Count,
  checkRefusal: z.string().nullable(),
  changedBytes: Bytes,
});

const Cost = z.strictObject({
  elapsedMs: z.number(),
  threads: Count,
  pagemapBytes: Bytes,
  kpageflagsBytes: Bytes,
  kpagecountBytes: Bytes,
  entriesPresent: Count,
  longestScanMs: z.number(),
  phasesMs: z.record(z.string(), z.number()),
});

/** The document of `--json`. */
export const CaptureReportSchema: z.ZodType<CaptureReport> = z.strictObject({
  schema: z.literal("foliometer-report"),
  version: z.literal(1),
  machine: Machine,
  schemes: z.array(z.string()).describe("scheme ids; the first is the running kernel's own"),
  wholeMachine: z.boolean(),
  processes: z.array(ProcessReport),
  totals: z.strictObject({ rssBytes: Bytes, swapBytes: Bytes, hugetlbBytes: Bytes }),
  figures: ByScheme(MachineFigures),
  measured: z.strictObject({
    anonPagesBytes: Bytes.nullable(),
    mappedBytes: Bytes.nullable(),
    shmemBytes: Bytes.nullable(),
    anonHugePagesBytes: Bytes.nullable(),
    exclusiveEntries: Count,
  }),
  memory: z.array(z.strictObject({ label: z.string(), bytes: Bytes, origin: z.enum(["measured", "derived", "rest"]) })),
  folios: z.array(FolioOrderReport),
  partial: z.strictObject({ folios: Count, unmappedBytes: Bytes }),
  cgroups: z.array(CgroupReport),
  coverage: Coverage,
  cost: Cost,
  notes: z.array(z.string()),
});

/** The same as JSON Schema text, with its last newline. */
export function formatReportJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(CaptureReportSchema), null, 2)}\n`;
}
