/**
 * Whether a request's Host header is one that we go by. A page in a browser can let its own name point to 127.0.0.1 and
 * then read what we answer as if it came from itself (DNS rebinding); its name is what gives it away. An address cannot be
 * made to point elsewhere, so addresses and localhost are always ours, and of names only those that we were told.
 */
import { isIP } from "node:net";

const FORM = /^(?:\[(?<six>[^\]]+)\]|(?<other>[^:[\]]+))(?::[0-9]{1,5})?$/;

/** Whether we go by that Host header; `names` in lower case. */
export function isAskedHost(header: string, names: ReadonlySet<string>): boolean {
  const groups = FORM.exec(header)?.groups;
  if (groups === undefined) return false;
  if (groups["six"] !== undefined) return isIP(groups["six"]) === 6;
  const host = (groups["other"] ?? "").toLowerCase();
  return host === "localhost" || isIP(host) === 4 || names.has(host);
}
