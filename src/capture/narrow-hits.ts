/**
 * The processes that a narrow search has found to map some of its frames: their VMAs, and their runs.
 *
 * Of processes that share an address space (CLONE_VM, vfork) the entries count once, as the kernel counts them: whether two
 * do, kcmp says. Their pagemaps stay open until all are compared, so that no address space is mistaken for a later one.
 */
import { closeSync } from "node:fs";
import type { MapsVma } from "../kernel/index.ts";
import type { CapturedProcess } from "./capture.ts";
import { placeInVmas } from "./entry-ranges.ts";
import type { SystemCalls } from "./ioctl.ts";
import { type OpenedProcess, describeProcess, readUserNames } from "./process-list.ts";
import type { SelectedRun } from "./selected-runs.ts";

/** Processes, VMAs and runs, in the order in which they were added. Close it when all are. */
export class NarrowHits {
  readonly processes: CapturedProcess[] = [];
  readonly vmas: MapsVma[] = [];
  readonly mmOfVma: number[] = [];
  readonly runs: SelectedRun[] = [];
  private mms = 0;
  private readonly fds: number[] = [];
  private readonly userNameOf = readUserNames();
  private readonly alike = new Map<string, CapturedProcess[]>();
  private readonly calls: SystemCalls | undefined;

  constructor(calls: SystemCalls | undefined) {
    this.calls = calls;
  }

  /** Adds one; of processes that share an address space (CLONE_VM) the mappings count once. */
  add(opened: OpenedProcess, runs: readonly SelectedRun[]): void {
    this.fds.push(opened.pagemapFd);
    const { vmas } = opened;
    const shape = `${vmas.length} ${vmas[0]?.startPage} ${vmas.at(-1)?.endPage}`;
    let alike = this.alike.get(shape);
    if (alike === undefined) this.alike.set(shape, (alike = []));
    const sharer = alike.find(({ pid }) => this.calls?.sharesAddressSpace(opened.pid, pid) === true);
    if (sharer !== undefined) {
      const { mm, firstVma, endVma } = sharer;
      this.processes.push(describeProcess(opened, { state: "shares-mm", mm, firstVma, endVma }, this.userNameOf));
      return;
    }
    const place = { mm: this.mms++, firstVma: this.vmas.length, endVma: this.vmas.length + vmas.length };
    const process = describeProcess(opened, { state: "complete", ...place }, this.userNameOf);
    this.processes.push(process);
    alike.push(process);
    const ascending = runs.toSorted((a, b) => a.page - b.page);
    // One by one: there may be more than a call takes arguments.
    for (const run of placeInVmas(ascending, vmas, place.firstVma)) this.runs.push(run);
    for (const vma of vmas) {
      this.vmas.push(vma);
      this.mmOfVma.push(place.mm);
    }
  }

  close(): void {
    for (const fd of this.fds) closeSync(fd);
    this.fds.length = 0;
  }
}
