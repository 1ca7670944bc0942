/**
 * Safety, checked on contents: after every command each process, pipe and pin sees what it must.
 *
 * The shadow (contents-cells.ts) follows the meaning of the commands; here it is held against what page tables, swap and
 * the frames of pins really show. A process that sees another's later write, a pipe that does, a process that no longer
 * sees its own, a pin that has lost its owner: each is UnsafeContents, with the commands that led there. No count and no
 * flag is looked at, so that a wrong count shows as what it does. Slow: every page of every process after every command.
 */
import { type Memory, type Mm, VM_DROPPABLE, type Vma, pmdEntryOf, pteIndex } from "../memory/index.ts";
import { type Cell, type MappedRange, ShadowMemory, type Write, isAllowed, mappedRanges } from "./contents-cells.ts";
import type { ScenarioCommand } from "./command.ts";
import { ContentsEffects, type Before, endOf } from "./contents-effects.ts";
import { type Holder, type HeldPage, HolderShadows } from "./contents-holders.ts";
import { type SeenPage, seenThroughEntry } from "./contents-view.ts";
import type { ModelRun } from "./model-run.ts";

const PAGE_BYTES = 4096;
const TABLE_PAGES = 512;
const ZEROS = 0;

/** "leak": another's later write is seen. "lost-write": one's own is not. "lost-dma": a pin and its owner have parted. */
export type UnsafeKind = "leak" | "lost-write" | "lost-dma";

/** Somebody sees what it must not. */
export class UnsafeContents extends Error {
  readonly kind: UnsafeKind;
  /** The line at which it showed. */
  readonly line: number;
  /** Whose write is seen, if it is another's. */
  readonly writer: Write | undefined;
  /** The commands that ran until then, as the scenario writes them. */
  readonly history: readonly string[];

  constructor(kind: UnsafeKind, what: string, details: UnsafeDetails) {
    super(`line ${details.line}: ${what}`);
    this.name = "UnsafeContents";
    this.kind = kind;
    this.line = details.line;
    this.writer = details.writer;
    this.history = details.history;
  }
}

interface UnsafeDetails {
  readonly line: number;
  readonly writer: Write | undefined;
  readonly history: readonly string[];
}

/** Follows one run. */
export class ContentsOracle {
  private readonly run: ModelRun;
  private readonly memory: Memory;
  private readonly shadow: ShadowMemory;
  private readonly effects: ContentsEffects;
  private readonly holders: HolderShadows;
  private readonly history: string[] = [];
  private line = 0;

  /** Throws if the machine does not keep contents. */
  constructor(run: ModelRun) {
    const { memory } = run.machine;
    if (!memory.contents.isKept) throw new Error("a machine without contents cannot be checked on them");
    this.run = run;
    this.memory = memory;
    this.shadow = new ShadowMemory(memory);
    this.effects = new ContentsEffects(run, this.shadow);
    this.holders = new HolderShadows(memory, this.shadow);
  }

  /** Call before a command runs. */
  before(command: ScenarioCommand): Before {
    return this.effects.before(command);
  }

  /** Call when it has run, with what `before` said and the text behind the command. Throws UnsafeContents. */
  after(command: ScenarioCommand, before: Before, result: string): void {
    this.history.push(command.source);
    this.line = command.line;
    this.effects.after(command, before, endOf(result));
    const { process } = before;
    if (process !== undefined && !endOf(result).died) this.holders.take(command, process);
    this.check();
  }

  /** Holds everything that is seen against the shadow. */
  private check(): void {
    for (const { mm, name, alive } of this.run.table.processes) if (alive) this.checkProcess(mm, name);
    this.holders.follow();
    for (const holder of this.holders.current()) for (const page of holder.pages) this.checkHeld(holder, page);
  }

  private checkProcess(mm: Mm, name: string): void {
    for (const vma of mm.vmas) {
      const [range] = mappedRanges(mm, vma.start, vma.end);
      this.checkEntries(mm, name, vma, range);
    }
    for (const [page, cell] of this.shadow.privateIn(mm, 0, Infinity)) {
      if (seenThroughEntry(this.memory, mm, page).kind === "nothing") this.checkMissing(mm, name, page, cell);
    }
  }

  private checkEntries(mm: Mm, name: string, vma: Vma, range: MappedRange): void {
    for (let page = vma.start; page < vma.end;) {
      const end = Math.min(vma.end, page - pteIndex(page) + TABLE_PAGES);
      if (pmdEntryOf(this.memory, mm, page) !== 0) {
        for (; page < end; page++) {
          const seen = seenThroughEntry(this.memory, mm, page);
          if (seen.kind === "page") this.checkSeen(mm, name, vma, range, page, seen);
        }
      }
      page = end;
    }
  }

