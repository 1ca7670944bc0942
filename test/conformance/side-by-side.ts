/**
 * A scheme's stepwise text and its fast counter, driven side by side through every small state.
 *
 * Breadth first over joint states: the page tables, the text's words, the counter's columns. From each, every event that the
 * page tables allow happens to both, and every answer of the one is compared with that of the other. Invariant: two
 * histories with the same key have the same future, for the key is all that either side keeps.
 */
import { LEVEL_PMD, LEVEL_PTE } from "../../src/kernel/index.ts";
import type { Counter, Scheme } from "../../src/schemes/index.ts";
import { columnsOf, readState, writeState } from "./counter-state.ts";
import { type Call, type CallArguments, ProcedureRunner } from "./run-procedure.ts";
import { type Shape, type SmallBatch, type SmallEvent, SmallTables } from "./small-tables.ts";

/** A pair to be driven. */
export interface SideBySideOptions {
  readonly scheme: Scheme;
  readonly shape: Shape;
  /** Constants of the text that make it count what the counter counts. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Words of the text (without their indexes) that the counter has as columns too; "-" in front of a word: minus one. */
  readonly words?: Readonly<Record<string, string>>;
  /** The search ends here, and says so. */
  readonly stateLimit?: number;
}

/** A finished search. */
export interface SideBySideResult {
  readonly states: number;
  readonly isComplete: boolean;
  /** Comparisons made, by what was compared. */
  readonly compared: Readonly<Record<string, number>>;
}

interface Node {
  readonly entries: Uint8Array;
  readonly variables: Int32Array;
  readonly columns: Float64Array;
  readonly history: History | undefined;
}

interface History {
  readonly event: string;
  readonly before: History | undefined;
}

export class SideBySide {
  readonly tables: SmallTables;
  readonly runner: ProcedureRunner;
  readonly counter: Counter;
  private readonly options: SideBySideOptions;
  private readonly columns: ReturnType<typeof columnsOf>;
  private readonly compared = new Map<string, number>();
  private variables: Int32Array;
  private history: History | undefined;

  constructor(options: SideBySideOptions) {
    const { scheme, shape, constants } = options;
    this.options = options;
    this.tables = new SmallTables(shape);
    const sizes = { MMS: shape.mms, VMAS: shape.areas, PAGES: shape.pages, TABLES: shape.tables };
    this.runner = new ProcedureRunner(scheme, { ...sizes, ...constants });
    const orders = new Uint8Array(shape.pages);
    orders[0] = Math.log2(shape.pages);
    const context = { frameCount: shape.pages, orders, pageTables: this.tables, references: this.tables, seed: 7 };
    this.counter = scheme.createCounter(context);
    this.counter.created?.(0, orders[0], false);
    this.columns = columnsOf(this.counter);
    this.variables = this.runner.initial();
  }

  /** Goes through all joint states; `visit` sees the text's variables in each. Throws at the first difference. */
  search(visit: (variables: Int32Array) => void = () => {}): SideBySideResult {
    const { stateLimit = 20_000 } = this.options;
    const known = new Set<string>([this.key()]);
    const waiting: Node[] = [this.node()];
    this.compare();
    for (let at = 0; at < waiting.length; at++) {
      const node = waiting[at];
      this.goTo(node);
      visit(this.variables);
      for (const event of this.tables.events()) {
        this.goTo(node);
        this.happen(event);
        const key = this.key();
        if (known.has(key)) continue;
        if (known.size === stateLimit) return this.result(known.size, false);
        known.add(key);
        this.compare();
        waiting.push(this.node());
      }
    }
    return this.result(known.size, true);
  }

  private result(states: number, isComplete: boolean): SideBySideResult {
    return { states, isComplete, compared: Object.fromEntries(this.compared) };
  }

  private key(): string {
    return `${this.variables.join()};${readState(this.columns).join()}`;
  }

  private node(): Node {
    const { variables, history } = this;
    return { entries: this.tables.entries.slice(), variables, columns: readState(this.columns), history };
  }

  private goTo({ entries, variables, columns, history }: Node): void {
    this.tables.entries.set(entries);
    this.variables = variables;
    writeState(this.columns, columns);
    this.history = history;
  }

  private happen(event: SmallEvent): void {
    this.history = { event: JSON.stringify(event), before: this.history };
    if (event.kind === "walk") this.walk();
    else if (event.kind === "split") this.split(event.mm, event.area);
    else this.change(event);
  }

  private walk(): void {
    if (this.counter.learn === undefined) return;
    const findings = this.tables.findings();
    this.counter.learn(0, findings);
    this.call("walk", { n: findings.vmas });
  }

  private change({ kind, mm, area, first, n, level }: SmallBatch & { readonly kind: "add" | "remove" }): void {
    const { tables, counter } = this;
    const vma = mm * tables.shape.areas + area;
    const table = tables.tableNumber(vma, first, level);
    if (kind === "remove") this.setEntries(vma, first, n, level, false);
    counter[kind](0, first, n, level, table, vma, mm);
    const done = this.call(`${kind}_${level === LEVEL_PMD ? "pmd" : "ptes"}`, { mm, area, first, n });
    this.expect("whether it is done", done, 1);
    if (kind === "add") this.setEntries(vma, first, n, level, true);
  }

