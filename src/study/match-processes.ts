/**
 * Which process of one capture is which of another.
 *
 * Within one boot a pid names a process until it ends, and a capture does not know start times. So a process is the same
 * if its pid is, and its name or its command line too: programs change either one (PR_SET_NAME, setproctitle), rarely
 * both at once. exec changes both; what then runs under the pid has another address space and is another one here. Across
 * boots and machines pids mean nothing: there processes with one user, name, command line and control group are matched
 * in the order of their pids, then those that agree in user, name and command line, then in user and name.
 */
import type { CapturedProcess } from "../capture/index.ts";
import { RowMatching } from "./match-rows.ts";

/** How processes are matched. */
export type ProcessMatching =
  /** One capture under two schemes: every process is itself. */
  | "one-capture"
  /** Captures of one boot. */
  | "pid"
  /** Captures of two boots or machines. */
  | "command";

type Key = (process: CapturedProcess) => string | undefined;

const keyOf = (...parts: readonly (string | number)[]): string => JSON.stringify(parts);

const BY_PID: readonly Key[] = [
  ({ pid, name }) => keyOf(pid, name),
  ({ pid, command }) => (command === "" ? undefined : keyOf(pid, command)),
];

const BY_COMMAND: readonly Key[] = [
  ({ uid, name, command, cgroup }) => keyOf(uid, name, command, cgroup),
  ({ uid, name, command }) => keyOf(uid, name, command),
  ({ uid, name }) => keyOf(uid, name),
];

/** Matches processes, which are in the order of their pids. */
export function matchProcesses(
  a: readonly CapturedProcess[],
  b: readonly CapturedProcess[],
  how: ProcessMatching,
): RowMatching {
  const matching = new RowMatching(a.length, b.length);
  if (how === "one-capture") {
    for (const row of a.keys()) matching.match(row, row);
    return matching;
  }
  for (const key of how === "pid" ? BY_PID : BY_COMMAND) {
    matching.matchInOrder(
      (row) => key(a[row]),
      (row) => key(b[row]),
    );
  }
  return matching;
}
