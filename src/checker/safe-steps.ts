/**
 * Partial-order reduction: steps that may be taken at once, because it makes no difference to anybody when they are taken.
 *
 * A safe step is one that no other thread can disturb or notice for as long as this one rests in front of it, whatever the
 * others do: it never waits, and every variable that its transition touches (the step, and the ghosts and assertions behind
 * it) is touched in conflict by no transition that another thread can make meanwhile. None of another thread ever does; or
 * each that does needs a lock that this thread holds (and not both of them shared). Two accesses conflict if one of them
 * writes; taking and releasing a lock conflicts with looking at it (an assertion, an `await`, a `trylock`), not with itself:
 * while it is held nobody takes it. So an `unlock` is safe, unless somebody looks.
 *
 * Explorers run on through safe steps without keeping the states between. Why nothing is lost: take any run of the full
 * system to a state x, and let every thread that rests in front of a safe step in x go on through safe steps until it rests
 * elsewhere, in x'. Safe steps are independent of all that others do between the thread's step before and them, so each can
 * be moved forward in the run until it follows that step: what results is a run that the reduced search makes, to x'. Hence
 *
 *     asserts, below-zero, unlock   fail in the same transitions: what these read is not changed by the moves
 *     deadlock     in a deadlock every thread waits or has ended; none rests in front of a safe step, so x' = x
 *     always, never, sometimes      safe steps write none of their variables (`observed`): x' looks like x
 *     quiet        in a quiet x no thread is inside an operation, so that only safe steps outside of operations were added;
 *                  those write nothing that a `quiet` property reads, and none enters an operation (`begin` is a rest). Inside
 *                  of operations safe steps may write what they like: a quiet state is never in the middle of them
 *
 * Nothing is put off for ever: where the thread could come back over safe steps alone, one of them is not safe, so every
 * chain ends, and the states that are kept are explored with all threads.
 *
 * Under TSO a store or unlock for whose entry there is certainly room touches only the thread's own buffer and is safe,
 * whoever else uses its variable; what a lock protects stays protected, as the unlock leaves the buffer after the stores. A
 * step that waits for an empty buffer is safe only where the buffer is certainly empty. Ghosts and assertions look at
 * memory, so that those behind a safe step read nothing that the thread's own buffer may hold.
 */
import type { MemoryOrder } from "./check.ts";
import { placesIn } from "./instruction-flow.ts";
import { walkThread, type Access, type AccessKind, type LocalNode, type LocksHeld } from "./local-walk.ts";
import { operationAt, OUTSIDE } from "./operation-at.ts";
import { isRest, isStep, type Instruction, type StepMachine } from "./step-machine.ts";

export interface SafeStepOptions {
  /** Default "sc". */
  readonly memory?: MemoryOrder;
  /** Default 2. */
  readonly bufferEntries?: number;
  /**
   * Whether the search ends where a word goes below its range (default). Such a step leads nowhere, and with it alone the
   * others would be lost: for a search that goes on, no step that might is safe.
   */
  readonly endsBelowZero?: boolean;
}

const DEFAULT_BUFFER_ENTRIES = 2;

/**
 * For each thread and instruction 1 if the step is safe: from a state in which the thread rests there, this thread alone
 * need be explored. Never a lock, an `await`, a choice, a beginning or an end.
 *
 * `observed`: variables of the `always`, `never` and `sometimes` properties to be checked (`observedVariables`); `quiet`
 * properties are seen to here, all of them. Throws StepsError for a text that leaves an operation past its end (operation-at.ts).
 */
export function safeSteps(
  machine: StepMachine,
  observed: ReadonlySet<number>,
  options: SafeStepOptions = {},
): readonly Uint8Array[] {
  const { memory = "sc", bufferEntries = DEFAULT_BUFFER_ENTRIES, endsBelowZero = true } = options;
  const entries = memory === "tso" ? bufferEntries : 0;
  const quiet = variablesOf(machine, (when) => when === "quiet");
  const walks = onceForTwins(machine, (thread) => walkThread(machine, machine.threads[thread], entries));
  const touched = onceForTwins(machine, (thread) => touchedIn(walks[thread]));
  return onceForTwins(machine, (thread) => {
    // A set: of twins, which touch the same, one stands for all.
    const others = new Set(touched.filter((_, other) => other !== thread));
    return safeStepsOf({ machine, thread, nodes: walks[thread], others, observed, quiet, entries, endsBelowZero });
  });
}

