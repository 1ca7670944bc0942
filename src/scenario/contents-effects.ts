/**
 * What every command of the language does to contents, in the shadow: the meaning of the system calls and nothing else.
 *
 * It knows no page tables, counts or folios. Where a call may do part of its work and then fail, both outcomes are right
 * and the next look settles it. What ages, moves, splits, merges, locks or protects memory does nothing to contents, which
 * is what this is here to check.
 */
import { type FileMapping, type Mm, VM_WIPEONFORK } from "../memory/index.ts";
import { type MappedRange, type ShadowMemory, type Write, mappedRanges } from "./contents-cells.ts";
import type { Advice, ScenarioCommand } from "./command.ts";
import { seenThroughEntry } from "./contents-view.ts";
import { storedWord } from "./model-memory-commands.ts";
import type { ModelProcess } from "./model-process.ts";
import type { ModelRun } from "./model-run.ts";

const PAGE_BYTES = 4096;
const WORD_BYTES = 8;
const HUGE_PAGES = 512;
/** The byte that pwrite writes. */
const PWRITE_BYTE = 0x5a;
const ZEROS = 0;

/** What is known before the command runs. */
export interface Before {
  readonly process: ModelProcess | undefined;
  /** The VMAs of its range. */
  readonly ranges: readonly MappedRange[];
  /** The size of the file it is about. */
  readonly sizeBytes: number;
}

/** How it ended. */
export interface CommandEnd {
  readonly failed: boolean;
  readonly died: boolean;
}

/** From the text behind the command in a recording. */
export function endOf(result: string): CommandEnd {
  return { failed: /^ = (?:0xffffffffffffffff|-1) | !! /.test(result), died: result.endsWith(" died") };
}

/** Carries commands over to the shadow. */
export class ContentsEffects {
  private readonly run: ModelRun;
  private readonly shadow: ShadowMemory;
  /** Who last wrote a content, by its number. */
  readonly lastWrite = new Map<number, Write>();

  constructor(run: ModelRun, shadow: ShadowMemory) {
    this.run = run;
    this.shadow = shadow;
  }

  /** Call before the command runs. */
  before(command: ScenarioCommand): Before {
    const process = "process" in command ? this.run.find(command.process) : undefined;
    return {
      process,
      ranges:
        process === undefined || !("address" in command) || !("lengthBytes" in command)
          ? []
          : mappedRanges(
              process.mm,
              Math.floor(command.address / PAGE_BYTES),
              Math.ceil((command.address + command.lengthBytes) / PAGE_BYTES),
            ),
      sizeBytes: this.fileOf(command, process)?.sizeBytes ?? 0,
    };
  }

  /** Call when it has run. */
  after(command: ScenarioCommand, before: Before, end: CommandEnd): void {
    const { process } = before;
    if (process === undefined) return;
    const { mm } = process;
    switch (command.kind) {
      case "touch":
      case "fill":
        if (command.kind === "fill" || command.write) this.write(command, process, before.ranges, end);
        break;
      case "fork": {
        const child = this.run.find(command.child);
        if (child !== undefined) this.shadow.fork(mm, child.mm, (vma) => !vma.has(VM_WIPEONFORK));
        break;
      }
      case "exit":
        this.shadow.forget(mm);
        break;
      case "mmap":
      case "munmap":
        if (!end.failed) this.drop(mm, Math.floor(command.address / PAGE_BYTES), pageEnd(command));
        break;
      case "mremap":
        this.move(command, mm, before.ranges, end);
        break;
      case "madvise":
        this.advise(command.advice, mm, before.ranges, end);
        break;
      default:
        this.changeFile(command, process, before, end);
    }
    if (end.died) this.shadow.forget(mm);
  }

  /** The file that the command is about; after the command for what opens one. */
  private fileOf(command: ScenarioCommand, process: ModelProcess | undefined): FileMapping | undefined {
    if (command.kind === "open") return this.run.namedFiles.get(command.path);
    if (!("descriptor" in command) || command.kind === "mmap" || command.kind === "memfd") return undefined;
    return process?.files.get(command.descriptor)?.mapping;
  }

  private write(
    command: Extract<ScenarioCommand, { kind: "touch" | "fill" }>,
    process: ModelProcess,
    ranges: readonly MappedRange[],
    end: CommandEnd,
  ): void {
    for (const range of ranges) {
      // Before it died it may have written any part of what others see.
      if (end.failed && !range.isShared) continue;
      for (let page = range.start; page < range.end; page++) {
        const change =
          command.kind === "fill" ? this.filling(command, page) : storing(this.run, process, command, page);
        if (change === undefined) continue;
        const cell = this.shadow.cellWritten(process.mm, range, page);
        const write: Write = { process: process.name, line: command.line, source: command.source, before: cell.write };
        const old = cell.allowed;
        cell.change(change, write);
        if (end.failed && old !== "any") {
          for (const content of old) cell.alsoAllow(content);
        }
        cell.isOpen = cell.allowed !== "any" && cell.allowed.length > 1;
        if (cell.allowed !== "any") for (const content of cell.allowed) this.lastWrite.set(content, write);
      }
    }
  }

