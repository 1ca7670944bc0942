/**
 * `foliometer exporter` as its users start it: one sentence for every mistake, and an end in order.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { type TestContext, expect, test } from "vitest";
import { foliometer } from "../../test/foliometer-in-process.ts";
import { requireFile } from "../../test/full-run.ts";
import { FIGURE_GROUPS } from "../study/index.ts";
import { FIGURE_WORDS } from "./exporter.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const SAMPLE = fileURLToPath(new URL("../../examples/sample-capture", import.meta.url));

test("the words on the command line are those that the figures are grouped by", () => {
  expect(FIGURE_WORDS).toEqual(FIGURE_GROUPS);
});

test.each([
  [["--listen", "0.0.0.0:9876"], "Other machines can reach 0.0.0.0:9876"],
  [["--listen", "[::]:9876"], "Other machines can reach"],
  [["--listen", "node7:9876"], "--listen needs an address and a port"],
  [["--listen", "9876"], "--listen needs an address and a port"],
  [["--budget", "2h"], "It needs a time up to 60s."],
  [["--budget", "0"], "budget"],
  [["--min-interval", "soon"], "min-interval"],
  [["--by", "pid"], "Allowed choices are cgroup+program"],
  [["--schemes", "nothing"], 'There is no scheme "nothing"'],
  [["--hosts", "node7,node8:9876"], "It needs names without port or scheme, not node8:9876."],
  [["--hosts", "http://node7"], "It needs names without port or scheme"],
  [["--hosts", "*"], "It needs names without port or scheme"],
])("%j is wrong usage", async (args, sentence) => {
  const { stdout, stderr, code } = await foliometer("exporter", SAMPLE, "--threads", "1", ...args);
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
  expect(stderr).toContain(sentence);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("reader threads are for captures only", async () => {
  const { stdout, stderr, code } = await foliometer("exporter", "--threads", "2", "--listen", "127.0.0.1:0");
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
  expect(stderr).toBe("foliometer: --threads is for reading a capture; the running machine is read by one thread.\n");
});

test("a directory that is no capture is wrong usage", async () => {
  const { stderr, code } = await foliometer("exporter", "/proc/self/attr", "--listen", "127.0.0.1:0");
  expect(code).toBe(2);
  expect(stderr).toContain("Not a capture");
});

test("a port that is in use is one sentence and 3", async () => {
  const other = createServer();
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  try {
    const { port } = other.address() as AddressInfo;
    const result = await foliometer("exporter", SAMPLE, "--threads", "1", "--listen", `127.0.0.1:${port}`);
    expect(result).toEqual({
      stdout: "",
      stderr: `foliometer: 127.0.0.1:${port} is in use by another program; --listen takes another port.\n`,
      code: 3,
    });
  } finally {
    other.close();
  }
});

/** Starts it in a process of its own, hands its address to `body`, and ends it by a signal. */
async function exporting(
  ctx: TestContext,
  args: readonly string[],
  signal: NodeJS.Signals,
  body: (url: string) => Promise<void>,
): Promise<{ readonly code: number | null; readonly stderr: string }> {
  requireFile(ctx, MAIN);
  const child = spawn(process.execPath, [MAIN, "exporter", "--listen", "127.0.0.1:0", "--json", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said.stderr += chunk.toString()));
  const closed = once(child, "close") as Promise<[number | null]>;
  try {
    while (!said.stdout.endsWith("}\n") && child.exitCode === null) await new Promise((go) => setTimeout(go, 10));
    const { schema, version, url } = JSON.parse(said.stdout) as { schema: string; version: number; url: string };
    expect({ schema, version }).toEqual({ schema: "foliometer-exporter", version: 1 });
    await body(url);
  } finally {
    child.kill(signal);
  }
  const [code] = await closed;
  return { code, stderr: said.stderr };
}

test("a capture is served until SIGTERM, which is an end in order", async (ctx) => {
  const ended = await exporting(ctx, [SAMPLE, "--by", "program", "--top", "3"], "SIGTERM", async (url) => {
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[0-9]+\/metrics$/);
    const text = await (await fetch(url)).text();
    expect(text).toMatch(/^process_memory_bytes\{program="redis-server",memtype="rss"\} [0-9]+$/m);
    expect(text).toContain('process_memory_bytes{program="other",');
    expect(text).not.toContain("pid=");
  });
  expect(ended).toEqual({ code: 0, stderr: "" });
});

test("an interrupted exporter says so by its exit code", async (ctx) => {
  const ended = await exporting(ctx, [SAMPLE], "SIGINT", async (url) => {
    expect((await fetch(new URL("/healthz", url))).status).toBe(200);
  });
  expect(ended).toEqual({ code: 130, stderr: "" });
});
