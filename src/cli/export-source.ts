/**
 * What an export starts from: a capture, its report on the chosen processes, and the schemes that are written.
 */
import type { Capture } from "../capture/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { CaptureReport, CaptureSums } from "../study/index.ts";
import type { ProcessChoice } from "./choose-processes.ts";
import { EXIT_DONE, EXIT_INCOMPLETE } from "./exit-codes.ts";

/** What the command line chooses of a capture. */
export interface ExportChoice extends ProcessChoice {
  readonly scheme?: string;
  readonly schemes?: readonly string[];
}

/** The choice, and whether it means one scheme where it names none. */
export interface SourceWish extends ExportChoice {
  readonly oneScheme: boolean;
}

/** A capture with all that a format may need; its report's processes are those that were chosen. */
export interface ExportSource {
  readonly capture: Capture;
  readonly report: CaptureReport;
  readonly sums: CaptureSums;
  /** The schemes that are written; the report has the kernel's own too, as its first. */
  readonly schemes: readonly Scheme[];
}

/** Opens a capture, hands it to `body` and closes it. Throws UsageError for schemes and processes that are not there. */
export async function withSource<T>(
  open: () => Promise<Capture>,
  wish: SourceWish,
  body: (source: ExportSource) => Promise<T>,
): Promise<T> {
  const [{ schemeOf }, { SCHEMES }, study] = await Promise.all([
    import("./choose-schemes.ts"),
    import("../schemes/index.ts"),
    import("../study/index.ts"),
  ]);
  // Before the machine is read for nothing.
  const named = [...(wish.schemes ?? []), ...(wish.scheme === undefined ? [] : [wish.scheme])].map(schemeOf);
  const capture = await open();
  try {
    const own = study.orderSchemes(capture, SCHEMES)[0];
    const schemes = await chooseExported(capture, named, { ...wish, own });
    const sums = await study.sumCapture(capture, [own, ...schemes.filter((scheme) => scheme !== own)]);
    const report = await chooseReported(capture, study.reportOnSums(capture, sums), wish);
    return await body({ capture, report, sums, schemes });
  } finally {
    await capture.close();
  }
}

/** The schemes that are written, the kernel's own first if it is one of them. */
async function chooseExported(
  capture: Capture,
  named: readonly Scheme[],
  { scheme, schemes, oneScheme, own }: SourceWish & { readonly own: Scheme },
): Promise<readonly Scheme[]> {
  if (scheme !== undefined) return named;
  if (schemes === undefined && oneScheme) return [own];
  const [{ chooseSchemes }, { orderSchemes }] = await Promise.all([
    import("./choose-schemes.ts"),
    import("../study/index.ts"),
  ]);
  return orderSchemes(capture, chooseSchemes(schemes, capture.machine.mapcountConfig));
}

/** The report with the chosen processes only; the machine's figures stay those of the whole. */
async function chooseReported(capture: Capture, report: CaptureReport, choice: ProcessChoice): Promise<CaptureReport> {
  const { pid, program, cgroup } = choice;
  if (pid === undefined && program === undefined && cgroup === undefined) return report;
  const { choosePids } = await import("./choose-processes.ts");
  const pids = await choosePids(capture, choice);
  return { ...report, processes: report.processes.filter((process) => pids.has(process.pid)) };
}

/** The exit code of what was read. Tells what is missing. */
export async function judgeReport({ coverage, wholeMachine }: CaptureReport): Promise<number> {
  const [{ findGaps }, { tell }] = await Promise.all([import("../report/index.ts"), import("./run-action.ts")]);
  const gaps = findGaps(coverage, wholeMachine);
  for (const gap of gaps) tell(`incomplete: ${gap}`);
  return gaps.length > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}