/** Threads of one declaration that are bound to nothing run the same code: what is true of one is true of its twins. */
function onceForTwins<T>(machine: StepMachine, make: (thread: number) => T): readonly T[] {
  const made: T[] = [];
  for (const [thread, { declaration, bound }] of machine.threads.entries()) {
    const twin = machine.threads.findIndex((other) => other.declaration === declaration);
    made.push(bound === undefined && twin < thread ? made[twin] : make(thread));
  }
  return made;
}

/** A thread and all that matters to its steps. */
interface Question {
  readonly machine: StepMachine;
  readonly thread: number;
  readonly nodes: readonly LocalNode[];
  /** What the other threads touch. */
  readonly others: ReadonlySet<Touched>;
  readonly observed: ReadonlySet<number>;
  /** The variables that `quiet` properties read. */
  readonly quiet: ReadonlySet<number>;
  readonly entries: number;
  readonly endsBelowZero: boolean;
}

function safeStepsOf(question: Question): Uint8Array {
  const { machine, thread, nodes, entries } = question;
  const { instructions } = machine.threads[thread];
  const operations = operationAt(machine.threads[thread]);
  const buffered = entries > 0 ? bufferedBy(nodes, instructions) : new Set<number>();
  const safe = new Uint8Array(instructions.length);
  for (const { instruction } of nodes) safe[instruction] = isStep(instructions[instruction]) ? 1 : 0;
  for (const node of nodes) {
    const at = node.instruction;
    if (safe[at] === 1 && !isSafeStep(question, node, operations[at] === OUTSIDE, buffered)) safe[at] = 0;
  }
  breakCircles(nodes, instructions, safe);
  return safe;
}

/** Whether it makes no difference when this step is taken. `buffered`: what the thread's own buffer may hold. */
function isSafeStep(question: Question, node: LocalNode, isOutside: boolean, buffered: ReadonlySet<number>): boolean {
  const { machine, thread, nodes, others, observed, quiet, entries, endsBelowZero } = question;
  const { instructions } = machine.threads[thread];
  const step = instructions[node.instruction];
  if (!waitsForNobody(node, step, entries) || (!endsBelowZero && !staysInRange(machine, step))) return false;
  const isUnnoticed = ({ variable, kind }: Access): boolean => {
    const isSeen = observed.has(variable) || (isOutside && quiet.has(variable));
    if (isSeen && kind !== "read") return false;
    for (const other of others) if (!isUndisturbed(variable, kind, node.held, other)) return false;
    return true;
  };
  const isStepUnnoticed = goesToBuffer(step, entries)
    ? // An entry in the buffer is nobody's business, but a quiet state has none.
      !isOutside || node.accesses.every(({ variable }) => !quiet.has(variable))
    : node.accesses.every((access) => isUnnoticed(access));
  return (
    isStepUnnoticed &&
    localsBehind(node, nodes, instructions).every(
      (access) => isUnnoticed(access) && (access.kind !== "read" || !buffered.has(access.variable)),
    )
  );
}

/** The variables that the `always`, `never` and `sometimes` properties read; only those named, if names are given. */
export function observedVariables(machine: StepMachine, names?: ReadonlySet<string>): ReadonlySet<number> {
  return variablesOf(machine, (when, name) => when !== "quiet" && (names === undefined || names.has(name)));
}

function variablesOf(machine: StepMachine, isMeant: (when: string, name: string) => boolean): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { when, name, condition } of machine.properties) {
    if (condition === undefined || !isMeant(when, name)) continue;
    for (const { base, count, index } of placesIn(condition)) {
      const end = index === undefined ? base + 1 : base + count;
      for (let variable = base; variable < end; variable++) found.add(variable);
    }
  }
  return found;
}

/** How one thread touches a variable, and under which locks. */
interface Touch {
  readonly kind: AccessKind;
  readonly protection: LocksHeld;
}

type Touched = ReadonlyMap<number, readonly Touch[]>;

/** All that a thread ever touches, each kind under each set of locks once. */
function touchedIn(nodes: readonly LocalNode[]): Touched {
  const found = new Map<number, Map<string, Touch>>();
  for (const { accesses, protection } of nodes) {
    if (accesses.length === 0) continue;
    const name = protection.join(",");
    for (const { variable, kind } of accesses) {
      let touches = found.get(variable);
      if (touches === undefined) found.set(variable, (touches = new Map<string, Touch>()));
      touches.set(`${kind} ${name}`, { kind, protection });
    }
  }
  return new Map([...found].map(([variable, touches]) => [variable, [...touches.values()]]));
}

/** Whether the other thread can do nothing in conflict with this access while this one holds the locks `held`. */
function isUndisturbed(variable: number, kind: AccessKind, held: LocksHeld, other: Touched): boolean {
  const touches = other.get(variable) ?? [];
  return touches.every((touch) => !conflict(kind, touch.kind) || excludes(held, touch.protection));
}

