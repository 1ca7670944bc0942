/**
 * What the exporter answers to which request: /metrics, /healthz, and a page of one sentence that leads to them.
 *
 * Everything else is refused before any work is done: other hosts (asked-host.ts), other methods, bodies, other paths.
 * Only /metrics makes the machine be read, and not twice at once (shared-scrape.ts).
 */
import { type Context, Hono } from "hono";
import {
  type ExporterAnswer,
  type ExporterState,
  OPENMETRICS_CONTENT_TYPE,
  PROMETHEUS_CONTENT_TYPE,
  exporterFamilies,
  formatMetrics,
} from "../report/index.ts";
import { isAskedHost } from "./asked-host.ts";
import { chooseDialect } from "./choose-dialect.ts";
import type { SharedAnswer, SharedScrape } from "./shared-scrape.ts";

/** What the answers depend on. */
export interface MetricsAppOptions {
  readonly shared: SharedScrape;
  /** Time for an answer; a scraper that announces less gets it in less. */
  readonly budgetMs: number;
  readonly minIntervalMs: number;
  /** Names under which we may be asked, beside addresses and localhost; in lower case. */
  readonly hosts: ReadonlySet<string>;
  /** An error of ours: the request gets a 500, the caller the error. */
  readonly onBug: (error: Error) => void;
}

/** Prometheus says how long it will wait, in seconds; some of it is for the way there and back. */
const TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds";
const TIMEOUT_SHARE = 0.9;
/** Less than this is no time to do anything in. */
const BUDGET_MS_MIN = 10;

const INDEX_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Foliometer exporter</title></head>
<body><p>This is the Foliometer exporter: <a href="/metrics">/metrics</a> has the memory of this machine under several
ways of counting, and <a href="/healthz">/healthz</a> says whether it can be read.</p></body></html>
`;

const HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

interface Tally {
  readonly answers: Record<ExporterAnswer, number>;
  readonly refusals: Record<"host" | "method" | "body" | "path", number>;
}

/** The application, without a socket. */
export function createMetricsApp(options: MetricsAppOptions): Hono {
  const app = new Hono();
  const tally: Tally = {
    answers: { fresh: 0, shared: 0, cached: 0, late: 0, failed: 0 },
    refusals: { host: 0, method: 0, body: 0, path: 0 },
  };
  app.use(async (context, next) => {
    for (const [name, value] of Object.entries(HEADERS)) context.header(name, value);
    return refuse(context, options, tally) ?? (await next());
  });
  app.get("/", (context) => context.html(INDEX_PAGE));
  app.get("/healthz", (context) => {
    const failure = options.shared.failed();
    return failure === undefined ? context.text("ok\n") : context.text(`${failure}\n`, 503);
  });
  app.get("/metrics", async (context) => answerMetrics(context, options, tally));
  app.notFound((context) => {
    tally.refusals.path++;
    return context.text("There is nothing here; see /metrics.\n", 404);
  });
  app.onError((error, context) => {
    options.onBug(error);
    return context.text("The exporter failed.\n", 500);
  });
  return app;
}

function refuse(context: Context, { hosts }: MetricsAppOptions, { refusals }: Tally): Response | undefined {
  const { req } = context;
  if (!isAskedHost(req.header("host") ?? "", hosts)) {
    refusals.host++;
    return context.text("This is not a name of this exporter; --hosts tells it its names.\n", 403);
  }
  if (req.method !== "GET" && req.method !== "HEAD") {
    refusals.method++;
    return context.text("Only GET and HEAD are answered.\n", 405, { Allow: "GET, HEAD" });
  }
  if (req.header("transfer-encoding") !== undefined || (req.header("content-length") ?? "0") !== "0") {
    refusals.body++;
    return context.text("A request has no body here.\n", 413, { Connection: "close" });
  }
  return undefined;
}

async function answerMetrics(context: Context, options: MetricsAppOptions, tally: Tally): Promise<Response> {
  const budgetMs = budgetOf(context.req.header(TIMEOUT_HEADER), options.budgetMs);
  const answer = await options.shared.answer(budgetMs);
  tally.answers[answer.how]++;
  if (answer.how === "failed") return context.text(`${answer.message}\n`, 503);
  const dialect = chooseDialect(context.req.header("accept"));
  const text = formatMetrics(exporterFamilies(stateOf(answer, budgetMs, options, tally)), { dialect });
  const type = dialect === "openmetrics" ? OPENMETRICS_CONTENT_TYPE : PROMETHEUS_CONTENT_TYPE;
  return context.body(text, 200, { "Content-Type": type, Vary: "Accept" });
}

/** The time for an answer: ours, or less if the scraper will not wait for so long. */
function budgetOf(header: string | undefined, budgetMs: number): number {
  const seconds = header === undefined || header.trim() === "" ? Number.NaN : Number(header);
  if (!(seconds > 0)) return budgetMs;
  return Math.max(BUDGET_MS_MIN, Math.min(budgetMs, seconds * 1000 * TIMEOUT_SHARE));
}

function stateOf(
  answer: Exclude<SharedAnswer, { how: "failed" }>,
  budgetMs: number,
  { shared, minIntervalMs }: MetricsAppOptions,
  { answers, refusals }: Tally,
): ExporterState {
  const scrape = answer.how === "late" ? undefined : answer.scrape;
  const now = Date.now();
  const { user, system } = process.cpuUsage();
  const since = (atMs: number | undefined): number => Math.max(0, now - (atMs ?? now)) / 1000;
  return {
    scrape,
    how: answer.how,
    processes: shared.knownProcesses() ?? Number.NaN,
    ageSeconds: since(scrape?.beganAtMs),
    oldestAgeSeconds: since(scrape?.oldestReadAtMs),
    budgetSeconds: budgetMs / 1000,
    minIntervalSeconds: minIntervalMs / 1000,
    answers,
    refusals,
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
  };
}
