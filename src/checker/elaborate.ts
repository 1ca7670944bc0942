/**
 * Step-language texts and a configuration to the system that is explored.
 *
 *     texts -> declarations -> names, sizes, places -> each thread's instructions -> registers' ranges -> StepMachine
 *
 * Everything that a configuration fixes is decided here, so that the explorers see numbers only: constants are folded,
 * procedures inlined, quantifiers and short loops written out, branches on constants gone. A text or a configuration that
 * cannot be run is refused with its place (StepsError). `MachineSet.orderedBy` is the one thing found on the way that the
 * reductions need: the first use that tells a set's elements apart.
 */
import { didYouMean } from "../scenario/index.ts";
import { withoutNeedlessTables } from "./array-places.ts";
import type { CheckConfiguration } from "./check.ts";
import {
  type ElaboratedDeclarations,
  elaborateDeclarations,
  elaborateVariables,
  tellNobody,
} from "./elaborate-declarations.ts";
import { elaborateCondition, elaborateConstant, typedConstant } from "./elaborate-expressions.ts";
import { elaborateBlock, refuseBuiltIn } from "./elaborate-statements.ts";
import { NUMBER, type Tell, knownSort } from "./element-sorts.ts";
import { rebuildExpression } from "./fold-expression.ts";
import { assembleInstructions, createInstructionList, createLabel, emit, placeLabel } from "./instruction-list.ts";
import { parseSteps } from "./parse-steps.ts";
import type {
  Instruction,
  MachineExpression,
  MachineProperty,
  MachineSet,
  MachineThread,
  Origin,
  Register,
  StepMachine,
  Variable,
} from "./step-machine.ts";
import { findRegisterRanges, rangeOfInterval } from "./register-ranges.ts";
import { numbersOfUsed, rewriteInstruction } from "./rewrite-instruction.ts";
import { type Scope, innerScope } from "./symbols.ts";
import { type Block, type Declaration, type Position, StepsError } from "./syntax.ts";
import type { SystemDraft, ThreadDraft } from "./thread-draft.ts";
import { EVERYTHING, type Interval, intervalOf } from "./value-intervals.ts";

/** Threads of a system. */
export const THREADS_MAX = 16;
/** Threads of a system in which a lock is taken shared: its value has a bit for each. */
export const THREADS_WITH_READERS_MAX = 8;

type ThreadDeclaration = Extract<Declaration, { kind: "thread" }>;

/** A thread before its instructions. */
interface ThreadPlan {
  readonly name: string;
  readonly declaration: number;
  readonly bound?: { readonly set: number; readonly element: number };
  readonly scope: Scope;
  readonly body: Block;
}

/** A thread with its instructions; assertions and operations are numbered as they were met. */
interface WrittenThread {
  readonly plan: ThreadPlan;
  readonly draft: ThreadDraft;
  readonly instructions: readonly Instruction[];
}

/**
 * Fits the texts of a configuration to its constants. Throws StepsError, with its place, for what cannot be run.
 * @example elaborate({ name: "two owners", texts: [{ name: "owners", text }], constants: { MMS: 2 } }).threads.length
 */
