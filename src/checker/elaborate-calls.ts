/**
 * Procedures, inlined where they are called.
 *
 * An argument is computed once, at the call: into a register of the procedure, unless it is a constant or a register that
 * the procedure does not assign to. `return` leads behind the call, out of an operation that the procedure has begun, and
 * gives the value if the call wants one; then every way through the procedure must return one.
 */
import { didYouMean } from "../scenario/index.ts";
import { assignsTo, procedureCalledBy } from "./block-facts.ts";
import { elaborateExpression } from "./elaborate-expressions.ts";
import { useTogether } from "./element-sorts.ts";
import { createLabel, emitTrap, placeLabel } from "./instruction-list.ts";
import { type Typed, innerScope, stepsError } from "./symbols.ts";
import type { Declaration, Expression, Position, Statement } from "./syntax.ts";
import {
  type Frame,
  type Target,
  type ThreadDraft,
  bindValue,
  declareRegister,
  innerFrame,
  leaveBlock,
  registersView,
  write,
} from "./thread-draft.ts";

type Procedure = Extract<Declaration, { kind: "procedure" }>;
type Call = Extract<Statement | Expression, { kind: "call" }>;

/** The procedure that a call is of; throws StepsError if the name is none's. */
export function calledProcedure({ name, position }: Call, frame: Frame): Procedure {
  const declaration = frame.symbols.find(name);
  if (declaration?.kind === "procedure") return declaration;
  if (declaration !== undefined) {
    throw stepsError(frame, `${name} is a ${declaration.kind}: only a procedure is called by itself`, position);
  }
  const known = frame.symbols.names().filter((each) => frame.symbols.find(each)?.kind === "procedure");
  throw stepsError(frame, `no procedure is named ${name}: ${didYouMean(name, known)}`, position);
}

/** Inlines a procedure; its value goes to `target` if one is wanted. */
export function inlineProcedure(
  thread: ThreadDraft,
  procedure: Procedure,
  call: Call,
  target: Target | undefined,
  frame: Frame,
): void {
  const inside = bindArguments(thread, procedure, call, frame);
  const label = createLabel(thread.list);
  thread.block(thread, procedure.body, { ...inside, returnTo: { label, operation: frame.operation, target } });
  if (target !== undefined) {
    const message = `${procedure.name} is called for its value here, and not every way through it returns one`;
    emitTrap(thread.list, thread.system.originOf(call.position), message);
  }
  placeLabel(thread.list, label);
  leaveBlock(thread, inside);
}

/** The value of a procedure that only returns an expression: no code is needed for it. Undefined for any other. */
export function valueWithoutCode(
  procedure: Procedure,
  thread: ThreadDraft,
  call: Call,
  frame: Frame,
): Typed | undefined {
  const [only] = procedure.body;
  if (procedure.body.length !== 1 || only.kind !== "return" || only.value === undefined) return undefined;
  if (procedureCalledBy(only, frame.symbols) !== undefined) return undefined;
  const inside = bindArguments(thread, procedure, call, frame);
  const value = elaborateExpression(only.value, registersView(inside));
  leaveBlock(thread, inside);
  return value;
}

/** The frame of the procedure's body: it sees its parameters and the declarations. */
function bindArguments(thread: ThreadDraft, procedure: Procedure, call: Call, frame: Frame): Frame {
  const { name, parameters, body } = procedure;
  const { args, position } = call;
  if (frame.within.some((use) => use.name === name)) {
    throw stepsError(frame, `${name} calls itself: procedures are written out, so there is no recursion`, position);
  }
  if (args.length !== parameters.length) {
    const wanted = `${name}(${parameters.join(", ")})`;
    throw stepsError(frame, `${wanted} has ${parameters.length} arguments, not ${args.length}`, position);
  }
  const within = [...frame.within, { name, position }];
  const inside: Frame = { ...innerFrame(frame), scope: innerScope(undefined), within, breakTo: undefined };
  for (const [number, arg] of args.entries()) {
    const value = elaborateExpression(arg, registersView(frame));
    const parameter = parameters[number];
    const isPlain = value.expression.kind === "constant" || value.expression.kind === "register";
    if (isPlain && !assignsTo(body, parameter)) bindValue(parameter, value, procedure.position, inside);
    else bindToRegister(thread, parameter, value, { arg, procedure, inside });
  }
  return inside;
}

function bindToRegister(
  thread: ThreadDraft,
  name: string,
  value: Typed,
  { arg, procedure, inside }: { readonly arg: Expression; readonly procedure: Procedure; readonly inside: Frame },
): void {
  const by = parameterKey(procedure, name);
  const { register } = declareRegister(thread, by, { name, position: procedure.position, sort: value.sort }, inside);
  write(thread, arg, { op: "set", register, value: value.expression });
}

const parameterKeys = new WeakMap<Procedure, Map<string, object>>();

/** One object for each parameter of a procedure, so that its register can be taken again at the next call. */
function parameterKey(procedure: Procedure, name: string): object {
  const keys = parameterKeys.get(procedure) ?? new Map<string, object>();
  parameterKeys.set(procedure, keys);
  const key = keys.get(name) ?? {};
  keys.set(name, key);
  return key;
}

/** `return`, with the value that the call may want. */
export function elaborateReturn(
  thread: ThreadDraft,
  statement: Extract<Statement, { kind: "return" }>,
  frame: Frame,
): void {
  const { value, position } = statement;
  const { returnTo } = frame;
  if (returnTo === undefined) throw stepsError(frame, "return stands in no procedure (stop ends a thread)", position);
  const { target, label } = returnTo;
  const procedure = procedureCalledBy(statement, frame.symbols);
  if (procedure !== undefined && value?.kind === "call") inlineProcedure(thread, procedure, value, target, frame);
  else if (value !== undefined) giveValue(thread, value, target, frame);
  else if (target !== undefined) {
    const called = frame.within.at(-1);
    throw stepsError(
      frame,
      `${called?.name ?? "the procedure"} is called for its value, and this return gives none`,
      position,
    );
  }
  leaveTo(thread, statement, { label, operation: returnTo.operation }, frame);
}

function giveValue(thread: ThreadDraft, value: Expression, target: Target | undefined, frame: Frame): void {
  const typed = elaborateExpression(value, registersView(frame));
  if (target === undefined) return;
  useTogether(target.sort, typed.sort, "a procedure returns an element and a number", value.position, frame.tell);
  write(thread, value, { op: "set", register: target.register, value: typed.expression });
}

/** Jumps to a place; an operation that is left on the way ends here. */
export function leaveTo(
  thread: ThreadDraft,
  statement: { readonly position: Position },
  to: { readonly label: number; readonly operation: number },
  frame: Frame,
): void {
  if (frame.operation !== to.operation) write(thread, statement, { op: "end", operation: frame.operation });
  write(thread, statement, { op: "jump", to: to.label });
}
