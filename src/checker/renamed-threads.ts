/**
 * Whether a thread, after a renaming, does what another thread does.
 *
 * Two threads are alike under a renaming if from each place of rest the one's renamed code and the other's do the same: the
 * same step on the renamed variable, the same local instructions with the same values, the same alternatives in any order
 * (`pick m in mm` lists the elements in theirs), and come to rest at the same places. Places of rest are compared by their
 * number, because a state that is renamed keeps its pcs; what lies between may lie elsewhere.
 */
import {
  keyOfExpression,
  keyOfPlace,
  kindOfPlace,
  expectKind,
  NotAlike,
  type KeyContext,
} from "./renamed-expressions.ts";
import { isRest, type Instruction, type MachineThread, type ValueKind } from "./step-machine.ts";

/** One side of the comparison. */
export interface ThreadSide {
  readonly thread: MachineThread;
  /** With the renaming for the thread before it, without for its counterpart. */
  readonly context: KeyContext;
}

const NUMBER: ValueKind = { kind: "number" };

/** Throws NotAlike, with the reason, unless the renamed thread `before` does what `after` does. */
export function expectAlike(before: ThreadSide, after: ThreadSide): void {
  expectSameRegisters(before, after);
  const comparison = new Comparison(before, after);
  comparison.expectSameCode(0, 0);
  for (const [at, instruction] of before.thread.instructions.entries()) {
    if (isRest(instruction)) comparison.expectSameCodeBehind(at, at);
  }
}

function expectSameRegisters({ thread: one, context }: ThreadSide, { thread: other }: ThreadSide): void {
  if (one.registers.length !== other.registers.length || one.instructions.length !== other.instructions.length) {
    throw new NotAlike(`${one.name} and ${other.name} have different code`);
  }
  for (const [index, register] of one.registers.entries()) {
    const twin = other.registers[index];
    expectKind(register.value, twin.value, context);
    // Among elements the range may differ (a thread bound to element 1 has a register that is always 1), but not in `none`.
    const isSame =
      register.value.kind === "element"
        ? register.min < 0 === twin.min < 0
        : register.min === twin.min && register.max === twin.max;
    if (!isSame) {
      throw new NotAlike(`${register.name} has other values in ${one.name} than in ${other.name}`);
    }
  }
}

class Comparison {
  private readonly before: ThreadSide;
  private readonly after: ThreadSide;
  private readonly keys: readonly [(string | undefined)[], (string | undefined)[]];

  constructor(before: ThreadSide, after: ThreadSide) {
    this.before = before;
    this.after = after;
    this.keys = [[], []];
  }

  /** Throws unless the code from `one` of the thread and from `other` of its counterpart is the same up to the next rests. */
  expectSameCode(one: number, other: number): void {
    const [from, to] = [this.behindJumps(this.before, one), this.behindJumps(this.after, other)];
    const isAtRest = isRest(this.before.thread.instructions[from]);
    if (isAtRest !== isRest(this.after.thread.instructions[to]) || (isAtRest && from !== to)) this.differ(from);
    if (isAtRest) return;
    this.expectSameCodeBehind(from, to);
  }

  /** The same for the instructions themselves and what is behind them. */
  expectSameCodeBehind(one: number, other: number): void {
    if (this.keyAt(0, one) !== this.keyAt(1, other)) this.differ(one);
    const instruction = this.before.thread.instructions[one];
    const twin = this.after.thread.instructions[other];
    if (instruction.op === "stop") return;
    if (instruction.op === "choose" && twin.op === "choose") this.expectSameAlternatives(instruction, twin, one);
    else if (instruction.op === "branch" && twin.op === "branch") {
      this.expectSameCode(instruction.then, twin.then);
      this.expectSameCode(instruction.otherwise, twin.otherwise);
    } else this.expectSameCode(one + 1, other + 1);
  }

  /** Each alternative has its counterpart. To be the same code is transitive, so the first one that fits will do. */
  private expectSameAlternatives(
    { targets }: Extract<Instruction, { op: "choose" }>,
    twin: Extract<Instruction, { op: "choose" }>,
    at: number,
  ): void {
    const left = [...twin.targets];
    for (const target of targets) {
      const fitting = left.findIndex((candidate) => this.isSameCode(target, candidate));
      if (fitting < 0) this.differ(at);
      left.splice(fitting, 1);
    }
    if (left.length > 0) this.differ(at);
  }

  private isSameCode(one: number, other: number): boolean {
    try {
      this.expectSameCode(one, other);
      return true;
    } catch (error) {
      if (error instanceof NotAlike) return false;
      throw error;
    }
  }

  private behindJumps({ thread }: ThreadSide, at: number): number {
    let next = at;
    for (let here = thread.instructions[next]; here.op === "jump"; here = thread.instructions[next]) next = here.to;
    return next;
  }

  private keyAt(side: 0 | 1, at: number): string {
    const { thread, context } = side === 0 ? this.before : this.after;
    return (this.keys[side][at] ??= keyOfInstruction(thread.instructions[at], context));
  }

  private differ(at: number): never {
    const { name, instructions } = this.before.thread;
    const { line, source } = instructions[at].origin;
    throw new NotAlike(`line ${line} of ${name} tells them apart: ${source}`);
  }
}

/** What an instruction does, without where it goes on. */
function keyOfInstruction(instruction: Instruction, context: KeyContext): string {
  const { op } = instruction;
  switch (op) {
    case "load":
      expectKind(context.registers[instruction.register].value, kindOfPlace(instruction.at, context), context);
      return `${op} r${instruction.register} ${keyOfPlace(instruction.at, context)}`;
    case "store":
    case "ghost":
      return `${op} ${keyOfAssigned(instruction.value, instruction.at, context)}`;
    case "add":
    case "swap": {
      const kind = kindOfPlace(instruction.at, context);
      if (op === "add") expectKind(kind, NUMBER, context);
      if (instruction.register >= 0) expectKind(context.registers[instruction.register].value, kind, context);
      return `${op} r${instruction.register} ${keyOfAssigned(instruction.value, instruction.at, context)}`;
    }
    case "cas": {
      const expected = keyOfAssigned(instruction.expected, instruction.at, context);
      return `${op} r${instruction.register} ${expected} ${keyOfAssigned(instruction.value, instruction.at, context)}`;
    }
    case "lock":
    case "unlock":
      return `${op} ${instruction.isShared} ${keyOfPlace(instruction.at, context)}`;
    case "trylock":
      return `${op} r${instruction.register} ${instruction.isShared} ${keyOfPlace(instruction.at, context)}`;
    case "set":
      return `${op} r${instruction.register} ${keyOfExpression(instruction.value, context.registers[instruction.register].value, context)}`;
    case "assert":
      return `${op} ${instruction.assertion} ${keyOfExpression(instruction.condition, NUMBER, context)}`;
    case "await":
    case "branch":
    case "require":
      return `${op} ${keyOfExpression(instruction.condition, NUMBER, context)}`;
    case "begin":
    case "end":
      return `${op} ${instruction.operation}`;
    case "fence":
    case "jump":
    case "choose":
    case "stop":
      return op;
  }
}

function keyOfAssigned(
  value: Extract<Instruction, { op: "store" }>["value"],
  at: Extract<Instruction, { op: "store" }>["at"],
  context: KeyContext,
): string {
  return `${keyOfPlace(at, context)} = ${keyOfExpression(value, kindOfPlace(at, context), context)}`;
}
