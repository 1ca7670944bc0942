/**
 * Processes of a capture as the command line names them: by pid, control group or program. Whoever cannot be asked about
 * is refused in one sentence.
 */
import type { Capture, CapturedProcess } from "../capture/index.ts";
import { UsageError } from "./exit-codes.ts";

/** How the command line names them; a process must match all that is given. */
export interface ProcessChoice {
  readonly pid?: readonly number[];
  readonly cgroup?: string;
  readonly program?: RegExp;
}

/** The process with a pid. Throws UsageError where there is nothing to ask it about. */
export async function processWithPid({ processes }: Pick<Capture, "processes">, pid: number): Promise<CapturedProcess> {
  const found = processes.find((process) => process.pid === pid);
  if (found === undefined) throw new UsageError(`There is no process ${pid} with memory of its own.`);
  if (found.refusal !== null) {
    const { formatProcRefusal } = await import("../kernel/index.ts");
    throw new UsageError(formatProcRefusal(found.refusal));
  }
  if (found.state === "ended") throw new UsageError(`Process ${pid} ended while it was read.`);
  return found;
}

/**
 * Pids of the processes that were read and match; of all of them if nothing is given. Throws UsageError if a pid is not
 * there, or nobody matches.
 */
export async function choosePids(
  capture: Pick<Capture, "processes">,
  { pid, cgroup, program }: ProcessChoice,
): Promise<Set<number>> {
  const { isInCgroup } = await import("../report/index.ts");
  for (const each of pid ?? []) await processWithPid(capture, each);
  const wanted = new Set(pid);
  const read = capture.processes.filter(({ state }) => state === "complete" || state === "shares-mm");
  const inCgroup = read.filter((process) => cgroup === undefined || isInCgroup(process.cgroup, cgroup));
  if (inCgroup.length === 0) throw new UsageError(`No process with memory is in control group ${cgroup ?? "/"}.`);
  const named = inCgroup.filter(
    ({ name, command }) => program === undefined || program.test(name) || program.test(command),
  );
  if (named.length === 0) throw new UsageError(`No process has a name or command line like ${program?.source ?? ""}.`);
  const chosen = named.filter((process) => pid === undefined || wanted.has(process.pid));
  if (chosen.length === 0) throw new UsageError("None of these processes is in that control group and so named.");
  return new Set(chosen.map((process) => process.pid));
}

/** Throws UsageError if no process of the running machine, or none of those named, is in the control group. */
export async function refuseEmptyChoice({ pid, cgroup }: Omit<ProcessChoice, "program">): Promise<void> {
  if (cgroup === undefined) return;
  const [{ findPids }, { isInCgroup }] = await Promise.all([
    import("../capture/index.ts"),
    import("../report/index.ts"),
  ]);
  const found = findPids((candidate) => isInCgroup(candidate.cgroup, cgroup));
  if (found.length === 0) throw new UsageError(`No process is in control group ${cgroup}.`);
  if (pid === undefined || found.some((each) => pid.includes(each))) return;
  throw new UsageError(`None of these processes is in control group ${cgroup}.`);
}

/**
 * Pids that name the address spaces of these processes: of several that share one (CLONE_VM) the one that it was read
 * with, which answers about address spaces have in place of the others.
 */
export function pidsOfSpaces({ processes }: Pick<Capture, "processes">, pids: ReadonlySet<number>): Set<number> {
  const mms = new Set(processes.filter(({ pid }) => pids.has(pid)).map(({ mm }) => mm));
  const owners = processes.filter(({ state, mm }) => state === "complete" && mms.has(mm));
  return new Set(owners.map(({ pid }) => pid));
}
