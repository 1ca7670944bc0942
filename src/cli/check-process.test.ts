/**
 * foliometer check as its users start it, a process of its own: Ctrl-C and standard input.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type TestContext, expect, test } from "vitest";
import { requireFile } from "../../test/full-run.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Far more states than anybody waits for: twelve words of ten values. */
const ENDLESS = `index who 12
word x[who]: 0..9
thread one[i in who] {
  loop {
    let r = load x[i]
    store x[i] = (r + 1) % 10
  }
}
always small: x[0] < 10
`;

function start(ctx: TestContext, args: readonly string[]): ChildProcess {
  requireFile(ctx, MAIN);
  const { FORCE_COLOR: _force, NO_COLOR: _no, ...env } = process.env;
  return spawn(process.execPath, [MAIN, "check", ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
}

/** What a stream has said until it ended. */
async function all(stream: NodeJS.ReadableStream | null): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of stream ?? []) chunks.push(String(chunk));
  return chunks.join("");
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A search without end that is interrupted after so long. */
async function interruptedAfter(ctx: TestContext, waitMs: number): Promise<Ended> {
  const child = start(ctx, ["-", "--no-reduction"]);
  child.stdin?.end(ENDLESS);
  const ended = once(child, "close");
  const said = Promise.all([all(child.stdout), all(child.stderr)]);
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  child.kill("SIGINT");
  const [stdout, stderr] = await said;
  const [status] = (await ended) as [number | null];
  return { status, stdout, stderr };
}

test("Ctrl-C ends the search, prints what was explored so far and ends with 3", async (ctx) => {
  let ended = await interruptedAfter(ctx, 1000);
  // On a busy machine the search had not begun, and the signal ended the command as any other.
  for (let waitMs = 2000; waitMs <= 16_000 && ended.status !== 3; waitMs *= 2)
    ended = await interruptedAfter(ctx, waitMs);
  expect(ended.status).toBe(3);
  expect(ended.stderr).toBe("foliometer: Ending; what was explored so far follows. Again to leave it.\n");
  expect(ended.stdout).toMatch(/^<stdin>\n/);
  expect(ended.stdout).toMatch(/^small +in every state +holds in what was explored$/m);
  expect(ended.stdout).toMatch(/^Interrupted, explored so far: [\d,]+ states, /m);
}, 60_000);

test("a system on standard input is checked", (ctx) => {
  requireFile(ctx, MAIN);
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "check", "-", "--set", "N=3"], {
    encoding: "utf8",
    input: "const N = 1\nword x: 0..9\nthread up {\n  repeat N { add x, 1 }\n}\nsometimes all: x == N\n",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^Complete: 4 states, 3 transitions, depth 3, /m);
});