  private checkSeen(
    mm: Mm,
    name: string,
    vma: Vma,
    range: MappedRange,
    page: number,
    { content, frame }: Extract<SeenPage, { kind: "page" }>,
  ): void {
    const { frames } = this.memory;
    const isCopy = range.file !== undefined && !range.isShared && (frame < 0 || frames.isAnon(frames.headOf(frame)));
    // Populating and locking copy a file's page without changing it.
    const cell = isCopy ? this.shadow.ownCell(mm, range, page) : this.shadow.cellRead(mm, range, page);
    if (cell === undefined ? isAllowed(this.memory, [ZEROS], content) : this.isRight(cell, content, range, page))
      return;
    // The kernel may drop such memory whenever it likes.
    if (content === ZEROS && vma.has(VM_DROPPABLE)) this.shadow.drop(mm, page);
    else this.fail(name, `${name} at ${addressText(page)}`, content, cell);
  }

  /** A content that settles which of several is right. */
  private isRight(cell: Cell, content: number, range: MappedRange, page: number): boolean {
    if (!isAllowed(this.memory, cell.allowed, content) && !this.differsBehindEnd(cell, content, range, page))
      return false;
    if (cell.isOpen) {
      cell.allowed = [content];
      cell.isOpen = false;
    }
    return true;
  }

  /** What lies behind the end of a file, in its last page, may be wiped at any time. */
  private differsBehindEnd(
    { allowed }: Cell,
    content: number,
    { file, pgoff, start }: MappedRange,
    page: number,
  ): boolean {
    if (file === undefined || allowed === "any") return false;
    const { contents } = this.memory;
    const rest = file.sizeBytes - (pgoff + page - start) * PAGE_BYTES;
    if (rest <= 0 || rest >= PAGE_BYTES) return false;
    const cut = (each: number): number => contents.withFilledBytes(each, rest, PAGE_BYTES, 0);
    return isAllowed(this.memory, allowed.map(cut), cut(content));
  }

  /** The process has a page of its own in the shadow and none in its tables: the next access reads what lies below. */
  private checkMissing(mm: Mm, name: string, page: number, cell: Cell): void {
    const vma = mm.findVma(page);
    if (vma === undefined) return this.fail(name, `${name} at ${addressText(page)}`, ZEROS, cell);
    const below = vma.file === undefined ? undefined : this.shadow.cellOfFile(vma.file, vma.indexOf(page));
    const contents = below === undefined ? [ZEROS] : below.allowed;
    const isRight = contents === "any" || contents.some((content) => isAllowed(this.memory, cell.allowed, content));
    if (isRight || vma.has(VM_DROPPABLE)) {
      if (cell.isOpen || vma.has(VM_DROPPABLE)) this.shadow.drop(mm, page);
      return;
    }
    this.fail(name, `${name} at ${addressText(page)}`, contents[0], cell);
  }

  private checkHeld({ kind, title, owner, canWrite, mm }: Holder, { cell, frame, seen }: HeldPage): void {
    const content = this.memory.contents.of(frame);
    const allowed = kind === "pipe" ? seen : cell.allowed;
    if (!isAllowed(this.memory, allowed, content)) {
      this.fail(owner, title, content, cell, kind === "pin");
      return;
    }
    if (!canWrite || cell.mm !== mm) return;
    const mapped = seenThroughEntry(this.memory, mm, cell.page);
    if (mapped.kind === "page" && mapped.frame >= 0 && mapped.frame !== frame) {
      throw new UnsafeContents(
        "lost-dma",
        `${owner} at ${addressText(cell.page)} has another page than ${title}: it will not see what the device writes`,
        { line: this.line, writer: undefined, history: [...this.history] },
      );
    }
  }

  private fail(owner: string, viewer: string, content: number, cell: Cell | undefined, isPin = false): void {
    const last = this.effects.lastWrite.get(content);
    const writer = last !== undefined && last.process !== owner ? last : undefined;
    const kind: UnsafeKind = writer !== undefined ? "leak" : isPin ? "lost-dma" : "lost-write";
    const found = last === undefined ? "" : `, which ${last.process} wrote in line ${last.line}`;
    const by = cell?.write === undefined ? "" : `, which ${cell.write.process} wrote in line ${cell.write.line}`;
    const wanted = cell === undefined ? "zeros" : this.describe(cell.allowed === "any" ? [] : cell.allowed);
    const what = `${viewer} sees ${this.describe([content])}${found}, and must see ${wanted}${by}`;
    throw new UnsafeContents(kind, what, { line: this.line, writer, history: [...this.history] });
  }

  private describe(contents: readonly number[]): string {
    return contents
      .map((content) => (content === ZEROS ? "zeros" : `0x${this.firstWord(content).toString(16)}`))
      .join(" or ");
  }

  /** The first word that is not zero. */
  private firstWord(content: number): bigint {
    const { contents } = this.memory;
    for (let index = 0; index < TABLE_PAGES; index++) {
      const word = contents.wordAt(content, index);
      if (word !== 0n) return word;
    }
    return 0n;
  }
}

function addressText(page: number): string {
  return `0x${(page * PAGE_BYTES).toString(16)}`;
}
