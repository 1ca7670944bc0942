/**
 * Where a server listens: an address and a port, and whether others than this machine can come in.
 *
 * Figures of memory name programs, users and control groups, so the loopback is the default, and whoever wants more says
 * so. Names other than localhost are refused: what a name means may change behind one's back.
 */
import { BlockList, isIP, isIPv6 } from "node:net";

/** An address to listen on. */
export interface ListenAddress {
  /** An IP address, without brackets. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Whether only this machine can connect. */
  readonly loopback: boolean;
}

const FORM = /^(?:\[(?<six>[^\]]*)\]|(?<four>[^:[\]]*)):(?<port>[0-9]{1,5})$/;
const PORT_MAX = 65_535;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Parses ADDRESS:PORT, an IPv6 address in brackets; undefined: it is neither. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const groups = FORM.exec(text)?.groups;
  const port = Number(groups?.["port"] ?? Number.NaN);
  const isSix = groups?.["six"] !== undefined;
  const given = groups?.["six"] ?? groups?.["four"] ?? "";
  const host = given === "localhost" ? "127.0.0.1" : given;
  if (!(port <= PORT_MAX) || isIP(host) !== (isSix ? 6 : 4)) return undefined;
  return { host, port, loopback: LOOPBACK.check(host, isSix ? "ipv6" : "ipv4") };
}

/** Host and port as they stand in a URL. */
export function formatListenAddress({ host, port }: Pick<ListenAddress, "host" | "port">): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