export function elaborate(configuration: CheckConfiguration): StepMachine {
  const declarations = parseTexts(configuration);
  const elaborated = elaborateDeclarations(declarations, configuration);
  const orderedBy = new Map<number, string>();
  const tell: Tell = (set, how, { text, line, column }) => {
    if (!orderedBy.has(set)) orderedBy.set(set, `${text}:${line}:${column}: ${how}`);
  };
  const names = createSystemNames();
  const system: SystemDraft = {
    originOf: createOrigins(configuration),
    assertion: names.assertion,
    operation: names.operation,
    withoutLocks: checkLockNames(configuration, declarations),
  };
  const threads = planThreads(declarations, elaborated).map((plan) => writeThread(plan, system, elaborated, tell));
  const initially = writeInitially(declarations, system, elaborated);
  const written = initially === undefined ? threads : [...threads, initially];
  const declared = elaborateProperties(declarations, elaborated, system, tell);
  refuseNameTwice([...names.assertions, ...declared]);
  const asserted = names.assertions.filter((_, number) => isMet(written, "assertion", number));
  const operations = names.operations.filter((_, number) => isMet(written, "operation", number));
  const variables = withLockRanges(
    elaborateVariables(elaborated),
    written.flatMap(({ instructions }) => instructions),
    threads.length,
  );
  const renumber = (instruction: Instruction): Instruction => {
    if (instruction.op === "assert") {
      const assertion = declared.length + asserted.indexOf(names.assertions[instruction.assertion]);
      return { ...instruction, assertion };
    }
    if (instruction.op !== "begin" && instruction.op !== "end") return instruction;
    return { ...instruction, operation: operations.indexOf(names.operations[instruction.operation]) };
  };
  const finish = (thread: WrittenThread): MachineThread => finishThread(thread, variables, elaborated.sets, renumber);
  return {
    name: configuration.name,
    sets: elaborated.sets.map((set, number) => {
      const reason = orderedBy.get(number);
      return reason === undefined ? set : { ...set, orderedBy: reason };
    }),
    variables,
    threads: threads.map(finish),
    ...(initially === undefined ? {} : { initially: finish(initially) }),
    operations,
    properties: [...finishProperties(declared, variables), ...asserted],
    constants: elaborated.constants,
  };
}

function parseTexts({ texts }: CheckConfiguration): readonly Declaration[] {
  const names = texts.map(({ name }) => name);
  const twice = names.find((name, number) => names.indexOf(name) !== number);
  if (twice !== undefined) throw new StepsError(`two texts are named ${twice}: places in them could not be told apart`);
  return texts.flatMap((text) => parseSteps(text));
}

/** The line at a position, without the space around it. */
function createOrigins({ texts }: CheckConfiguration): (position: Position) => Origin {
  const lines = new Map(texts.map(({ name, text }) => [name, text.split("\n")]));
  return (position) => ({ ...position, source: lines.get(position.text)?.[position.line - 1]?.trim() ?? "" });
}

function checkLockNames({ withoutLocks = [] }: CheckConfiguration, declarations: readonly Declaration[]): Set<string> {
  const known = declarations.filter(({ kind }) => kind === "lock").map(({ name }) => name);
  const unknown = withoutLocks.find((name) => !known.includes(name));
  if (unknown === undefined) return new Set(withoutLocks);
  const locks = known.length === 0 ? "there is none" : known.join(", ");
  throw new StepsError(`no lock is named ${unknown}, to be left out: ${didYouMean(unknown, known)} (locks: ${locks})`);
}

/** Assertions and operations by the order in which they are met. */
function createSystemNames(): Pick<SystemDraft, "assertion" | "operation"> & {
  readonly assertions: readonly MachineProperty[];
  readonly operations: readonly string[];
} {
  const assertions: MachineProperty[] = [];
  const operations: string[] = [];
  return {
    assertions,
    operations,
    assertion: (name, origin) => {
      const known = assertions.findIndex((each) => each.name === name);
      return known >= 0 ? known : assertions.push({ name, when: "assert", origin }) - 1;
    },
    operation: (name) => {
      const known = operations.indexOf(name);
      return known >= 0 ? known : operations.push(name) - 1;
    },
  };
}

/** Whether an assertion or operation is still in some thread after everything that cannot be reached is gone. */
function isMet(threads: readonly WrittenThread[], what: "assertion" | "operation", number: number): boolean {
  return threads.some(({ instructions }) =>
    instructions.some((instruction) =>
      what === "assertion"
        ? instruction.op === "assert" && instruction.assertion === number
        : instruction.op === "begin" && instruction.operation === number,
    ),
  );
}

