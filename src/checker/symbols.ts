/**
 * What names mean while a text is fitted to a configuration: the shapes that the parts of the elaboration share.
 *
 * Two kinds of names: those of declarations, known everywhere (`Symbols`), and those of a block, a procedure, a define or a
 * quantifier (`Scope`). A procedure and a define see their own parameters and the declarations, never the names of the place
 * that uses them.
 */
import type { SortOf, Tell } from "./element-sorts.ts";
import type { MachineExpression } from "./step-machine.ts";
import { StepsError, type Declaration, type Position } from "./syntax.ts";

/** Elements of a set or an index. */
export const ELEMENTS_MAX = 64;
/** Parts of one expression, quantifiers unrolled. */
export const EXPRESSION_PARTS_MAX = 20_000;

/** An expression with what the elaboration knows of it. */
export interface Typed {
  readonly expression: MachineExpression;
  readonly sort: SortOf;
  /** It is 0 or 1. */
  readonly isTruth: boolean;
  readonly parts: number;
}

/** A set or an index: what arrays have as dimensions. */
export interface Axis {
  readonly name: string;
  /** Index in StepMachine.sets; NUMBER for an index. */
  readonly set: number;
  readonly elements: number;
}

/** A declared word, ghost or lock: `base` is its first variable. */
export interface ArraySymbol {
  readonly name: string;
  readonly kind: "word" | "ghost" | "lock";
  readonly axes: readonly Axis[];
  readonly base: number;
  /** Elements. */
  readonly count: number;
  readonly min: number;
  readonly max: number;
  /** The set whose elements it holds, or NUMBER. */
  readonly set: number;
}

/** The declarations of a system. Constants are computed when they are asked for, in whatever order texts have them. */
export interface Symbols {
  readonly find: (name: string) => Declaration | undefined;
  readonly names: () => readonly string[];
  /** The value of a `const` without domain. */
  readonly constant: (name: string) => number;
  /** The values of a `const` over an axis. */
  readonly table: (name: string) => { readonly values: readonly number[]; readonly axis: Axis };
  readonly axis: (name: string, position: Position) => Axis;
  readonly array: (name: string) => ArraySymbol;
}

/** A name of a block: its value, and the register if it can be assigned to. */
export interface Local {
  readonly value: Typed;
  readonly register: number | undefined;
}

/** The names of a block, of those around it, and no others. */
export interface Scope {
  readonly locals: Map<string, Local>;
  readonly outer: Scope | undefined;
}

/** What an expression may look at: constants, registers too, or words and ghosts too. */
export type Sight = "constants" | "registers" | "everything";

/** Where an expression or a statement stands. */
export interface Site {
  readonly symbols: Symbols;
  readonly tell: Tell;
  /** The procedures and defines around it, and where they are used, outermost first. */
  readonly within: readonly { readonly name: string; readonly position: Position }[];
}

/** A scope inside of another, or one that sees declarations only. */
export function innerScope(outer: Scope | undefined): Scope {
  return { locals: new Map(), outer };
}

/** The local of that name, or undefined. */
export function findLocal(scope: Scope | undefined, name: string): Local | undefined {
  for (let at = scope; at !== undefined; at = at.outer) {
    const local = at.locals.get(name);
    if (local !== undefined) return local;
  }
  return undefined;
}

/** The names that can be seen from a scope, locals first. */
export function namesSeen(scope: Scope | undefined, symbols: Symbols): readonly string[] {
  const names: string[] = [];
  for (let at = scope; at !== undefined; at = at.outer) names.push(...at.locals.keys());
  return [...names, ...symbols.names()];
}

/** An error at a position, with the use that led into the define or procedure in which it stands. */
export function stepsError(site: Pick<Site, "within">, message: string, position: Position): StepsError {
  const use = site.within.at(-1);
  if (use === undefined) return new StepsError(message, position);
  const { text, line, column } = use.position;
  return new StepsError(`${message} (in ${use.name}, used at ${text}:${line}:${column})`, position);
}
