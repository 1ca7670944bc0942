/**
 * The exporter's socket, with a limit on everything that a stranger can use up: connections, time for a request's head and
 * for all of it, the size of the head, time without a byte either way. Node answers 408 and 431 itself.
 *
 * The end is in order: no new connections, and answers under way are finished.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { type ListenAddress, formatListenAddress } from "./listen-address.ts";
import { type MetricsAppOptions, createMetricsApp } from "./metrics-app.ts";

/** The address cannot be listened on, in one sentence. */
export class CannotListen extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CannotListen";
  }
}

/** What a stranger can use up. */
export interface ServerLimits {
  /** At once; more are dropped. */
  readonly connections: number;
  /** Of a request's head. */
  readonly headBytes: number;
  /** Milliseconds for a request's head, for all of it, and between requests of a connection. */
  readonly headMs: number;
  readonly requestMs: number;
  readonly keepAliveMs: number;
  /** Milliseconds beyond the budget without a byte read or written. */
  readonly silenceMs: number;
  /** Milliseconds between two looks at the clock. */
  readonly checkEveryMs: number;
}

/** Prometheus asks every 15 s to 60 s and keeps its connection. */
export const SERVER_LIMITS: ServerLimits = {
  connections: 64,
  headBytes: 8192,
  headMs: 5000,
  requestMs: 10_000,
  keepAliveMs: 65_000,
  silenceMs: 30_000,
  checkEveryMs: 1000,
};

/** While closing, milliseconds between two looks for connections without a request. */
const SWEEP_EVERY_MS = 20;
/** Beyond the budget, for answers under way. */
const GRACE_MS = 1000;

/** A server that listens. */
export interface MetricsServer {
  /** Where /metrics is. */
  readonly url: string;
  /** Ends in order; resolves when no connection is left. What answers are made from is the caller's to close. */
  close(): Promise<void>;
}

/** Listens. Throws CannotListen. */
export async function startMetricsServer(
  address: ListenAddress,
  options: MetricsAppOptions,
  limits: ServerLimits = SERVER_LIMITS,
): Promise<MetricsServer> {
  const app = createMetricsApp(options);
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    {
      maxHeaderSize: limits.headBytes,
      headersTimeout: limits.headMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.checkEveryMs,
      keepAliveTimeout: limits.keepAliveMs,
    },
    (request, response) => {
      if (!server.listening) response.setHeader("Connection", "close");
      void listener(request, response);
    },
  );
  const sockets = watchSockets(server);
  server.maxConnections = limits.connections;
  server.setTimeout(options.budgetMs + limits.silenceMs);
  const port = await listen(server, address);
  return {
    url: `http://${formatListenAddress({ host: address.host, port })}/metrics`,
    close: () => closeServer(server, sockets, options.budgetMs + GRACE_MS),
  };
}

async function listen(server: Server, { host, port }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => reject(cannotListen({ host, port }, error));
    server.once("error", refuse);
    server.listen({ host, port }, () => {
      server.off("error", refuse);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function cannotListen(address: Pick<ListenAddress, "host" | "port">, { code, message }: NodeJS.ErrnoException): Error {
  const place = formatListenAddress(address);
  switch (code) {
    case "EADDRINUSE":
      return new CannotListen(`${place} is in use by another program; --listen takes another port.`);
    case "EADDRNOTAVAIL":
      return new CannotListen(`${place} is no address of this machine.`);
    case "EACCES":
      return new CannotListen(`Listening on ${place} is not permitted: ports below 1024 need a privilege.`);
    default:
      return new CannotListen(`Cannot listen on ${place}: ${code ?? message}.`);
  }
}

/** The sockets of a server: how many requests each has under way. One without any may be closed at any time. */
function watchSockets(server: Server): ReadonlyMap<Socket, number> {
  const sockets = new Map<Socket, number>();
  const count = (socket: Socket, requests: number): void => {
    if (sockets.has(socket)) sockets.set(socket, (sockets.get(socket) ?? 0) + requests);
  };
  server.on("connection", (socket: Socket) => {
    sockets.set(socket, 0);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    count(socket, 1);
    response.once("close", () => count(socket, -1));
  });
  return sockets;
}

/** Answers under way have so long; then their connections are cut. */
async function closeServer(server: Server, sockets: ReadonlyMap<Socket, number>, graceMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    const closeUnused = (): void => {
      for (const [socket, requests] of sockets) if (requests === 0) socket.destroySoon();
    };
    const sweep = setInterval(closeUnused, SWEEP_EVERY_MS);
    // Not server.close(): it takes an answer that is written but not sent for the end of its connection, and cuts it.
    NetServer.prototype.close.call(server, () => {
      clearTimeout(cut);
      clearInterval(sweep);
      resolve();
    });
    closeUnused();
  });
}
