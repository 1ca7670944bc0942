/**
 * `foliometer export [DIR...] --format FORMAT`: a capture's figures in the formats of other programs.
 *
 * This file knows which formats there are and what each needs; report/export-*.ts knows how they look. All is computed
 * before the first byte is written, and what is written is there as a whole or not at all.
 */
import { type Command, Option } from "commander";
import type { Capture } from "../capture/index.ts";
import type { ExportTable, StackValue, TracedCapture } from "../report/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { CaptureReport, CaptureSums, HistoryChoice } from "../study/index.ts";
import { parseCgroup, parseNames, parsePattern, parsePids, parseThreads } from "./arguments.ts";
import type { ProcessChoice } from "./choose-processes.ts";
import { EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";
import type { SourceOptions } from "./open-source.ts";

type Format = "proc" | "openmetrics" | "prometheus" | "perfetto" | "stacks" | "pprof" | "csv" | "parquet" | "json";

interface FormatFacts {
  /** What it is and who reads it, for --help. */
  readonly says: string;
  /** Schemes that one export may hold. */
  readonly schemes: "one" | "several";
  readonly place: "file" | "directory" | "either";
  readonly isBinary: boolean;
  /** Options that mean something for it; others are refused. */
  readonly takes: readonly ("history" | "value" | "timestamps")[];
}

const FORMATS: Readonly<Record<Format, FormatFacts>> = {
  proc: {
    says: "a /proc with smaps, meminfo, ...: a directory, or an archive named .tar or .tar.gz (smem -S DIR, ps_mem)",
    schemes: "several",
    place: "either",
    isBinary: true,
    takes: ["history"],
  },
  openmetrics: {
    says: "OpenMetrics text (Prometheus; with --timestamps promtool tsdb create-blocks-from openmetrics)",
    schemes: "several",
    place: "file",
    isBinary: false,
    takes: ["timestamps"],
  },
  prometheus: {
    says: "the same in Prometheus' older text format (node_exporter's textfile collector, promtool check metrics)",
    schemes: "several",
    place: "file",
    isBinary: false,
    takes: ["timestamps"],
  },
  perfetto: {
    says: "a Perfetto trace, of one capture or several over time (ui.perfetto.dev, trace_processor)",
    schemes: "several",
    place: "file",
    isBinary: true,
    takes: ["history"],
  },
  stacks: {
    says: "collapsed stacks: cgroup;program;pid;mapping;order bytes (flamegraph.pl, speedscope, inferno)",
    schemes: "one",
    place: "file",
    isBinary: false,
    takes: ["history", "value"],
  },
  pprof: {
    says: "a pprof profile of rss, pss and uss, gzipped (go tool pprof, also with -diff_base; speedscope)",
    schemes: "one",
    place: "file",
    isBinary: true,
    takes: ["history"],
  },
  csv: {
    says: "processes with smem's columns in kB (spreadsheets, pandas)",
    schemes: "several",
    place: "file",
    isBinary: false,
    takes: ["history"],
  },
  parquet: {
    says: "a directory with processes, vmas and folios as Parquet (DuckDB, pandas, Polars, Spark)",
    schemes: "several",
    place: "directory",
    isBinary: true,
    takes: [],
  },
  json: {
    says: "the same as foliometer report --json",
    schemes: "several",
    place: "file",
    isBinary: false,
    takes: [],
  },
};

const MOST_PRIVATE: HistoryChoice = "most-private";

/** Names of the formats. */
export const EXPORT_FORMATS = Object.keys(FORMATS) as Format[];

interface ExportOptions extends SourceOptions, ProcessChoice {
  readonly format: Format;
  readonly output: string;
  readonly scheme?: string;
  readonly schemes?: readonly string[];
  readonly history?: HistoryChoice;
  readonly value?: StackValue;
  readonly timestamps?: boolean;
}

const HELP = `
Formats:
${EXPORT_FORMATS.map((name) => `  ${name.padEnd(12)} ${FORMATS[name].says}`).join("\n")}

Examples:
  foliometer export --format proc -o then && smem -S then       what smem would show; --scheme mm-owner: elsewhere
  foliometer export night --format openmetrics --timestamps -o night.om
  foliometer export mon tue wed --format perfetto -o week.pftrace
  foliometer export night --format stacks --value uss | flamegraph.pl --countname bytes > night.svg
  foliometer export night --format pprof --scheme mm-owner -o after.pb.gz
  foliometer export night --format parquet -o tables && duckdb -c "from 'tables/vmas.parquet'"`;

/** Adds the command. */
export function addExport(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("export")
    .description("write a capture's figures in the formats of other programs")
    .argument("[dirs...]", "captures; without one the running machine is read")
    .addOption(new Option("--format <format>", "see below").choices(EXPORT_FORMATS).makeOptionMandatory())
    .option("-o, --output <path>", "where to; -: stdout, for formats that are one file", "-")
    .addOption(
      new Option("--scheme <id>", "one scheme (default: the kernel's own where a format holds one)").conflicts(
        "schemes",
      ),
    )
    .option("--schemes <ids>", "several schemes; the kernel's own is always one", parseNames)
    .addOption(
      new Option("--history <choice>", "which Uss, where the past of a folio decides and a format has one column")
        .choices(["most-private", "least-private"])
        .default(undefined, MOST_PRIVATE),
    )
    .addOption(
      new Option("--value <figure>", "what the bytes of stacks are")
        .choices(["rss", "pss", "uss"])
        .default(undefined, "pss"),
    )
    .option("--timestamps", "metrics say when the capture was taken; a scraper does without")
    .option("--pid <pids>", "only these processes", parsePids)
    .option("--program <regex>", "only processes whose name or command line matches", parsePattern)
    .option("--cgroup <path>", "only processes of this control group and those below it", parseCgroup)
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--or-sample", "where the machine cannot be read, open the sample capture")
    .option("--quiet", "no progress and no notes on stderr")
    .addHelpText("after", HELP)
    .action(async (directories: string[], options: ExportOptions) =>
      run(async () => exportCaptures(directories, options)),
    );
}

/** A capture with all that a format may need; its processes are those that were chosen. */
interface Source {
  readonly capture: Capture;
  readonly report: CaptureReport;
  readonly sums: CaptureSums;
  readonly schemes: readonly Scheme[];
}

async function exportCaptures(directories: readonly string[], options: ExportOptions): Promise<number> {
  const { place, schemes, isBinary, takes } = FORMATS[options.format];
  if (directories.length > 1 && options.format !== "perfetto") {
    throw new UsageError(`The format ${options.format} holds one capture; several go into --format perfetto.`);
  }
  if (options.schemes !== undefined && options.schemes.length > 1 && schemes === "one") {
    throw new UsageError(`The format ${options.format} holds one scheme: choose it with --scheme.`);
  }
  for (const name of ["history", "value", "timestamps"] as const) {
    if (options[name] === undefined || takes.includes(name)) continue;
    const takers = EXPORT_FORMATS.filter((each) => FORMATS[each].takes.includes(name)).join(", ");
    throw new UsageError(`--${name} says nothing for the format ${options.format}; it is for ${takers}.`);
  }
  const output = await import("./export-output.ts");
  if (place === "directory" && options.output === output.STDOUT) {
    throw new UsageError(`The format ${options.format} is a directory: give -o DIR.`);
  }
  if (place === "file" && options.output === output.STDOUT) output.checkStdout(isBinary);
  if (place !== "either") output.checkTarget(options.output, place);
  if (options.format === "perfetto") return exportTrace(directories, options);
  return withSource(directories[0], options, async (source) => {
    const incomplete = await writeFormat(source, options);
    return (await judge(source.report)) === EXIT_DONE && !incomplete ? EXIT_DONE : EXIT_INCOMPLETE;
  });
}

/** Several captures in the order of their time, one trace. */
async function exportTrace(directories: readonly string[], options: ExportOptions): Promise<number> {
  const traced: TracedCapture[] = [];
  let schemes: readonly string[] = [];
  let code = EXIT_DONE;
  for (const directory of directories.length === 0 ? [undefined] : directories) {
    code = await withSource(directory, options, async ({ capture, report, schemes: chosen }) => {
      const first = traced[0]?.report.machine;
      if (first !== undefined && first.bootId !== report.machine.bootId) {
        throw new UsageError("A trace has one clock: these captures are of different boots or machines.");
      }
      schemes = chosen.map(({ id }) => id);
      traced.push({ report, uptimeSeconds: capture.machine.uptimeSeconds });
      return Math.max(code, await judge(report));
    });
  }
  const [{ formatPerfettoTrace }, { writeResult }] = await Promise.all([
    import("../report/index.ts"),
    import("./export-output.ts"),
  ]);
  const inTime = traced.toSorted((a, b) => a.uptimeSeconds - b.uptimeSeconds);
  await writeResult(options.output, formatPerfettoTrace(inTime, { schemes, history: options.history ?? MOST_PRIVATE }));
  return code;
}

async function withSource(
  directory: string | undefined,
  options: ExportOptions,
  body: (source: Source) => Promise<number>,
): Promise<number> {
  const [{ openSource }, { schemeOf }, study] = await Promise.all([
    import("./open-source.ts"),
    import("./choose-schemes.ts"),
    import("../study/index.ts"),
  ]);
  // Before the machine is read for nothing.
  const named = [...(options.schemes ?? []), ...(options.scheme === undefined ? [] : [options.scheme])].map(schemeOf);
  const capture = await openSource(directory, options);
  try {
    const schemes = await chooseExported(capture, named, options);
    const { checkProcSource, checkProcTarget } = await import("./export-proc.ts");
    if (options.format === "proc") {
      checkProcTarget(options.output, schemes.length);
      checkProcSource(capture);
    }
    const own = study.orderSchemes(capture, (await import("../schemes/index.ts")).SCHEMES)[0];
    const all = [own, ...schemes.filter((scheme) => scheme !== own)];
    const sums = await study.sumCapture(capture, all);
    const report = await chooseReported(capture, study.reportOnSums(capture, sums), options);
    return await body({ capture, report, sums, schemes });
  } finally {
    await capture.close();
  }
}

/** The schemes that are written, the kernel's own first if it is one of them. */
async function chooseExported(
  capture: Capture,
  named: readonly Scheme[],
  options: ExportOptions,
): Promise<readonly Scheme[]> {
  const [{ chooseSchemes }, { SCHEMES }, { orderSchemes }] = await Promise.all([
    import("./choose-schemes.ts"),
    import("../schemes/index.ts"),
    import("../study/index.ts"),
  ]);
  if (options.scheme !== undefined) return named;
  if (FORMATS[options.format].schemes === "one" && named.length === 1) return named;
  const own = orderSchemes(capture, SCHEMES)[0];
  const oneIsWanted =
    FORMATS[options.format].schemes === "one" || options.format === "proc" || options.format === "csv";
  if (options.schemes === undefined && oneIsWanted) return [own];
  return orderSchemes(capture, chooseSchemes(options.schemes, capture.machine.mapcountConfig));
}

/** The report with the chosen processes only; the machine's figures stay those of the whole. */
async function chooseReported(capture: Capture, report: CaptureReport, options: ExportOptions): Promise<CaptureReport> {
  const { pid, program, cgroup } = options;
  if (pid === undefined && program === undefined && cgroup === undefined) return report;
  const { choosePids } = await import("./choose-processes.ts");
  const pids = await choosePids(capture, options);
  return { ...report, processes: report.processes.filter((process) => pids.has(process.pid)) };
}

/** Writes a format that holds one capture; true if something had to be left out. */
async function writeFormat({ capture, report, sums, schemes }: Source, options: ExportOptions): Promise<boolean> {
  const [reports, { writeResult }] = await Promise.all([import("../report/index.ts"), import("./export-output.ts")]);
  const { format, output, history = MOST_PRIVATE, value = "pss" } = options;
  const ids = schemes.map(({ id }) => id);
  switch (format) {
    case "openmetrics":
    case "prometheus": {
      const timestamps = options.timestamps === true;
      await writeResult(output, reports.formatExportMetrics(report, { dialect: format, schemes: ids, timestamps }));
      return false;
    }
    case "csv":
      await writeResult(output, reports.formatExportCsv(report, { schemes: ids, history }));
      return false;
    case "json":
      await writeResult(output, reports.formatReportJson(reports.selectReport(report, { sort: "pss" })));
      return false;
    case "parquet":
      await writeTables(output, reports.exportTables(capture, sums, report, ids));
      return false;
    case "stacks":
    case "pprof": {
      const { sumStacks } = await import("../study/index.ts");
      const summed = await sumStacks(capture, schemes[0]);
      const wanted = new Set(report.processes.map(({ pid }) => pid));
      const chosen = { ...summed, stacks: summed.stacks.filter(({ process }) => wanted.has(process.pid)) };
      if (format === "stacks") await writeResult(output, reports.formatCollapsedStacks(chosen, { value, history }));
      else await writeResult(output, (await import("node:zlib")).gzipSync(reports.formatPprof(chosen, { history })));
      return false;
    }
    case "proc":
      return writeProcFormat({ capture, report, sums, schemes }, options);
    case "perfetto":
      throw new Error("a trace is written by exportTrace");
  }
}

async function writeTables(directory: string, tables: readonly ExportTable[]): Promise<void> {
  const [{ writeOutput }, { writeParquet }] = await Promise.all([
    import("./export-output.ts"),
    import("../capture/index.ts"),
  ]);
  await writeOutput(directory, "directory", async (path) => {
    for (const { schema, rows, columns } of tables) {
      await writeParquet(`${path}/${schema.name}.parquet`, schema, rows, columns);
    }
  });
}

async function writeProcFormat({ capture, report, schemes }: Source, options: ExportOptions): Promise<boolean> {
  const [{ writeProc }, { tell }, { formatQuantity }] = await Promise.all([
    import("./export-proc.ts"),
    import("./run-action.ts"),
    import("../report/index.ts"),
  ]);
  const wanted = new Set(report.processes.map(({ pid }) => pid));
  const wants = ({ pid }: { readonly pid: number }): boolean => wanted.has(pid);
  const { missing, estimated } = await writeProc(options.output, {
    capture,
    report,
    schemes,
    history: options.history ?? MOST_PRIVATE,
    wants,
  });
  if (missing.size > 0) {
    const [pid] = missing;
    const count = formatQuantity(missing.size, "process", "processes");
    tell(`incomplete: ${count} without smaps left out, the first is ${pid}.`);
  }
  if (estimated.length > 0 && options.quiet !== true) {
    tell(`${formatQuantity(estimated.length, "note", "notes")} on estimated VMAs, the first is: ${estimated[0]}`);
  }
  return missing.size > 0;
}

/** The exit code of what was read. Tells what is missing. */
async function judge({ coverage, wholeMachine }: CaptureReport): Promise<number> {
  const [{ findGaps }, { tell }] = await Promise.all([import("../report/index.ts"), import("./run-action.ts")]);
  const gaps = findGaps(coverage, wholeMachine);
  for (const gap of gaps) tell(`incomplete: ${gap}`);
  return gaps.length > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}