function conflict(one: AccessKind, other: AccessKind): boolean {
  return one !== other || one === "write";
}

/** Whether two threads cannot hold these locks at one time: one is in both, and not shared in both. */
function excludes(one: LocksHeld, other: LocksHeld): boolean {
  return one.some((lock) => other.includes(lock ^ 1) || ((lock & 1) === 0 && other.includes(lock)));
}

/** Whether the step can be taken as soon as the thread rests at it, wherever the others are. */
function waitsForNobody(node: LocalNode, step: Instruction, entries: number): boolean {
  switch (step.op) {
    case "load":
      return true;
    case "store":
      return entries === 0 || node.underway < entries;
    case "unlock": {
      // Not if the thread may not hold it, or it is not known which one it is.
      const lock = node.accesses.length === 1 ? node.accesses[0].variable * 2 + (step.isShared ? 1 : 0) : -1;
      if (!node.held.includes(lock)) return false;
      return entries === 0 || (step.isShared ? node.underway === 0 : node.underway < entries);
    }
    case "add":
    case "swap":
    case "cas":
    case "trylock":
    case "fence":
      return node.underway === 0;
    default:
      return false;
  }
}

function staysInRange(machine: StepMachine, step: Instruction): boolean {
  if (step.op !== "store" && step.op !== "add" && step.op !== "swap" && step.op !== "cas") return true;
  const { kind, min } = machine.variables[step.at.base];
  if (kind !== "word" || (min !== 0 && min !== -1)) return true;
  return step.value.kind === "constant" && (step.op === "add" ? step.value.value >= 0 : step.value.value >= min);
}

/** Whether the step only makes an entry in the thread's store buffer. */
function goesToBuffer(step: Instruction, entries: number): boolean {
  return entries > 0 && (step.op === "store" || (step.op === "unlock" && !step.isShared));
}

/** What is touched by the local statements behind a step, up to the next rests: they belong to its transition. */
function localsBehind(
  start: LocalNode,
  nodes: readonly LocalNode[],
  instructions: readonly Instruction[],
): readonly Access[] {
  const accesses: Access[] = [];
  forEachLocalBehind(start, nodes, instructions, (node) => {
    for (const access of node.accesses) accesses.push(access);
  });
  return accesses;
}

/** Calls `visit` for each local node of the transition from `start`; gives the nodes at which it may come to rest. */
function forEachLocalBehind(
  start: LocalNode,
  nodes: readonly LocalNode[],
  instructions: readonly Instruction[],
  visit: (node: LocalNode) => void,
): ReadonlySet<number> {
  const seen = new Set<number>();
  const rests = new Set<number>();
  const open = [...start.followers];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    const node = nodes[id];
    if (isRest(instructions[node.instruction])) {
      rests.add(id);
      continue;
    }
    visit(node);
    open.push(...node.followers);
  }
  return rests;
}

/** The variables that a thread stores to or unlocks: what its buffer may hold. */
function bufferedBy(nodes: readonly LocalNode[], instructions: readonly Instruction[]): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { instruction, accesses } of nodes) {
    const { op } = instructions[instruction];
    if (op !== "store" && op !== "unlock") continue;
    for (const { variable, kind } of accesses) if (kind !== "read") found.add(variable);
  }
  return found;
}

/** Makes one step of every circle of safe steps unsafe: every chain ends. Depth first; the way back shows the circle. */
function breakCircles(nodes: readonly LocalNode[], instructions: readonly Instruction[], safe: Uint8Array): void {
  const OPEN = 1;
  const DONE = 2;
  const state = new Uint8Array(nodes.length);
  const restsBehind = (id: number): number[] => [
    ...forEachLocalBehind(nodes[id], nodes, instructions, () => {
      // Only the rests are wanted.
    }),
  ];
  for (const start of nodes.keys()) {
    if (safe[nodes[start].instruction] === 0 || state[start] !== 0) continue;
    state[start] = OPEN;
    const path = [{ id: start, next: restsBehind(start) }];
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      const id = last.next.pop();
      if (id === undefined) {
        state[last.id] = DONE;
        path.pop();
      } else if (safe[nodes[id].instruction] === 1 && state[id] === OPEN) {
        safe[nodes[id].instruction] = 0;
      } else if (safe[nodes[id].instruction] === 1 && state[id] === 0) {
        state[id] = OPEN;
        path.push({ id, next: restsBehind(id) });
      }
    }
  }
}