  /** The counter is told as of any entries; the text has a procedure for it. */
  private split(mm: number, area: number): void {
    const { tables, counter } = this;
    const { areas, pages } = tables.shape;
    const vma = mm * areas + area;
    counter.add(0, 0, pages, LEVEL_PTE, tables.tableNumber(vma, 0, LEVEL_PTE), vma, mm);
    tables.set(vma, 0, pages, LEVEL_PTE, true);
    tables.set(vma, 0, pages, LEVEL_PMD, false);
    counter.remove(0, 0, pages, LEVEL_PMD, tables.tableNumber(vma, 0, LEVEL_PMD), vma, mm);
    this.call("split", { mm, area });
    this.setEntries(vma, 0, pages, LEVEL_PTE, true);
    this.setEntries(vma, 0, pages, LEVEL_PMD, false);
  }

  private setEntries(
    vma: number,
    first: number,
    n: number,
    level: typeof LEVEL_PTE | typeof LEVEL_PMD,
    present: boolean,
  ): void {
    this.tables.set(vma, first, n, level, present);
    const { areas } = this.tables.shape;
    const area = `[${Math.floor(vma / areas)}][${vma % areas}]`;
    this.variables = this.variables.slice();
    if (level === LEVEL_PMD) this.variables[this.runner.placeOf(`pmd${area}`)] = present ? 1 : 0;
    else {
      for (let page = first; page < first + n; page++) {
        this.variables[this.runner.placeOf(`pte${area}[${page}]`)] = present ? 1 : 0;
      }
    }
  }

  private call(call: Call, about: CallArguments): number {
    const { variables, given } = this.runner.run(call, about, this.variables);
    this.variables = variables;
    return given;
  }

  private ask(call: Call, about: CallArguments = {}): number {
    const before = this.variables;
    const answer = this.call(call, about);
    const isSame = this.variables.every((value, variable) => value === before[variable]);
    this.expect("what a question leaves is what was", isSame, true);
    return answer;
  }

  /** Every answer, the reference count's part of it too, and the words that both sides have. */
  private compare(): void {
    const { counter, tables } = this;
    const { mms, areas, pages } = tables.shape;
    this.expect("mapped", this.ask("mapped"), counter.mapped(0));
    this.expect("mappings", this.ask("mappings"), counter.mappings(0));
    this.expect("partial", this.ask("partial"), counter.partial(0));
    for (let page = 0; page < pages; page++) {
      this.expect("pageMapcount", this.ask("pageMapcount", { first: page }), counter.pageMapcount(0, page));
    }
    for (let vma = 0; vma < mms * areas; vma++) {
      if (tables.entries[vma] === 0) continue;
      const mm = Math.floor(vma / areas);
      this.expect("others", this.ask("others", { mm, area: vma % areas }), counter.others(0, mm));
      if (vma % areas === 0 || tables.entries[vma - 1] === 0) this.compareReuse(mm);
    }
    if (this.runner.has("nr_mapped")) {
      this.expect("statisticsPages", this.variables[this.runner.placeOf("nr_mapped")], counter.statisticsPages(0));
    }
    this.expect("quiet counts", this.runner.counts(this.variables), true);
    this.compareWords();
  }

  private compareReuse(mm: number): void {
    const { counter, runner, tables } = this;
    const before = this.variables;
    for (const extra of [0, 1]) {
      tables.extra = extra;
      this.variables = before.slice();
      this.variables[runner.placeOf("refcount")] = counter.mappingReferences(0) + extra;
      this.expect("canReuse", this.ask("canReuse", { mm }), counter.canReuse(0, mm));
    }
    tables.extra = 0;
    this.variables = before;
  }

  private compareWords(): void {
    for (const [word, path] of Object.entries(this.options.words ?? {})) {
      const column = this.columns.get(path.replace("-", ""));
      if (column === undefined) throw new Error(`the counter has no column ${path}`);
      const name = word.replace(/\[\*\]$/, "");
      const indexes = word === name ? [""] : Array.from({ length: this.tables.shape.pages }, (_, page) => `[${page}]`);
      for (const [index, suffix] of indexes.entries()) {
        const value = this.variables[this.runner.placeOf(`${name}${suffix}`)];
        this.expect(name, value, path.startsWith("-") ? column[index] - 1 : column[index]);
      }
    }
  }

  private expect(what: string, text: number | string | boolean, counter: number | string | boolean): void {
    this.compared.set(what, (this.compared.get(what) ?? 0) + 1);
    if (text === counter) return;
    const events: string[] = [];
    for (let at = this.history; at !== undefined; at = at.before) events.unshift(at.event);
    throw new Error(
      `${this.options.scheme.id}: ${what}: the steps say ${text}, the counter ${counter}, after\n${events.join("\n")}`,
    );
  }
}
