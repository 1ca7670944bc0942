/**
 * Statements to instructions: steps with their places, registers, choices, operations.
 *
 * A step sees registers and constants only. What is decided by constants alone leaves no code: the other side of an `if`,
 * a lock that the configuration never takes, an alternative of a `pick` whose `where` is false.
 */
import { assignsTo } from "./block-facts.ts";
import { calledProcedure, elaborateReturn, inlineProcedure, leaveTo, valueWithoutCode } from "./elaborate-calls.ts";
import {
  type ElaboratedPlace,
  elaborateCondition,
  elaborateDomain,
  elaborateExpression,
  elaboratePlace,
  typedConstant,
} from "./elaborate-expressions.ts";
import { elaborateFor, elaborateRepeat, elaborateWhile } from "./elaborate-loops.ts";
import { NUMBER_SORT, sortOfSet, useAsNumber, useTogether } from "./element-sorts.ts";
import { constantExpression } from "./fold-expression.ts";
import { createLabel, placeLabel } from "./instruction-list.ts";
import type { MachineExpression } from "./step-machine.ts";
import { type Typed, findLocal, innerScope, stepsError } from "./symbols.ts";
import type { Block, Expression, Place, Position, Statement } from "./syntax.ts";
import {
  type Frame,
  type Target,
  type ThreadDraft,
  bindValue,
  boundsOf,
  declareRegister,
  everythingView,
  existingTarget,
  innerFrame,
  leaveBlock,
  registersView,
  targetOf,
  write,
} from "./thread-draft.ts";

type StatementOf<Kind extends Statement["kind"]> = Extract<Statement, { kind: Kind }>;
type StepStatement = StatementOf<
  "load" | "store" | "add" | "swap" | "cas" | "lock" | "unlock" | "trylock" | "fence" | "await"
>;

/** Names that properties of the checker itself have. */
const BUILT_IN_PROPERTIES: ReadonlySet<string> = new Set(["deadlock", "livelock", "unlock"]);

/** Writes the instructions of a block; its names and registers end with it. Throws StepsError at the first fault. */
export function elaborateBlock(thread: ThreadDraft, block: Block, frame: Frame): void {
  const inside = innerFrame(frame);
  for (const [at, statement] of block.entries()) elaborateStatement(thread, statement, inside, block.slice(at + 1));
  leaveBlock(thread, inside);
}

function elaborateStatement(thread: ThreadDraft, statement: Statement, frame: Frame, rest: Block): void {
  if (thread.isInitial) refuseInitially(statement, frame);
  switch (statement.kind) {
    case "load":
    case "store":
    case "add":
    case "swap":
    case "cas":
    case "lock":
    case "unlock":
    case "trylock":
    case "fence":
    case "await":
      return elaborateStep(thread, statement, frame);
    case "set":
      return elaborateSet(thread, statement, frame, rest);
    case "call":
      return inlineProcedure(thread, calledProcedure(statement, frame), statement, undefined, frame);
    case "ghost":
      return elaborateGhost(thread, statement, frame);
    case "assert":
      return elaborateAssert(thread, statement, frame);
    case "if":
      return elaborateIf(thread, statement, frame);
    case "while":
    case "loop":
      return elaborateWhile(thread, statement, frame);
    case "repeat":
      return elaborateRepeat(thread, statement, frame);
    case "for":
      return elaborateFor(thread, statement, frame);
    case "choose":
      return elaborateChoose(thread, statement, frame);
    case "pick":
      return elaboratePick(thread, statement, frame, rest);
    case "op":
      return elaborateOperation(thread, statement, frame);
    case "break":
      if (frame.breakTo === undefined) throw stepsError(frame, "break stands in no loop", statement.position);
      return leaveTo(thread, statement, frame.breakTo, frame);
    case "return":
      return elaborateReturn(thread, statement, frame);
    case "stop":
      return leaveTo(thread, statement, { label: thread.end, operation: -1 }, frame);
  }
}

function refuseInitially(statement: Statement, frame: Frame): void {
  const { kind, position } = statement;
  if (kind !== "choose" && kind !== "pick" && kind !== "op" && kind !== "stop") return;
  throw stepsError(frame, `initially makes one first state, and has no ${kind}`, position);
}

/** The place of a step or a ghost, which must be of the right kind. */
function placeOf(kind: "word" | "ghost" | "lock", place: Place, frame: Frame): ElaboratedPlace {
  const { name, position } = place;
  const declaration = frame.symbols.find(name);
  if (declaration?.kind === kind) {
    return elaboratePlace(place, kind === "ghost" ? everythingView(frame) : registersView(frame));
  }
  const known = frame.symbols.names().filter((each) => frame.symbols.find(each)?.kind === kind);
  const what =
    declaration === undefined ? `no ${kind} is named ${name}` : `${name} is a ${declaration.kind}, not a ${kind}`;
  throw stepsError(frame, `${what} (${kind}s: ${known.join(", ") || "none"})`, position);
}

