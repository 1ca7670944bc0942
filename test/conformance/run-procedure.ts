/**
 * One call of a scheme's stepwise procedure, run alone from a given state to its end.
 *
 * Every kind of call is a thread of one system; to run it, it takes the place of `initially`, so that it is run by the
 * interpreter that the checker's explorers are held against. Arguments are words that the thread loads, and the ghost
 * `given` is what it leaves. Throws StepsError where the call waits for ever (a lock that it holds itself), leaves a range
 * or leaves a lock held.
 */
import { elaborate } from "../../src/checker/elaborate.ts";
import { evaluate, initialState } from "../../src/checker/interpret.ts";
import { FOLIO_TEXT } from "../../src/checker/programs/folio.ts";
import type { StepMachine, Variable } from "../../src/checker/step-machine.ts";
import type { Scheme } from "../../src/schemes/index.ts";

/** The calls of a scheme's procedures; an add or remove takes the locks that it wants held. */
export type Call =
  | "add_ptes"
  | "remove_ptes"
  | "add_pmd"
  | "remove_pmd"
  | "split"
  | "walk"
  | "mapped"
  | "mappings"
  | "pageMapcount"
  | "others"
  | "partial"
  | "canReuse";

/** What a call is about; all else is 0. */
export interface CallArguments {
  readonly mm?: number;
  readonly area?: number;
  /** First page. */
  readonly first?: number;
  /** Pages; of a walk, VMAs. */
  readonly n?: number;
}

const ARGUMENTS = `
word arg_mm: mm
word arg_area: area
word arg_first: 0..PAGES
word arg_n: 0..MAX_ENTRIES
ghost given: -1..1000000 = 0
`;

const LOADED = `
  let m = load arg_mm
  let v = load arg_area
  let first = load arg_first
  let n: 0..PAGES = load arg_n
`;

function changing(procedure: "add" | "remove", level: "PTE" | "PMD"): string {
  return `${LOADED}
  lock_tables(m, v, tableOf(first))
  let done = ${procedure}(first, n, ${level}, m, v)
  unlock_tables(m, v, tableOf(first))
  ghost given = done`;
}

function asking(call: string): string {
  return `${LOADED}
  let said = ${call}
  ghost given = said`;
}

const CALLS: Readonly<Record<Call, string>> = {
  add_ptes: changing("add", "PTE"),
  remove_ptes: changing("remove", "PTE"),
  add_pmd: changing("add", "PMD"),
  remove_pmd: changing("remove", "PMD"),
  split: `${LOADED}\n  split_pmd(m, v)`,
  walk: "  let found = load arg_n\n  walk_found(found)",
  mapped: asking("mapped()"),
  mappings: asking("mappings()"),
  pageMapcount: asking("pageMapcount(first)"),
  others: asking("others(m, v)"),
  partial: asking("partial()"),
  canReuse: asking("canReuse(m)"),
};

/** A system whose first values can be set. */
type StartableMachine = Omit<StepMachine, "variables"> & {
  readonly variables: readonly (Omit<Variable, "initial"> & { initial: number })[];
};

/** Calls of one scheme's procedures, fitted to one set of constants. */
export class ProcedureRunner {
  readonly machine: StartableMachine;
  private readonly id: string;
  private readonly machines: ReadonlyMap<string, StartableMachine>;
  private readonly places: ReadonlyMap<string, number>;
  private readonly argumentPlaces: readonly [mm: number, area: number, first: number, n: number];
  private readonly givenPlace: number;

  constructor(scheme: Scheme, constants: Readonly<Record<string, number>>) {
    this.id = scheme.id;
    const hasWalk = scheme.steps.includes("procedure walk_found(");
    const threads = Object.entries(CALLS)
      .filter(([call]) => call !== "walk" || hasWalk)
      .map(([call, statements]) => `thread call_${call} {\n${statements}\n}\n`);
    const texts = [
      { name: "programs/folio", text: FOLIO_TEXT },
      { name: scheme.id, text: scheme.steps },
      { name: "calls", text: ARGUMENTS + threads.join("") },
    ];
    const elaborated = elaborate({ name: scheme.id, texts, constants });
    const variables = elaborated.variables.map((variable) => ({ ...variable }));
    this.machine = { ...elaborated, variables };
    this.machines = new Map(
      elaborated.threads.map((thread) => [thread.name, { ...this.machine, threads: [], initially: thread }]),
    );
    this.places = new Map(variables.map(({ name }, variable) => [name, variable]));
    this.argumentPlaces = [
      this.placeOf("arg_mm"),
      this.placeOf("arg_area"),
      this.placeOf("arg_first"),
      this.placeOf("arg_n"),
    ];
    this.givenPlace = this.placeOf("given");
  }

  /** The values of all variables before anything has happened. */
  initial(): Int32Array {
    return Int32Array.from(this.machine.variables, ({ initial }) => initial);
  }

  /** Where a word, ghost or lock lies: "pte[0][0][1]". */
  placeOf(name: string): number {
    const place = this.places.get(name);
    if (place === undefined) throw new Error(`${this.id} has no ${name}`);
    return place;
  }

  has(name: string): boolean {
    return this.places.has(name);
  }

  /** Makes a call: what it leaves, and its value (0 if it has none). O(steps). */
  run(
    call: Call,
    { mm = 0, area = 0, first = 0, n = 0 }: CallArguments,
    variables: Int32Array,
  ): { readonly variables: Int32Array; readonly given: number } {
    const machine = this.machines.get(`call_${call}`);
    if (machine === undefined) throw new Error(`${this.id} has no procedure for ${call}`);
    for (const [index, variable] of machine.variables.entries()) variable.initial = variables[index];
    for (const [index, value] of [mm, area, first, n].entries()) {
      machine.variables[this.argumentPlaces[index]].initial = value;
    }
    const after = initialState(machine).variables;
    const given = after[this.givenPlace];
    for (const place of this.argumentPlaces) after[place] = 0;
    after[this.givenPlace] = 0;
    return { variables: after, given };
  }

  /** Whether the scheme's `quiet` properties hold: `counts`, and `statistics` where the text keeps them. */
  counts(variables: Int32Array): boolean {
    const quiet = this.machine.properties.filter(({ when }) => when === "quiet");
    if (!quiet.some(({ name }) => name === "counts")) throw new Error(`${this.id} has no property counts`);
    return quiet.every(
      ({ condition }) =>
        condition !== undefined && evaluate(this.machine, condition, variables, new Int32Array(0)) !== 0,
    );
  }
}