  /** memset of the part of the page that the command fills. */
  private filling(
    { address, lengthBytes, byte }: Extract<ScenarioCommand, { kind: "fill" }>,
    page: number,
  ): (content: number) => number {
    const { contents } = this.run.machine.memory;
    const from = Math.max(0, address - page * PAGE_BYTES);
    const to = Math.min(PAGE_BYTES, address + lengthBytes - page * PAGE_BYTES);
    if (from === 0 && to === PAGE_BYTES) return () => contents.filled(byte & 0xff);
    return (content) => contents.withFilledBytes(content, from, to, byte & 0xff);
  }

  private drop(mm: Mm, start: number, end: number): void {
    for (const [page] of this.shadow.privateIn(mm, start, end)) this.shadow.drop(mm, page);
  }

  /** Pages move with their VMAs; what was at the target is unmapped, what is cut off too. */
  private move(
    command: Extract<ScenarioCommand, { kind: "mremap" }>,
    mm: Mm,
    ranges: readonly MappedRange[],
    end: CommandEnd,
  ): void {
    const start = command.address / PAGE_BYTES;
    const newStart = (command.newAddress ?? command.address) / PAGE_BYTES;
    const kept = Math.ceil(command.newLengthBytes / PAGE_BYTES);
    const isMove = newStart !== start;
    for (const range of ranges) {
      const cells = this.shadow.privateIn(mm, range.start, range.end);
      const target = newStart + range.start - start;
      if (isMove && !end.failed) this.drop(mm, target, target + Math.min(range.end - range.start, kept));
      for (const [page, cell] of cells) {
        const moved = newStart + page - start;
        // A call that failed may have moved some VMAs, or cut off the end: only the tables know.
        const hasMoved = isMove && (!end.failed || this.isAt(mm, moved, page));
        if (end.failed && !hasMoved) continue;
        this.shadow.drop(mm, page);
        if (page - start < kept && (hasMoved || !isMove)) this.shadow.place(cell, mm, hasMoved ? moved : page);
      }
    }
    if (isMove && !end.failed) this.drop(mm, newStart + pagesOf(ranges, start), newStart + kept);
    this.dropUnmapped(mm);
  }

  /** Is what was at `old` at `page` now? */
  private isAt(mm: Mm, page: number, old: number): boolean {
    const { memory } = this.run.machine;
    const isEmpty = (at: number): boolean => seenThroughEntry(memory, mm, at).kind === "nothing";
    return mm.findVma(page) !== undefined && !isEmpty(page) && isEmpty(old);
  }

  /** Cells that no VMA covers any more. */
  private dropUnmapped(mm: Mm): void {
    for (const [page] of this.shadow.privateIn(mm, 0, Infinity)) {
      if (mm.findVma(page) === undefined) this.shadow.drop(mm, page);
    }
  }

  private advise(advice: Advice, mm: Mm, ranges: readonly MappedRange[], end: CommandEnd): void {
    for (const range of ranges) {
      switch (advice) {
        case "dontneed":
        case "dontneed_locked":
        case "guard_install":
          this.discard(mm, range, end);
          break;
        case "free":
          if (range.isShared || range.file !== undefined) break;
          for (const [, cell] of this.shadow.privateIn(mm, range.start, range.end)) cell.alsoAllow(ZEROS);
          break;
        case "remove":
          if (range.file === undefined || !range.isShared) break;
          this.punch(range.file, range.pgoff * PAGE_BYTES, (range.pgoff + range.end - range.start) * PAGE_BYTES, end);
          break;
        default:
      }
    }
  }

  /** The private pages are given up: the file's pages or zeros come back. Only whole huge pages of hugetlb go. */
  private discard(mm: Mm, range: MappedRange, end: CommandEnd): void {
    for (const [page, cell] of this.shadow.privateIn(mm, range.start, range.end)) {
      if (range.isShared) continue;
      if (!end.failed && !range.isHugetlb) {
        this.shadow.drop(mm, page);
        continue;
      }
      const below =
        range.file === undefined ? undefined : this.shadow.cellOfFile(range.file, range.pgoff + page - range.start);
      for (const content of below?.allowed === "any" ? [] : (below?.allowed ?? [ZEROS])) cell.alsoAllow(content);
      cell.isOpen = true;
    }
  }

