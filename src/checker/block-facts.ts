/**
 * What can be seen of a block before it is elaborated: how long it will be, what it assigns to, whether it must rest.
 *
 * The elaboration chooses by these whether a loop is written out. Each looks through the procedures that the block calls;
 * each errs to the safe side: `restsAlways` says no when it cannot tell, and then a counted loop is written out.
 */
import type { Symbols } from "./symbols.ts";
import type { Block, Declaration, Statement } from "./syntax.ts";

type Procedure = Extract<Declaration, { kind: "procedure" }>;

/** The procedure that a statement calls, alone or for its value; undefined if none. */
export function procedureCalledBy(statement: Statement, symbols: Symbols): Procedure | undefined {
  let name: string | undefined;
  if (statement.kind === "call") name = statement.name;
  else if ((statement.kind === "set" || statement.kind === "return") && statement.value?.kind === "call") {
    name = statement.value.name;
  }
  if (name === undefined) return undefined;
  const declaration = symbols.find(name);
  return declaration?.kind === "procedure" ? declaration : undefined;
}

/** The blocks inside of a statement, procedures not included. */
export function blocksIn(statement: Statement): readonly Block[] {
  switch (statement.kind) {
    case "if":
      return [statement.then, statement.otherwise];
    case "while":
    case "loop":
    case "repeat":
    case "for":
    case "op":
      return [statement.body];
    case "choose":
      return statement.alternatives;
    default:
      return [];
  }
}

/** Whether a statement of the block, or of a block in it, gives a new value to the register of that name. */
export function assignsTo(block: Block, name: string): boolean {
  return block.some(
    (statement) =>
      ("register" in statement && statement.register === name && (statement.kind === "pick" || !statement.isNew)) ||
      blocksIn(statement).some((inner) => assignsTo(inner, name)),
  );
}

/** About how many instructions the block becomes; a loop counts once. */
export function estimateInstructions(block: Block, symbols: Symbols, calling: readonly string[] = []): number {
  let instructions = 0;
  for (const statement of block) {
    const procedure = procedureCalledBy(statement, symbols);
    instructions += 1;
    for (const inner of blocksIn(statement)) instructions += estimateInstructions(inner, symbols, calling);
    if (procedure === undefined || calling.includes(procedure.name)) continue;
    instructions += estimateInstructions(procedure.body, symbols, [...calling, procedure.name]);
  }
  return instructions;
}

/** What `restsAlways` looks at besides the block. */
export interface RestView {
  readonly symbols: Symbols;
  /** Locks that are never taken: to take one is no step. */
  readonly withoutLocks: ReadonlySet<string>;
}

/** Whether every way through the block to its end comes past a place of rest. A way that leaves it earlier does not count. */
export function restsAlways(block: Block, view: RestView): boolean {
  return restsBefore(block, view, { isCalled: false, calling: [] });
}

interface RestPath {
  /** In a called procedure `return` leads on, behind the call. */
  readonly isCalled: boolean;
  readonly calling: readonly string[];
}

function restsBefore(block: Block, view: RestView, path: RestPath): boolean {
  for (const statement of block) {
    if (rests(statement, view, path)) return true;
    if (path.isCalled && leaves(statement, "return")) return false;
  }
  return false;
}

function rests(statement: Statement, view: RestView, path: RestPath): boolean {
  switch (statement.kind) {
    case "lock":
    case "unlock":
    case "trylock":
      return !view.withoutLocks.has(statement.at.name);
    case "load":
    case "store":
    case "add":
    case "swap":
    case "cas":
    case "fence":
    case "await":
    case "choose":
    case "pick":
    case "op":
    case "stop":
      return true;
    case "if":
      return restsBefore(statement.then, view, path) && restsBefore(statement.otherwise, view, path);
    case "loop":
      return !leaves(statement, "break") && restsBefore(statement.body, view, path);
    case "return":
      return false;
    case "set":
    case "call": {
      const procedure = procedureCalledBy(statement, view.symbols);
      if (procedure === undefined || path.calling.includes(procedure.name)) return false;
      return restsBefore(procedure.body, view, { isCalled: true, calling: [...path.calling, procedure.name] });
    }
    case "ghost":
    case "assert":
    case "while":
    case "repeat":
    case "for":
    case "break":
      return false;
  }
}

function leaves(statement: Statement, by: "break" | "return"): boolean {
  return statement.kind === by || blocksIn(statement).some((block) => block.some((inner) => leaves(inner, by)));
}
