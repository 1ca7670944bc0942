/**
 * One call of a scheme's stepwise procedure, run alone from a given state to its end.
 *
 * The calls are the `initially` of a system that has nothing else, so they are run by the interpreter that the checker's
 * explorers are held against, with given values in place of the declared ones. Throws StepsError where the call waits
 * for ever (a lock that it holds itself), leaves a range or leaves a lock held.
 */
import type { CheckConfiguration } from "../../src/checker/check.ts";
import { elaborate } from "../../src/checker/elaborate.ts";
import { evaluate, initialState } from "../../src/checker/interpret.ts";
import { FOLIO_TEXT } from "../../src/checker/programs/folio.ts";
import type { StepMachine, Variable } from "../../src/checker/step-machine.ts";
import type { Scheme } from "../../src/schemes/index.ts";

/** A system whose first values can be set. */
type StartableMachine = Omit<StepMachine, "variables"> & {
  readonly variables: readonly (Omit<Variable, "initial"> & { initial: number })[];
};

/** Calls of one scheme's procedures, fitted to one set of constants. */
export class ProcedureRunner {
  private readonly scheme: Scheme;
  private readonly constants: Readonly<Record<string, number>>;
  private readonly machines = new Map<string, StartableMachine>();
  /** The system without a call: where its variables lie and what its properties are. */
  readonly machine: StartableMachine;
  private readonly places: ReadonlyMap<string, number>;

  constructor(scheme: Scheme, constants: Readonly<Record<string, number>>) {
    this.scheme = scheme;
    this.constants = constants;
    this.machine = this.machineOf("");
    this.places = new Map(this.machine.variables.map(({ name }, variable) => [name, variable]));
  }

  /** The values of all variables before anything has happened. */
  initial(): Int32Array {
    return Int32Array.from(this.machine.variables, ({ initial }) => initial);
  }

  /** Where a word, ghost or lock lies: "pte[0][0][1]". */
  placeOf(name: string): number {
    const place = this.places.get(name);
    if (place === undefined) throw new Error(`${this.scheme.id} has no ${name}`);
    return place;
  }

  has(name: string): boolean {
    return this.places.has(name);
  }

  /** Runs statements; what they leave in the ghost `given` is their result. O(steps). */
  run(statements: string, variables: Int32Array): { readonly variables: Int32Array; readonly given: number } {
    const machine = this.machineOf(statements);
    for (const [index, variable] of machine.variables.entries()) variable.initial = variables[index];
    const after = initialState(machine).variables;
    return { variables: after, given: after[this.placeOf("given")] };
  }

  /** Whether the scheme's `quiet` properties hold: `counts`, and `statistics` where the text keeps them. */
  counts(variables: Int32Array): boolean {
    const quiet = this.machine.properties.filter(({ when }) => when === "quiet");
    if (!quiet.some(({ name }) => name === "counts")) throw new Error(`${this.scheme.id} has no property counts`);
    return quiet.every(
      ({ condition }) =>
        condition !== undefined && evaluate(this.machine, condition, variables, new Int32Array(0)) !== 0,
    );
  }

  private machineOf(statements: string): StartableMachine {
    let machine = this.machines.get(statements);
    if (machine === undefined) {
      const text = `ghost given: -1000..1000000\nthread nobody { stop }\ninitially {\n${statements}\n}\n`;
      const configuration: CheckConfiguration = {
        name: this.scheme.id,
        texts: [
          { name: "programs/folio", text: FOLIO_TEXT },
          { name: this.scheme.id, text: this.scheme.steps },
          { name: "call", text },
        ],
        constants: this.constants,
      };
      const elaborated = elaborate(configuration);
      machine = { ...elaborated, variables: elaborated.variables.map((variable) => ({ ...variable })) };
      this.machines.set(statements, machine);
    }
    return machine;
  }
}