/** A value for a step, which goes to or is compared with what `to` holds. */
function valueFor(expression: Expression, to: Target["sort"], frame: Frame): MachineExpression {
  const value = elaborateExpression(expression, registersView(frame));
  useTogether(
    to,
    value.sort,
    "a number goes where an element is, or an element where a number is",
    expression.position,
    frame.tell,
  );
  return value.expression;
}

function elaborateStep(thread: ThreadDraft, statement: StepStatement, frame: Frame): void {
  switch (statement.kind) {
    case "fence":
      return write(thread, statement, { op: "fence" });
    case "await":
      return write(thread, statement, {
        op: "await",
        condition: elaborateCondition(statement.condition, everythingView(frame)),
      });
    case "lock":
    case "unlock":
    case "trylock":
      return elaborateLock(thread, statement, frame);
    case "load":
    case "store":
    case "add":
    case "swap":
    case "cas":
      return elaborateAccess(thread, statement, frame);
  }
}

function elaborateLock(thread: ThreadDraft, statement: StatementOf<"lock" | "unlock" | "trylock">, frame: Frame): void {
  const { kind, isShared } = statement;
  const { at } = placeOf("lock", statement.at, frame);
  const isLeftOut = thread.system.withoutLocks.has(statement.at.name);
  if (kind !== "trylock") {
    if (!isLeftOut) write(thread, statement, { op: kind, isShared, at });
    return;
  }
  const { register } = targetOf(thread, statement, NUMBER_SORT, frame);
  if (isLeftOut) write(thread, statement, { op: "set", register, value: constantExpression(1) });
  else write(thread, statement, { op: "trylock", isShared, register, at });
}

function elaborateAccess(
  thread: ThreadDraft,
  statement: StatementOf<"load" | "store" | "add" | "swap" | "cas">,
  frame: Frame,
): void {
  const { position } = statement;
  const { at, array } = placeOf("word", statement.at, frame);
  const sort = sortOfSet(array.set);
  switch (statement.kind) {
    case "load": {
      const target = targetOf(thread, statement, sort, frame);
      useTogether(target.sort, sort, "a register of elements loads a number, or the other way", position, frame.tell);
      return write(thread, statement, { op: "load", register: target.register, at });
    }
    case "store":
      return write(thread, statement, { op: "store", at, value: valueFor(statement.value, sort, frame) });
    case "cas": {
      const expected = valueFor(statement.expected, sort, frame);
      const value = valueFor(statement.value, sort, frame);
      const target = targetOf(thread, statement, NUMBER_SORT, frame);
      useAsNumber(target.sort, "holds whether a cas was done", position, frame.tell);
      return write(thread, statement, { op: "cas", register: target.register, at, expected, value });
    }
    case "add":
    case "swap": {
      const { kind } = statement;
      const value = valueFor(statement.value, kind === "add" ? NUMBER_SORT : sort, frame);
      if (kind === "add") useAsNumber(sort, "is added to", position, frame.tell);
      if (statement.register === undefined) return write(thread, statement, { op: kind, register: -1, at, value });
      const target = targetOf(thread, statement, sort, frame);
      useTogether(target.sort, sort, "a register of elements gets a number, or the other way", position, frame.tell);
      return write(thread, statement, { op: kind, register: target.register, at, value });
    }
  }
}

/** `let r = E`, `r = E`, and the same with the call of a procedure. */
function elaborateSet(thread: ThreadDraft, statement: StatementOf<"set">, frame: Frame, rest: Block): void {
  const { value } = statement;
  if (value.kind === "call" && frame.symbols.find(value.name)?.kind === "procedure") {
    const procedure = calledProcedure(value, frame);
    const known = valueWithoutCode(procedure, thread, value, frame);
    if (known !== undefined) return setValue(thread, statement, known, frame, rest);
    const target = targetOf(thread, statement, undefined, frame);
    return inlineProcedure(thread, procedure, value, target, frame);
  }
  setValue(thread, statement, elaborateExpression(value, registersView(frame)), frame, rest);
}

/** Sets a register; a new one that only ever has one constant value is that constant. */
function setValue(thread: ThreadDraft, statement: StatementOf<"set">, value: Typed, frame: Frame, rest: Block): void {
  const { register: name, position, range, isNew } = statement;
  if (isNew && value.expression.kind === "constant" && !assignsTo(rest, name)) {
    if (range !== undefined) checkConstant(value, boundsOf(range, position, frame), statement, frame);
    return bindValue(name, value, position, frame);
  }
  const target = targetOf(thread, statement, value.sort, frame);
  useTogether(target.sort, value.sort, "a register gets an element and a number", position, frame.tell);
  write(thread, statement, { op: "set", register: target.register, value: value.expression });
}

function checkConstant(
  { expression, sort }: Typed,
  bounds: ReturnType<typeof boundsOf>,
  { register: name, position }: StatementOf<"set">,
  frame: Frame,
): void {
  useTogether(bounds.sort, sort, "a register gets an element and a number", position, frame.tell);
  if (expression.kind !== "constant" || (expression.value >= bounds.min && expression.value <= bounds.max)) return;
  throw stepsError(
    frame,
    `${name} is ${expression.value}, outside of its range ${bounds.min}..${bounds.max}`,
    position,
  );
}

