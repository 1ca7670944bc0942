/**
 * The processes of a scenario on the model: a name, an address space, file descriptors, and what each holds pinned.
 *
 * Dead processes stay in the table: the owner slot of a folio may still carry the id of an address space that is gone.
 */
import type { Mm, OpenFile } from "../memory/index.ts";

export class ModelProcess {
  readonly name: string;
  readonly mm: Mm;
  readonly mmId: number;
  readonly pid: number;
  readonly parent: ModelProcess | undefined;
  readonly files: Map<number, OpenFile>;
  alive = true;
  /** MPOL_BIND to this node, or -1. */
  boundNode = -1;

  constructor(name: string, mm: Mm, pid: number, parent?: ModelProcess) {
    this.name = name;
    this.mm = mm;
    this.mmId = mm.id;
    this.pid = pid;
    this.parent = parent;
    this.files = new Map(parent?.files);
    this.boundNode = parent?.boundNode ?? -1;
  }
}

/** The first process of a kernel lab run has about this pid; pages carry the pid of who wrote them. */
const FIRST_PID = 100;

export class ProcessTable {
  readonly processes: ModelProcess[] = [];
  /** The last of each name: a name is free again when its process has exited. */
  private readonly latest = new Map<string, ModelProcess>();

  add(name: string, mm: Mm, parent?: ModelProcess): ModelProcess {
    const process = new ModelProcess(name, mm, FIRST_PID + this.processes.length, parent);
    this.processes.push(process);
    this.latest.set(name, process);
    return process;
  }

  find(name: string): ModelProcess | undefined {
    const process = this.latest.get(name);
    return process?.alive === true ? process : undefined;
  }

  /** Who has, or last had, this mm id: as the lab names the owners of slots. */
  ownerName(mmId: number): string {
    const process = this.processes.find((candidate) => candidate.mmId === mmId);
    if (process === undefined) return `id${mmId}`;
    return process.alive ? process.name : `${process.name}(dead)`;
  }
}
