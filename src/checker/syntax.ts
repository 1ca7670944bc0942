/**
 * The step language as a tree: what `parseSteps` makes of a text and `elaborate` fits to a configuration.
 *
 * Nothing is resolved here: names are names, constants are expressions. docs/step-language.md says what each form means.
 */

/** Where something stands in its text; line and column from 1. */
export interface Position {
  /** The name of the text, such as "mm-owner" or "programs/anonymous-memory". */
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

export type BinaryOperator = "||" | "&&" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/" | "%";

/** What a quantifier or a `pick` goes over: a declared set or index, or numbers from `from` to below `to`. */
export type Domain =
  | { readonly kind: "named"; readonly name: string }
  | { readonly kind: "numbers"; readonly from: Expression; readonly to: Expression };

export type Expression = { readonly position: Position } & (
  | { readonly kind: "number"; readonly value: number }
  /** A constant, register, parameter, bound variable, word, ghost or lock; with indexes an element of an array. */
  | { readonly kind: "name"; readonly name: string; readonly indexes: readonly Expression[] }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "not" | "negate"; readonly operand: Expression }
  | {
      readonly kind: "conditional";
      readonly condition: Expression;
      readonly then: Expression;
      readonly otherwise: Expression;
    }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  | {
      readonly kind: "all" | "any" | "count" | "sum";
      readonly variable: string;
      readonly domain: Domain;
      readonly body: Expression;
    }
);

export type Range =
  | { readonly kind: "bool" }
  | { readonly kind: "numbers"; readonly low: Expression; readonly high: Expression }
  | { readonly kind: "named"; readonly name: string; readonly isOptional: boolean };

/** A dimension of an array; `variable` names the index in the initial value. */
export interface Dimension {
  readonly domain: string;
  readonly variable?: string;
}

/** A word, ghost or lock, or an element of an array of them. */
export interface Place {
  readonly position: Position;
  readonly name: string;
  readonly indexes: readonly Expression[];
}

export type Statement = { readonly position: Position } & (
  | {
      readonly kind: "load";
      readonly register: string;
      readonly range?: Range;
      readonly isNew: boolean;
      readonly at: Place;
    }
  | { readonly kind: "store"; readonly at: Place; readonly value: Expression }
  | {
      readonly kind: "add" | "swap";
      readonly register?: string;
      readonly range?: Range;
      readonly isNew: boolean;
      readonly at: Place;
      readonly value: Expression;
    }
  | {
      readonly kind: "cas";
      readonly register: string;
      readonly isNew: boolean;
      readonly at: Place;
      readonly expected: Expression;
      readonly value: Expression;
    }
  | { readonly kind: "lock" | "unlock"; readonly isShared: boolean; readonly at: Place }
  | {
      readonly kind: "trylock";
      readonly isShared: boolean;
      readonly register: string;
      readonly isNew: boolean;
      readonly at: Place;
    }
  | { readonly kind: "fence" }
  | { readonly kind: "await"; readonly condition: Expression }
  /** `isNew`: with `let`. `value` may be a call of a procedure: the elaboration tells it from a call of a define. */
  | {
      readonly kind: "set";
      readonly register: string;
      readonly range?: Range;
      readonly isNew: boolean;
      readonly value: Expression;
    }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: "ghost"; readonly at: Place; readonly value: Expression }
  | { readonly kind: "assert"; readonly property: string; readonly condition: Expression }
  | { readonly kind: "if"; readonly condition: Expression; readonly then: Block; readonly otherwise: Block }
  | { readonly kind: "while"; readonly condition: Expression; readonly body: Block }
  | { readonly kind: "loop"; readonly body: Block }
  | { readonly kind: "repeat"; readonly times: Expression; readonly body: Block }
  | {
      readonly kind: "for";
      readonly variable: string;
      readonly from: Expression;
      readonly to: Expression;
      readonly body: Block;
    }
  | { readonly kind: "choose"; readonly alternatives: readonly Block[] }
  | { readonly kind: "pick"; readonly register: string; readonly domain: Domain; readonly where?: Expression }
  | { readonly kind: "op"; readonly name: string; readonly body: Block }
  | { readonly kind: "break" | "stop" }
  | { readonly kind: "return"; readonly value?: Expression }
);

export type Block = readonly Statement[];

export type Declaration = { readonly position: Position; readonly name: string } & (
  | { readonly kind: "const"; readonly domain?: string; readonly values: readonly Expression[] }
  | { readonly kind: "set" | "index"; readonly size: Expression }
  | {
      readonly kind: "word" | "ghost";
      readonly dimensions: readonly Dimension[];
      readonly range: Range;
      readonly initial?: Expression;
    }
  | { readonly kind: "lock"; readonly dimensions: readonly Dimension[] }
  | { readonly kind: "procedure"; readonly parameters: readonly string[]; readonly body: Block }
  | { readonly kind: "define"; readonly parameters: readonly string[]; readonly value: Expression }
  /** One thread, `times` alike, or one for each element of `domain` (bound to `variable`). */
  | {
      readonly kind: "thread";
      readonly times?: Expression;
      readonly variable?: string;
      readonly domain?: string;
      readonly body: Block;
    }
  /** Runs before all threads and alone: what it leaves is the first state. Named "initially". */
  | { readonly kind: "initially"; readonly body: Block }
  | { readonly kind: "property"; readonly when: PropertyTime; readonly condition: Expression }
);

export type PropertyTime = "always" | "never" | "quiet" | "sometimes";

/** A text or a configuration that cannot be run: what is wrong, where, and what would do. */
export class StepsError extends Error {
  readonly position: Position | undefined;

  constructor(message: string, position?: Position) {
    super(position === undefined ? message : `${position.text}:${position.line}:${position.column}: ${message}`);
    this.name = "StepsError";
    this.position = position;
  }
}
