/**
 * `foliometer export [DIR...] --format FORMAT`: a capture's figures in the formats of other programs.
 *
 * This file knows which formats there are and what each needs; report/export-*.ts knows how they look. All is computed
 * before the first byte is written, and what is written is there as a whole or not at all.
 */
import { type Command, Option } from "commander";
import type { Capture } from "../capture/index.ts";
import type { ExportTable, StackValue } from "../report/index.ts";
import type { HistoryChoice } from "../study/index.ts";
import { parseCgroup, parseNames, parsePattern, parsePids, parseThreads } from "./arguments.ts";
import { EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";
import type { ExportChoice, ExportSource } from "./export-source.ts";
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
    says: "a Perfetto trace, of one capture, several or a recording (ui.perfetto.dev, trace_processor)",
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

interface ExportOptions extends SourceOptions, ExportChoice {
  readonly format: Format;
  readonly output: string;
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
  foliometer export recorded --format perfetto -o night.pftrace         a recording, from its beginning to its end
  foliometer export night --format stacks --value uss | flamegraph.pl > night.svg
  foliometer export night --format pprof --scheme mm-owner -o after.pb.gz
  foliometer export night --format parquet -o tables && duckdb -c "from 'tables/vmas.parquet'"`;

/** Adds the command. */
export function addExport(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("export")
    .description("write a capture's figures in the formats of other programs")
    .argument("[dirs...]", "captures, or captures of a recording (night@12); without one the running machine is read")
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

async function exportCaptures(directories: readonly string[], options: ExportOptions): Promise<number> {
  const { place, schemes, isBinary, takes } = FORMATS[options.format];
  if (directories.length > 1 && options.format !== "perfetto") {
    throw new UsageError(`The format ${options.format} holds one capture; several go into --format perfetto.`);
  }
  if (options.schemes !== undefined && schemes === "one") {
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
  const { withSource, judgeReport } = await import("./export-source.ts");
  const wanted = { ...options, oneScheme: schemes === "one" || options.format === "proc" || options.format === "csv" };
  if (options.format === "perfetto") {
    const { exportTrace } = await import("./export-trace.ts");
    return exportTrace(directories, { ...wanted, history: options.history ?? MOST_PRIVATE });
  }
  const open = async (): Promise<Capture> => (await import("./open-source.ts")).openSource(directories[0], options);
  if (options.format === "proc") (await import("./export-proc.ts")).checkProcTarget(options.output, 1);
  return withSource(open, wanted, async (source) => {
    const incomplete = await writeFormat(source, options);
    return incomplete ? EXIT_INCOMPLETE : judgeReport(source.report);
  });
}

/** Writes a format that holds one capture; true if something had to be left out. */
async function writeFormat({ capture, report, sums, schemes }: ExportSource, options: ExportOptions): Promise<boolean> {
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
      await writeTables(output, await reports.exportTables(capture, sums, report, ids));
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
      throw new Error("a trace is written by export-trace.ts");
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

async function writeProcFormat(
  { capture, report, sums, schemes }: ExportSource,
  options: ExportOptions,
): Promise<boolean> {
  const [{ checkProcSource, checkProcTarget, writeProc }, { tell }, { formatQuantity }] = await Promise.all([
    import("./export-proc.ts"),
    import("./run-action.ts"),
    import("../report/index.ts"),
  ]);
  checkProcTarget(options.output, schemes.length);
  checkProcSource(capture);
  const wanted = new Set(report.processes.map(({ pid }) => pid));
  const wants = ({ pid }: { readonly pid: number }): boolean => wanted.has(pid);
  const { missing, estimated } = await writeProc(options.output, {
    capture,
    report,
    sums,
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
