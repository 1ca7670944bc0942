/**
 * The exporter on a real socket: what Node does for us, and how it ends.
 */
import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { HeldSource, madeUpScrape, readySource } from "../../test/server/made-up-scrape.ts";
import type { ScrapeSource } from "../study/index.ts";
import { CannotListen, type MetricsServer, SERVER_LIMITS, startMetricsServer } from "./metrics-server.ts";
import { SharedScrape } from "./shared-scrape.ts";

const servers: MetricsServer[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(
  source: ScrapeSource = readySource(),
  limits: Partial<typeof SERVER_LIMITS> = {},
  { port = 0, budgetMs = 60_000 } = {},
) {
  const shared = new SharedScrape(source, { minIntervalMs: 0, onFailure: () => undefined });
  const options = { shared, budgetMs, minIntervalMs: 0, hosts: new Set<string>(), onBug: () => undefined };
  const address = { host: "127.0.0.1", port, loopback: true };
  const server = await startMetricsServer(address, options, { ...SERVER_LIMITS, ...limits });
  servers.push(server);
  return server;
}

async function open(server: MetricsServer): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

/** What a socket says until it is closed from the other side. */
async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined);
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

async function say(server: MetricsServer, text: string): Promise<string> {
  const socket = await open(server);
  const said = untilClosed(socket);
  socket.write(text);
  return said;
}

test("an ordinary client gets its answer, on a connection that stays for the next one", async () => {
  const server = await start();
  for (const path of ["", "/../healthz", "/../"]) expect((await fetch(server.url + path)).status).toBe(200);
  const response = await fetch(server.url, { method: "HEAD" });
  expect([response.status, await response.text()]).toEqual([200, ""]);
});

test("a head that never ends, and one that is too long, are answered and closed", async () => {
  const server = await start(readySource(), { headMs: 100, requestMs: 200, checkEveryMs: 20 });
  expect(await say(server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")).toMatch(/^HTTP\/1\.1 408 /);
  expect(await say(server, `GET /metrics HTTP/1.1\r\nX-Long: ${"x".repeat(9000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
});

test("a body is refused without being read, and its connection closed", async () => {
  const server = await start();
  const head = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n";
  expect(await say(server, `${head}${"x".repeat(1000)}`)).toMatch(/^HTTP\/1\.1 413 /);
});

test("what is no HTTP, or names no host, is refused", async () => {
  const server = await start();
  expect(await say(server, "hello\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  expect(await say(server, "GET /metrics HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  expect(await say(server, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")).toMatch(
    /^HTTP\/1\.1 403 /,
  );
  expect(await say(server, "GET /metrics HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 4/);
});

test("connections beyond the limit are dropped, and the others served", async () => {
  const server = await start(readySource(), { connections: 2 });
  const first = await open(server);
  await open(server);
  expect(await untilClosed(await open(server))).toBe("");
  const said = untilClosed(first);
  first.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  expect(await said).toMatch(/^HTTP\/1\.1 200 /);
});

test("a port that is taken is one sentence", async () => {
  const { url } = await start();
  const again = start(readySource(), {}, { port: Number(new URL(url).port) });
  await expect(again).rejects.toThrow(CannotListen);
  await expect(again).rejects.toThrow(/^127\.0\.0\.1:[0-9]+ is in use by another program/);
});

test("at the end the answers under way are finished, new ones refused, and idle connections closed", async () => {
  const source = new HeldSource();
  const server = await start(source);
  const idle = untilClosed(await open(server));
  const kept = await open(server);
  const answer = untilClosed(kept);
  kept.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (source.begun.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const closed = server.close();
  servers.length = 0;
  // On the same connection, after the end began: answered, and told that it was the last.
  kept.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await expect(fetch(server.url)).rejects.toThrow();
  source.finish();
  await closed;
  expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(await answer).toContain("foliometer_scrape_complete 1");
  expect((await answer).match(/^Connection: .*$/gm)).toEqual(["Connection: keep-alive", "Connection: close"]);
  expect(await idle).toBe("");
});

test("two scrapes at once over two connections are one reading", async () => {
  const source = new HeldSource();
  const server = await start(source);
  const both = Promise.all([fetch(server.url), fetch(server.url)]);
  const text = async (response: Response): Promise<string> => response.text();
  while (source.begun.length === 0) await new Promise((resolve) => setImmediate(resolve));
  // The second request has been heard, too, when a third, asked after it, is answered.
  await (await fetch(new URL("/healthz", server.url))).text();
  source.finish();
  const answers = await Promise.all((await both).map(text));
  expect(source.begun).toHaveLength(1);
  expect(answers.some((answer) => answer.includes('foliometer_answers_total{how="shared"} 1'))).toBe(true);
});

/** A client that asks for an answer of many megabytes and does not read it yet. */
async function openSlow(limits: Partial<typeof SERVER_LIMITS>, budgetMs: number) {
  const scrape = madeUpScrape();
  const [first] = scrape.groups.groups;
  const large = { ...first, labels: { program: "x".repeat(2 ** 20) } };
  const source = readySource({ ...scrape, groups: { ...scrape.groups, groups: [large] } });
  const server = await start(source, limits, { budgetMs });
  const socket = await open(server);
  socket.on("error", () => undefined);
  socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(socket, "readable");
  return { server, socket };
}

test("a client that does not read its answer loses its place to others", async () => {
  const { server } = await openSlow({ connections: 1, silenceMs: 100 }, 100);
  const healthz = new URL("/healthz", server.url);
  const isAnswered = async (): Promise<boolean> => {
    try {
      return (await fetch(healthz)).ok;
    } catch {
      return false;
    }
  };
  let answered = false;
  for (let round = 0; round < 100 && !answered; round++) {
    await new Promise((go) => setTimeout(go, 20));
    answered = await isAnswered();
  }
  expect(answered).toBe(true);
});

test("a client that does not read its answer does not keep the exporter from its end", async () => {
  const { server } = await openSlow({}, 100);
  servers.length = 0;
  await server.close();
});

test("an answer that is being sent when the end begins is sent to its end", async () => {
  const { server, socket } = await openSlow({}, 60_000);
  servers.length = 0;
  const closed = server.close();
  const answer = await untilClosed(socket);
  await closed;
  const [head = ""] = answer.split("\r\n\r\n", 1);
  const length = Number(/^content-length: ([0-9]+)$/im.exec(head)?.[1]);
  expect(length).toBeGreaterThan(2 ** 24);
  expect(Buffer.byteLength(answer) - Buffer.byteLength(head) - 4).toBe(length);
});
