/**
 * The roster of a capture: processes, their address spaces and VMAs, as they are opened one after the other.
 *
 * Each process is published to the reader threads as soon as it is opened, so reading begins while others are still
 * being listed. A second round over /proc catches processes born meanwhile; whoever is born after that is not in the
 * capture, and frames it maps show up as disagreement with kpagecount.
 */
import { closeSync } from "node:fs";
import { type MapsVma, procRefusal } from "../kernel/index.ts";
import type { CapturedProcess } from "./capture.ts";
import type { SystemCalls } from "./ioctl.ts";
import {
  type OpenedProcess,
  describeProcess,
  isStillIn,
  listPids,
  openProcess,
  readUserNames,
} from "./process-list.ts";
import { type ReadPlan, VMAS_MAX, publishProcess } from "./read-plan.ts";

/** How often a process is opened anew because it executed another program meanwhile. */
const OPEN_TRIES = 3;

/** Which processes are wanted. */
export type ProcessFilter = (candidate: {
  readonly pid: number;
  readonly cgroup: string;
  readonly uid: number;
}) => boolean;

/** What to list: these pids or all, and of those the ones that pass the filter. */
export interface RosterChoice {
  readonly pids: readonly number[] | undefined;
  readonly wanted: ProcessFilter | undefined;
}

/** Opens processes and gives every address space a row and its VMAs consecutive rows. */
export class Roster {
  readonly processes: CapturedProcess[] = [];
  readonly vmas: MapsVma[] = [];
  readonly mmOfVma: number[] = [];
  /** Open pagemap of each mm. */
  readonly fdOfMm: number[] = [];
  private readonly seenPids = new Set<number>();
  /** Processes with the same shape of map, which alone can share an address space. */
  private readonly alike = new Map<string, CapturedProcess[]>();
  private readonly userNameOf = readUserNames();
  private readonly plan: ReadPlan;
  private readonly choice: RosterChoice;
  private readonly calls: SystemCalls | undefined;

  constructor(plan: ReadPlan, choice: RosterChoice, calls: SystemCalls | undefined) {
    this.plan = plan;
    this.choice = choice;
    this.calls = calls;
  }

  /** Lists all processes there are now and were not before; returns how many were added. */
  list(): number {
    const before = this.processes.length;
    for (const pid of this.choice.pids ?? listPids()) {
      if (this.seenPids.has(pid)) continue;
      this.seenPids.add(pid);
      this.addPid(pid);
    }
    return this.processes.length - before;
  }

  /** Closes all pagemaps. */
  close(): void {
    for (const fd of this.fdOfMm) closeSync(fd);
    this.fdOfMm.length = 0;
  }

  /** Opens a process again while it executes another program under the reader. */
  private addPid(pid: number): void {
    for (let triesLeft = OPEN_TRIES - 1; ; triesLeft--) {
      const opened = openProcess(pid, this.choice.wanted);
      if (opened === undefined) return;
      const sharer = opened.refusal === null ? this.findSharer(opened) : undefined;
      // After the sharer is known: whoever executed before that shares nothing any more.
      const still = opened.refusal !== null || isStillIn(opened);
      if (still === true || (still === undefined && triesLeft === 0)) {
        this.add(opened, sharer);
        return;
      }
      closeSync(opened.pagemapFd);
      if (triesLeft > 0) continue;
      const nowhere = { mm: -1, firstVma: 0, endVma: 0 };
      this.processes.push(describeProcess(opened, { state: "ended", ...nowhere }, this.userNameOf));
      return;
    }
  }

  private add(opened: OpenedProcess, shared: CapturedProcess | undefined): void {
    const nowhere = { mm: -1, firstVma: 0, endVma: 0 };
    if (opened.refusal !== null) {
      this.processes.push(describeProcess(opened, { state: "refused", ...nowhere }, this.userNameOf));
      return;
    }
    if (shared !== undefined) {
      closeSync(opened.pagemapFd);
      const { mm, firstVma, endVma } = shared;
      this.processes.push(describeProcess(opened, { state: "shares-mm", mm, firstVma, endVma }, this.userNameOf));
      return;
    }
    const place = { mm: this.fdOfMm.length, firstVma: this.vmas.length, endVma: this.vmas.length + opened.vmas.length };
    if (!this.publish(opened, place)) {
      closeSync(opened.pagemapFd);
      const refusal = procRefusal("ENOMEM", `/proc/${opened.pid}/pagemap (the capture is limited to ${VMAS_MAX} VMAs)`);
      this.processes.push(describeProcess({ ...opened, refusal }, { state: "refused", ...nowhere }, this.userNameOf));
      return;
    }
    const process = describeProcess(opened, { state: "complete", ...place }, this.userNameOf);
    this.processes.push(process);
    const shape = shapeOf(opened);
    this.alike.set(shape, [...(this.alike.get(shape) ?? []), process]);
  }

  private publish(opened: OpenedProcess, place: { mm: number; firstVma: number; endVma: number }): boolean {
    if (place.endVma > VMAS_MAX) return false;
    const { startPage, endPage, shared } = this.plan.vmas;
    for (const [index, vma] of opened.vmas.entries()) {
      startPage[place.firstVma + index] = vma.startPage;
      endPage[place.firstVma + index] = vma.endPage;
      shared[place.firstVma + index] = vma.shared ? 1 : 0;
    }
    if (!publishProcess(this.plan, { ...place, fd: opened.pagemapFd })) return false;
    this.fdOfMm.push(opened.pagemapFd);
    for (const vma of opened.vmas) {
      this.vmas.push(vma);
      this.mmOfVma.push(place.mm);
    }
    return true;
  }

  /** The process listed before whose address space this one shares (CLONE_VM, vfork), as kcmp says. */
  private findSharer(opened: OpenedProcess): CapturedProcess | undefined {
    const { calls } = this;
    if (calls === undefined) return undefined;
    return this.alike.get(shapeOf(opened))?.find(({ pid }) => calls.sharesAddressSpace(opened.pid, pid) === true);
  }
}

function shapeOf({ vmas }: OpenedProcess): string {
  return `${vmas.length} ${vmas[0]?.startPage} ${vmas.at(-1)?.endPage}`;
}