function planThreads(declarations: readonly Declaration[], { symbols }: ElaboratedDeclarations): readonly ThreadPlan[] {
  const plans: ThreadPlan[] = [];
  let declaration = 0;
  for (const thread of declarations) {
    if (thread.kind !== "thread") continue;
    const planned = plansOf(thread, symbols, declaration);
    plans.push(...planned);
    declaration = Math.max(declaration, ...planned.map((plan) => plan.declaration + 1));
  }
  if (plans.length > THREADS_MAX)
    throw new StepsError(`there are ${plans.length} threads, and ${THREADS_MAX} are the most`);
  if (plans.length === 0) throw new StepsError("there is no thread: nothing would happen (thread NAME { ... })");
  return plans;
}

/** The threads of one declaration. Those bound to an index differ for good, so each counts as a declaration of its own. */
function plansOf(
  thread: ThreadDeclaration,
  symbols: ElaboratedDeclarations["symbols"],
  declaration: number,
): ThreadPlan[] {
  const { name, body, times, domain, variable, position } = thread;
  if (domain !== undefined && variable !== undefined) {
    const { elements, set } = symbols.axis(domain, position);
    return Array.from({ length: elements }, (_, element): ThreadPlan => {
      const scope = innerScope(undefined);
      scope.locals.set(variable, { value: typedConstant(element, set), register: undefined });
      const plan = { name: elements === 1 ? name : `${name}[${element}]`, scope, body };
      return set === NUMBER
        ? { ...plan, declaration: declaration + element }
        : { ...plan, declaration, bound: { set, element } };
    });
  }
  const view = { symbols, scope: undefined, tell: tellNobody, within: [] };
  const count = times === undefined ? 1 : elaborateConstant(times, `how many threads ${name} is`, view);
  if (count < 0 || count > THREADS_MAX) {
    throw new StepsError(`${name} is 0 to ${THREADS_MAX} threads, not ${count}`, position);
  }
  return Array.from({ length: count }, (_, number) => ({
    name: count === 1 ? name : `${name}[${number}]`,
    declaration,
    scope: innerScope(undefined),
    body,
  }));
}

function writeThread(
  plan: ThreadPlan,
  system: SystemDraft,
  { symbols }: ElaboratedDeclarations,
  tell: Tell,
  isInitial = false,
): WrittenThread {
  const list = createInstructionList();
  const end = createLabel(list);
  const draft: ThreadDraft = { system, list, registers: [], free: new Map(), end, isInitial, block: elaborateBlock };
  elaborateBlock(draft, plan.body, {
    symbols,
    tell,
    within: [],
    scope: plan.scope,
    taken: [],
    operation: -1,
    breakTo: undefined,
    returnTo: undefined,
  });
  placeLabel(list, end);
  emit(list, endOrigin(plan, list.drafts.at(-1)?.origin), { op: "stop" });
  return { plan, draft, instructions: assembleInstructions(list) };
}

/** A thread's end is where its last line is. */
function endOrigin({ name }: ThreadPlan, last: Origin | undefined): Origin {
  return last ?? { text: name, line: 1, column: 1, source: "" };
}

/** All `initially` blocks, one behind the other. Nothing in them tells elements apart: they make the first state only. */
function writeInitially(
  declarations: readonly Declaration[],
  system: SystemDraft,
  elaborated: ElaboratedDeclarations,
): WrittenThread | undefined {
  const blocks = declarations.filter((each) => each.kind === "initially").map(({ body }) => body);
  if (blocks.length === 0) return undefined;
  const plan: ThreadPlan = { name: "initially", declaration: -1, scope: innerScope(undefined), body: blocks.flat() };
  return writeThread(plan, system, elaborated, tellNobody, true);
}

type StateProperty = MachineProperty & { readonly condition: MachineExpression };

function elaborateProperties(
  declarations: readonly Declaration[],
  { symbols }: ElaboratedDeclarations,
  system: SystemDraft,
  tell: Tell,
): StateProperty[] {
  return declarations.flatMap((declaration) => {
    if (declaration.kind !== "property") return [];
    const { name, when, position } = declaration;
    refuseBuiltIn(name, position);
    const view = { symbols, tell, within: [], scope: undefined, sees: "everything" } as const;
    return [
      { name, when, condition: elaborateCondition(declaration.condition, view), origin: system.originOf(position) },
    ];
  });
}

