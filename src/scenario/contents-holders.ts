/**
 * Pins and pipes in the shadow: which page of whom each of them holds, and what it must see.
 *
 * A pin and its owner see each other's writes as long as the owner has that page; when it gives the page up, the pin keeps
 * what was there. A pipe was filled from a page of its owner: it may see what the owner has written since, or not; it never
 * sees what another process writes. The shadow's cell is that page, wherever the owner moves it.
 */
import type { Memory, Mm } from "../memory/index.ts";
import { type Allowed, type Cell, type MappedRange, type ShadowMemory, mappedRanges } from "./contents-cells.ts";
import type { ScenarioCommand } from "./command.ts";
import { framesOfRing } from "./contents-view.ts";
import type { ModelProcess } from "./model-process.ts";

const PAGE_BYTES = 4096;

/** One page that somebody holds. */
export interface HeldPage {
  readonly cell: Cell;
  readonly frame: number;
  /** Of a pipe: everything that it may show. */
  seen: Allowed;
}

export interface Holder {
  readonly kind: "pipe" | "pin";
  /** Who pinned or spliced. */
  readonly owner: string;
  readonly mm: Mm;
  /** A device may write through it. */
  readonly canWrite: boolean;
  readonly title: string;
  readonly pages: readonly HeldPage[];
  /** False when the references were given back. */
  readonly isHeld: () => boolean;
}

/** All holders of a machine. */
export class HolderShadows {
  private holders: Holder[] = [];
  private readonly memory: Memory;
  private readonly shadow: ShadowMemory;

  constructor(memory: Memory, shadow: ShadowMemory) {
    this.memory = memory;
    this.shadow = shadow;
  }

  /** Those that hold something now. */
  current(): readonly Holder[] {
    this.holders = this.holders.filter(({ isHeld }) => isHeld());
    return this.holders;
  }

  /** Call after a command that may have made a holder. */
  take(command: ScenarioCommand, process: ModelProcess): void {
    const { pins } = this.memory;
    const files = pins.of(process.mm);
    switch (command.kind) {
      case "vmsplice": {
        const pipe = files.pipes.get(command.id);
        if (pipe?.frames === undefined) return;
        const { frames } = pipe;
        this.add(process, command, frames, {
          kind: "pipe",
          canWrite: false,
          title: `${process.name}'s pipe ${command.id}`,
          isHeld: () => pipe.frames === frames,
        });
        break;
      }
      case "uring": {
        const ring = files.rings.get(command.id);
        if (ring?.frames === undefined) return;
        const { frames } = ring;
        const count =
          Math.ceil((command.address + command.lengthBytes) / PAGE_BYTES) - Math.floor(command.address / PAGE_BYTES);
        this.add(process, command, framesOfRing(this.memory, frames, count), {
          kind: "pin",
          canWrite: true,
          title: `${process.name}'s registered buffer ${command.id}`,
          isHeld: () => ring.frames === frames,
        });
        break;
      }
      case "guppin": {
        const frames = pins.gupTestFrames;
        if (frames === undefined || this.current().some(({ title }) => title === GUP_TITLE)) return;
        this.add(process, command, frames, {
          kind: "pin",
          canWrite: command.write,
          title: GUP_TITLE,
          isHeld: () => pins.gupTestFrames === frames,
        });
        break;
      }
      default:
    }
  }

  private add(
    { name, mm }: ModelProcess,
    { address }: { readonly address: number },
    frames: readonly number[],
    holder: Pick<Holder, "kind" | "canWrite" | "title" | "isHeld">,
  ): void {
    const first = Math.floor(address / PAGE_BYTES);
    const ranges = mappedRanges(mm, first, first + frames.length);
    const pages = frames.flatMap((frame, index): HeldPage[] => {
      const range = ranges.find(({ start, end }) => first + index >= start && first + index < end);
      if (range === undefined) return [];
      const cell = this.cellHeld(mm, range, first + index, holder.kind);
      return [{ cell, frame, seen: cell.allowed }];
    });
    this.holders.push({ ...holder, owner: name, mm, pages });
  }

  /** A pin makes a private page the owner's own; a pipe may be filled with the file's. */
  private cellHeld(mm: Mm, range: MappedRange, page: number, kind: Holder["kind"]): Cell {
    if (range.isShared) return this.shadow.cellWritten(mm, range, page);
    const read = this.shadow.cellRead(mm, range, page);
    return kind === "pipe" && read !== undefined ? read : this.shadow.ownCell(mm, range, page);
  }

  /** Pipes may show from now on what their owners have written. */
  follow(): void {
    for (const { kind, pages } of this.current()) {
      if (kind !== "pipe") continue;
      for (const page of pages) page.seen = union(page.seen, page.cell.allowed);
    }
  }
}

function union(a: Allowed, b: Allowed): Allowed {
  if (a === "any" || b === "any") return "any";
  return b.every((content) => a.includes(content)) ? a : [...new Set([...a, ...b])];
}

const GUP_TITLE = "the pin of gup_test";
