/**
 * Loops: written out round by round where that makes indexes constants, counted by a register elsewhere.
 *
 * `for` over few rounds of a short body is written out; so is every counted loop whose body need not rest, as no thread may
 * go round without a place of rest (instruction-list.ts). A counter never passes its last value: the loop is left before,
 * so that its range is exactly that of the rounds.
 */
import { type RestView, estimateInstructions, restsAlways } from "./block-facts.ts";
import { elaborateCondition, elaborateConstant, elaborateExpression, typedConstant } from "./elaborate-expressions.ts";
import { NUMBER_SORT, useAsNumber } from "./element-sorts.ts";
import { constantExpression, foldBinary } from "./fold-expression.ts";
import { createLabel, placeLabel } from "./instruction-list.ts";
import type { MachineExpression } from "./step-machine.ts";
import { type Typed, stepsError } from "./symbols.ts";
import type { Block, Position, Statement } from "./syntax.ts";
import {
  type Frame,
  type NewRegister,
  type ThreadDraft,
  bindValue,
  declareRegister,
  innerFrame,
  leaveBlock,
  refuseHiding,
  registersView,
  takeRegister,
  write,
} from "./thread-draft.ts";

/** A `for` of at most so many rounds of at most so many instructions is written out. */
const WRITTEN_ROUNDS_MAX = 16;
const WRITTEN_INSTRUCTIONS_MAX = 40;

type StatementOf<Kind extends Statement["kind"]> = Extract<Statement, { kind: Kind }>;

/** `while E { }` and `loop { }`. */
export function elaborateWhile(thread: ThreadDraft, statement: StatementOf<"while" | "loop">, frame: Frame): void {
  const { list } = thread;
  const [top, end] = [createLabel(list), createLabel(list)];
  placeLabel(list, top);
  if (statement.kind === "while") {
    const condition = elaborateCondition(statement.condition, registersView(frame));
    if (condition.kind === "constant" && condition.value === 0) return placeLabel(list, end);
    leaveUnless(thread, statement, condition, end);
  }
  thread.block(thread, statement.body, { ...frame, breakTo: { label: end, operation: frame.operation } });
  write(thread, statement, { op: "jump", to: top });
  placeLabel(list, end);
}

/** Goes to `end` unless the condition holds. */
function leaveUnless(thread: ThreadDraft, statement: Statement, condition: MachineExpression, end: number): void {
  const on = createLabel(thread.list);
  write(thread, statement, { op: "branch", condition, then: on, otherwise: end });
  placeLabel(thread.list, on);
}

/** `repeat N { }`. */
export function elaborateRepeat(thread: ThreadDraft, statement: StatementOf<"repeat">, frame: Frame): void {
  const { times, body, position } = statement;
  const rounds = elaborateConstant(times, "how often a loop is repeated", frame);
  if (rounds < 0) throw stepsError(frame, `a loop cannot be repeated ${rounds} times`, position);
  const { list } = thread;
  const end = createLabel(list);
  const inside: Frame = { ...frame, breakTo: { label: end, operation: frame.operation } };
  if (rounds <= 1 || !restsAlways(body, restView(thread, frame))) {
    for (let round = 0; round < rounds; round++) thread.block(thread, body, inside);
  } else {
    const counter = { name: "round", position, from: constantExpression(0), to: constantExpression(rounds) };
    writeCountedLoop(thread, statement, { ...counter, end, isNamed: false }, inside);
  }
  placeLabel(list, end);
}