function elaborateGhost(thread: ThreadDraft, statement: StatementOf<"ghost">, frame: Frame): void {
  const { at, array } = placeOf("ghost", statement.at, frame);
  const value = elaborateExpression(statement.value, everythingView(frame));
  const how = "a ghost of elements gets a number, or the other way";
  useTogether(sortOfSet(array.set), value.sort, how, statement.position, frame.tell);
  write(thread, statement, { op: "ghost", at, value: value.expression });
}

function elaborateAssert(thread: ThreadDraft, statement: StatementOf<"assert">, frame: Frame): void {
  const { property, position } = statement;
  refuseBuiltIn(property, position);
  const condition = elaborateCondition(statement.condition, everythingView(frame));
  const assertion = thread.system.assertion(property, thread.system.originOf(position));
  write(thread, statement, { op: "assert", assertion, condition });
}

/** Refuses a property with the name of one of the checker's own. */
export function refuseBuiltIn(property: string, position: Position): void {
  if (!BUILT_IN_PROPERTIES.has(property)) return;
  throw stepsError(
    { within: [] },
    `${property} is a property of the checker itself: give this one another name`,
    position,
  );
}

function elaborateIf(thread: ThreadDraft, statement: StatementOf<"if">, frame: Frame): void {
  const condition = elaborateCondition(statement.condition, registersView(frame));
  if (condition.kind === "constant") {
    return elaborateBlock(thread, condition.value === 0 ? statement.otherwise : statement.then, frame);
  }
  const { list } = thread;
  const [then, otherwise, end] = [createLabel(list), createLabel(list), createLabel(list)];
  write(thread, statement, { op: "branch", condition, then, otherwise });
  placeLabel(list, then);
  elaborateBlock(thread, statement.then, frame);
  write(thread, statement, { op: "jump", to: end });
  placeLabel(list, otherwise);
  elaborateBlock(thread, statement.otherwise, frame);
  placeLabel(list, end);
}

function elaborateChoose(thread: ThreadDraft, statement: StatementOf<"choose">, frame: Frame): void {
  const { list } = thread;
  const end = createLabel(list);
  const targets = statement.alternatives.map(() => createLabel(list));
  write(thread, statement, { op: "choose", targets });
  for (const [number, alternative] of statement.alternatives.entries()) {
    placeLabel(list, targets[number]);
    elaborateBlock(thread, alternative, frame);
    write(thread, statement, { op: "jump", to: end });
  }
  placeLabel(list, end);
}

/** A choice among constants: an alternative for each, which checks the `where` and sets the register. */
function elaboratePick(thread: ThreadDraft, statement: StatementOf<"pick">, frame: Frame, rest: Block): void {
  const { register: name, domain, position } = statement;
  const { list } = thread;
  const { from, to, set } = elaborateDomain(domain, position, frame);
  const candidates: { readonly value: number; readonly where: MachineExpression }[] = [];
  for (let value = from; value < to; value++) {
    const where = whereOf(statement, typedConstant(value, set), frame);
    if (where.kind !== "constant" || where.value !== 0) candidates.push({ value, where });
  }
  if (candidates.length === 0) throw stepsError(frame, `there is nothing to pick for ${name}`, position);
  const isNew = findLocal(frame.scope, name) === undefined;
  const [only] = candidates;
  if (isNew && candidates.length === 1 && only.where.kind === "constant" && !assignsTo(rest, name)) {
    const label = createLabel(list);
    write(thread, statement, { op: "choose", targets: [label] });
    placeLabel(list, label);
    return bindValue(name, typedConstant(only.value, set), position, frame);
  }
  const target = isNew
    ? declareRegister(thread, statement, { name, position, sort: sortOfSet(set) }, frame)
    : existingTarget(name, position, frame);
  useTogether(target.sort, sortOfSet(set), "a register gets an element and a number", position, frame.tell);
  const end = createLabel(list);
  const targets = candidates.map(() => createLabel(list));
  write(thread, statement, { op: "choose", targets });
  for (const [number, { value, where }] of candidates.entries()) {
    placeLabel(list, targets[number]);
    if (where.kind !== "constant") write(thread, statement, { op: "require", condition: where });
    write(thread, statement, { op: "set", register: target.register, value: constantExpression(value) });
    write(thread, statement, { op: "jump", to: end });
  }
  placeLabel(list, end);
}

/** What a `pick` asks of one candidate. */
function whereOf({ register, where }: StatementOf<"pick">, candidate: Typed, frame: Frame): MachineExpression {
  if (where === undefined) return constantExpression(1);
  const scope = innerScope(frame.scope);
  scope.locals.set(register, { value: candidate, register: undefined });
  return elaborateCondition(where, { ...frame, scope, sees: "registers" });
}

function elaborateOperation(thread: ThreadDraft, statement: StatementOf<"op">, frame: Frame): void {
  const { name, position } = statement;
  if (frame.operation >= 0) throw stepsError(frame, `operation ${name} begins inside of another`, position);
  const operation = thread.system.operation(name);
  write(thread, statement, { op: "begin", operation });
  elaborateBlock(thread, statement.body, { ...frame, operation });
  write(thread, statement, { op: "end", operation });
}