/** A verdict is found by its property's name. (An assertion may stand in several places: it is one property.) */
function refuseNameTwice(properties: readonly MachineProperty[]): void {
  const first = new Map<string, Origin>();
  for (const { name, origin } of properties) {
    const earlier = first.get(name);
    if (earlier !== undefined) {
      const { text, line, column } = earlier;
      throw new StepsError(`there is a property ${name} already, at ${text}:${line}:${column}`, origin);
    }
    first.set(name, origin);
  }
}

function finishProperties(properties: readonly StateProperty[], variables: readonly Variable[]): StateProperty[] {
  return properties.map((property) => ({
    ...property,
    condition: withoutNeedlessTables(property.condition, (part) => intervalOf(part, () => EVERYTHING, variables)),
  }));
}

/** Locks can have the values that so many threads can give them. Throws StepsError for readers among too many threads. */
function withLockRanges(
  variables: readonly Variable[],
  instructions: readonly Instruction[],
  threads: number,
): readonly Variable[] {
  const shared = new Map<string, Origin>();
  for (const instruction of instructions) {
    if ("isShared" in instruction && instruction.isShared) {
      shared.set(variables[instruction.at.base].array, instruction.origin);
    }
  }
  return variables.map((variable) => {
    if (variable.kind !== "lock") return variable;
    const reader = shared.get(variable.array);
    if (reader === undefined) return { ...variable, max: threads };
    if (threads > THREADS_WITH_READERS_MAX) {
      const message = `${variable.array} is taken shared, which goes with at most ${THREADS_WITH_READERS_MAX} threads, not ${threads}`;
      throw new StepsError(message, reader);
    }
    return { ...variable, hasReaders: true, max: threads << threads };
  });
}

/** Gives registers their ranges, drops those that nobody uses, and simplifies places by what is then known. */
function finishThread(
  { plan, draft, instructions }: WrittenThread,
  variables: readonly Variable[],
  sets: readonly MachineSet[],
  renumber: (instruction: Instruction) => Instruction,
): MachineThread {
  const { registers } = draft;
  const given = registers.map((register) => register.given);
  const ranges = findRegisterRanges(instructions, given, variables, "stays").assigned;
  const trusted = registers.map((register) => (register.isTrusted ? register.given : undefined));
  const proven = findRegisterRanges(instructions, trusted, variables, "wraps");
  const numbers = numbersOfUsed(instructions, registers.length);
  const rewriteAt =
    (at: number) =>
    (expression: MachineExpression): MachineExpression => {
      const intervalHere = (part: MachineExpression): Interval =>
        intervalOf(part, (register) => proven.before(at, register), variables);
      return rebuildExpression(withoutNeedlessTables(expression, intervalHere), (part) =>
        part.kind === "register" ? { kind: "register", register: numbers[part.register] } : part,
      );
    };
  return {
    name: plan.name,
    declaration: plan.declaration,
    ...(plan.bound === undefined ? {} : { bound: plan.bound }),
    registers: registers.flatMap((register, number): Register[] => {
      if (numbers[number] < 0) return [];
      const set = knownSort(register.sort) ?? NUMBER;
      const range = rangeOfInterval(ranges[number]);
      if (set === NUMBER) return [{ name: register.name, ...range, value: { kind: "number" } }];
      // Threads that are exchanged exchange what their registers hold: those have one range, of all elements.
      const bounds = { min: Math.min(range.min, 0), max: Math.max(range.max, sets[set].elements - 1) };
      return [{ name: register.name, ...bounds, value: { kind: "element", set } }];
    }),
    instructions: instructions.map((instruction, at) =>
      renumber(rewriteInstruction(instruction, rewriteAt(at), numbers)),
    ),
  };
}