/** `for i in A..B { }`. */
export function elaborateFor(thread: ThreadDraft, statement: StatementOf<"for">, frame: Frame): void {
  const { variable, position, body } = statement;
  const from = boundOf(statement.from, frame);
  const to = boundOf(statement.to, frame);
  refuseHiding(variable, position, frame);
  const end = createLabel(thread.list);
  const inside: Frame = { ...frame, breakTo: { label: end, operation: frame.operation } };
  if (from.expression.kind === "constant" && to.expression.kind === "constant") {
    const [first, last] = [from.expression.value, to.expression.value];
    const isShort =
      last - first <= WRITTEN_ROUNDS_MAX && estimateInstructions(body, frame.symbols) <= WRITTEN_INSTRUCTIONS_MAX;
    if (last <= first || isShort || !restsAlways(body, restView(thread, frame))) {
      for (let value = first; value < last; value++) writeRound(thread, body, { variable, value, position }, inside);
      return placeLabel(thread.list, end);
    }
  }
  const counter = { name: variable, position, from: from.expression, to: to.expression };
  writeCountedLoop(thread, statement, { ...counter, end, isNamed: true }, inside);
  placeLabel(thread.list, end);
}

function boundOf(expression: StatementOf<"for">["from"], frame: Frame): Typed {
  const bound = elaborateExpression(expression, registersView(frame));
  useAsNumber(bound.sort, "is a bound of for", expression.position, frame.tell);
  return bound;
}

function restView(thread: ThreadDraft, frame: Frame): RestView {
  return { symbols: frame.symbols, withoutLocks: thread.system.withoutLocks };
}

function writeRound(
  thread: ThreadDraft,
  body: Block,
  { variable, value, position }: { readonly variable: string; readonly value: number; readonly position: Position },
  frame: Frame,
): void {
  const round = innerFrame(frame);
  bindValue(variable, typedConstant(value), position, round);
  thread.block(thread, body, round);
  leaveBlock(thread, round);
}

interface Counted {
  readonly name: string;
  readonly position: Position;
  readonly from: MachineExpression;
  readonly to: MachineExpression;
  readonly end: number;
  /** The body sees the counter by its name. */
  readonly isNamed: boolean;
}

/** A loop over from..to, counted by a register. */
function writeCountedLoop(
  thread: ThreadDraft,
  statement: StatementOf<"repeat" | "for">,
  counted: Counted,
  frame: Frame,
): void {
  const { list } = thread;
  const { position, from, end, isNamed, name } = counted;
  const inside = innerFrame(frame);
  const to = fixedBound(thread, statement, counted, inside);
  const isFixed = from.kind === "constant" && to.kind === "constant";
  const given = isFixed ? { min: from.value, max: to.value - 1 } : undefined;
  const wish: NewRegister = { name, position, sort: NUMBER_SORT, given, isTrusted: isFixed };
  const { register } = isNamed
    ? declareRegister(thread, statement, wish, inside)
    : takeRegister(thread, statement, wish, inside);
  if (isNamed) inside.scope.locals.set(name, { value: counterValue(register), register: undefined });
  const counter: MachineExpression = { kind: "register", register };
  const [top, next] = [createLabel(list), createLabel(list)];
  write(thread, statement, { op: "set", register, value: from });
  if (!isFixed) leaveUnless(thread, statement, foldBinary("<", counter, to), end);
  placeLabel(list, top);
  thread.block(thread, statement.body, inside);
  const isLast = foldBinary(">=", counter, foldBinary("-", to, constantExpression(1)));
  write(thread, statement, { op: "branch", condition: isLast, then: end, otherwise: next });
  placeLabel(list, next);
  write(thread, statement, { op: "set", register, value: foldBinary("+", counter, constantExpression(1)) });
  write(thread, statement, { op: "jump", to: top });
  leaveBlock(thread, inside);
}

/** The bound of a loop, computed once: a constant, or a register of the loop's own. */
function fixedBound(
  thread: ThreadDraft,
  statement: StatementOf<"repeat" | "for">,
  counted: Counted,
  frame: Frame,
): MachineExpression {
  if (counted.to.kind === "constant") return counted.to;
  const by = statement.kind === "for" ? statement.to : statement;
  const wish = { name: `${counted.name}'s end`, position: counted.position, sort: NUMBER_SORT };
  const { register } = takeRegister(thread, by, wish, frame);
  write(thread, statement, { op: "set", register, value: counted.to });
  return { kind: "register", register };
}

function counterValue(register: number): Typed {
  return { expression: { kind: "register", register }, sort: NUMBER_SORT, isTruth: false, parts: 1 };
}