  /** A hole in the file, in bytes. */
  private punch(file: FileMapping, startBytes: number, endBytes: number, end: CommandEnd): void {
    const grain = file.fileKind === "hugetlb" ? HUGE_PAGES : 1;
    const first = Math.ceil(startBytes / PAGE_BYTES / grain) * grain;
    const last = Math.floor(endBytes / PAGE_BYTES / grain) * grain;
    if (end.failed) {
      for (const [index, cell] of this.shadow.cellsOfFile(file))
        if (index >= first && index < last) cell.alsoAllow(ZEROS);
      return;
    }
    if (first >= last) {
      this.shadow.fillFile(file, startBytes, endBytes, 0, undefined);
      return;
    }
    this.shadow.fillFile(file, startBytes, first * PAGE_BYTES, 0, undefined);
    this.shadow.fillFile(file, last * PAGE_BYTES, endBytes, 0, undefined);
    this.shadow.removeFilePages(file, first, last);
    // hugetlb takes private copies away with the file's page.
    if (grain > 1) this.dropCopies(file, first, last);
  }

  /** Private copies of pages [first, end) of the file are gone, whoever made them. */
  private dropCopies(file: FileMapping, first: number, end: number): void {
    for (const { mm, alive } of this.run.table.processes) {
      if (!alive) continue;
      for (const vma of mm.vmas) {
        if (vma.file !== file) continue;
        const start = Math.max(vma.start, vma.start + first - vma.pgoff);
        const limit = Math.min(vma.end, vma.start + end - vma.pgoff);
        if (start < limit) this.drop(mm, start, limit);
      }
    }
  }

  private changeFile(command: ScenarioCommand, process: ModelProcess, before: Before, end: CommandEnd): void {
    const file = this.fileOf(command, process);
    if (file === undefined || end.failed) return;
    switch (command.kind) {
      case "open":
      case "ftruncate":
        if (file.sizeBytes < before.sizeBytes) this.truncate(file);
        break;
      case "fallocate":
        if (command.punch) {
          this.punch(file, command.offsetBytes, command.offsetBytes + command.lengthBytes, end);
        }
        break;
      case "pwrite": {
        const write: Write = { process: process.name, line: command.line, source: command.source, before: undefined };
        if (file.fileKind === "hugetlb") break;
        const { offsetBytes, lengthBytes } = command;
        this.grow(file, before.sizeBytes);
        this.shadow.fillFile(file, offsetBytes, offsetBytes + lengthBytes, PWRITE_BYTE, write);
        break;
      }
      default:
    }
    if (command.kind !== "pwrite") this.grow(file, before.sizeBytes);
  }

  /** The file ends at its size now: pages behind it are gone, private copies of them too. */
  private truncate(file: FileMapping): void {
    const first = Math.ceil(file.sizeBytes / PAGE_BYTES);
    this.shadow.removeFilePages(file, first, Infinity);
    this.dropCopies(file, first, Infinity);
    this.shadow.fillFile(file, file.sizeBytes, first * PAGE_BYTES, 0, undefined);
  }

  /** What was stored behind the old end, in its page, may have been wiped or not. */
  private grow(file: FileMapping, oldSize: number): void {
    if (file.sizeBytes <= oldSize || oldSize % PAGE_BYTES === 0) return;
    const { contents } = this.run.machine.memory;
    const cell = this.shadow.cellOfFile(file, Math.floor(oldSize / PAGE_BYTES));
    if (cell.allowed === "any") return;
    for (const content of cell.allowed) {
      cell.alsoAllow(contents.withFilledBytes(content, oldSize % PAGE_BYTES, PAGE_BYTES, 0));
    }
    cell.isOpen = cell.allowed.length > 1;
  }
}

function pageEnd({ address, lengthBytes }: { readonly address: number; readonly lengthBytes: number }): number {
  return Math.ceil((address + lengthBytes) / PAGE_BYTES);
}

/** Pages from `start` to the end of the last range. */
function pagesOf(ranges: readonly MappedRange[], start: number): number {
  return (ranges.at(-1)?.end ?? start) - start;
}

/** What the stores of a touch leave in a page; undefined: none falls into it. */
function storing(
  { machine }: ModelRun,
  process: ModelProcess,
  { address, lengthBytes, stepBytes }: Extract<ScenarioCommand, { kind: "touch" }>,
  page: number,
): undefined | ((content: number) => number) {
  const { contents } = machine.memory;
  const base = page * PAGE_BYTES;
  const skipped = Math.max(0, Math.ceil((base - address) / stepBytes));
  const stores: number[] = [];
  const limit = Math.min(address + lengthBytes, base + PAGE_BYTES);
  for (let at = address + skipped * stepBytes; at < limit; at += stepBytes) stores.push(at);
  if (stores.length === 0) return undefined;
  return (content) =>
    stores.reduce(
      (changed, at) => contents.withWord(changed, (at - base) / WORD_BYTES, storedWord(process, at)),
      content,
    );
}
