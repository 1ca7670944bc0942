/**
 * One step, or one local instruction, as JavaScript statements on the packed words of a state.
 *
 * What take-step.ts and interpret.ts do with plain objects, word for word, faults and failures included; how a thread gets
 * from one instruction to the next is compile-thread.ts. Besides the names of compile-expression.ts the text uses
 *
 *     q            what has failed on this way so far: null or { property, next }
 *     A(q, k)      property k failed too
 *     N(q, k, t)   property k failed, and this transition of thread t leads nowhere
 *     K            [threads that may be blocked, threads at their ends, transitions that led nowhere, their threads]
 */
import { type Code, type ExpressionCode, literal, numberIn, readField, writeField } from "./compile-expression.ts";
import type { StateLayout, ThreadLayout } from "./state-layout.ts";
import type { Instruction, StepMachine, VariablePlace, Variable } from "./step-machine.ts";
import type { Position } from "./syntax.ts";

/** Where control goes when an instruction is not simply followed by the next. */
export interface Exits {
  /** Ends this way without a transition. */
  readonly leave: Code;
  /** The thread must wait for another one (`leave` included). */
  readonly blocked: Code;
}

/** Numbers of the built-in properties that steps can break. */
export interface BuiltInNumbers {
  readonly belowZero: number;
  readonly unlock: number;
}

type Of<Op extends Instruction["op"]> = Extract<Instruction, { op: Op }>;

/** Writes the instructions of one thread. */
export class StepCode {
  private readonly machine: StepMachine;
  private readonly layout: StateLayout;
  private readonly own: ThreadLayout;
  private readonly thread: number;
  private readonly expressions: ExpressionCode;
  private readonly builtIn: BuiltInNumbers;

  constructor(
    machine: StepMachine,
    layout: StateLayout,
    thread: number,
    { expressions, builtIn }: { readonly expressions: ExpressionCode; readonly builtIn: BuiltInNumbers },
  ) {
    this.machine = machine;
    this.layout = layout;
    this.own = layout.threads[thread];
    this.thread = thread;
    this.expressions = expressions;
    this.builtIn = builtIn;
  }

  /** A `set`, `ghost` or `assert`; other local instructions are control (compile-thread.ts) or nothing (`end`). */
  local(instruction: Instruction): Code {
    const { origin } = instruction;
    switch (instruction.op) {
      case "set":
        return `r${instruction.register}=${this.expressions.value(instruction.value, origin)};\n`;
      case "ghost": {
        const { statement, index } = this.expressions.bindIndex(instruction.at, origin);
        const { set, name } = this.bindValue(this.expressions.value(instruction.value, origin));
        const checked = this.checkRange(instruction.at, index, name, origin, "");
        return statement + set + checked + this.expressions.writeBound(instruction.at, index, name);
      }
      case "assert":
        return `if(!${this.expressions.condition(instruction.condition, origin)})q=A(q,${instruction.assertion});\n`;
      default:
        return "";
    }
  }

  /** A step; control falls out of the end if it was taken. */
  step(instruction: Instruction, exits: Exits): Code {
    switch (instruction.op) {
      case "load": {
        const { statement, index } = this.expressions.bindIndex(instruction.at, instruction.origin);
        return `${statement}r${instruction.register}=${this.seen(instruction.at, index)};\n`;
      }
      case "store":
        return this.store(instruction, exits);
      case "unlock":
        return this.unlock(instruction, exits);
      case "add":
      case "swap":
      case "cas":
        return this.whenEmpty(exits) + this.atomic(instruction, exits);
      case "lock":
      case "trylock":
        return this.whenEmpty(exits) + this.lock(instruction, exits);
      case "fence":
        return this.whenEmpty(exits);
      case "await": {
        const condition = this.expressions.condition(instruction.condition, instruction.origin);
        return `${this.whenEmpty(exits)}if(!${condition}){${exits.blocked}}\n`;
      }
      default:
        throw new Error(`${instruction.op} is no step`);
    }
  }

  /** Waits for the thread's own stores to reach memory: no block, since they can. */
  private whenEmpty({ leave }: Exits): Code {
    return this.isBuffered ? `if(${readField(this.own.buffer.length)}!==0){${leave}}\n` : "";
  }

  private get isBuffered(): boolean {
    return this.own.buffer.entries.length > 0;
  }

  /** The value that the thread sees: its own newest store, else memory's. */
  private seen(at: VariablePlace, index: Code | undefined): Code {
    let value = this.expressions.readBound(at, index);
    if (!this.isBuffered) return value;
    const { variables, entries, length } = this.own.buffer;
    const isStored = variables.some((variable) => variable >= at.base && variable < at.base + at.count);
    if (!isStored) return value;
    // Oldest first here, so that the newest is asked first.
    for (const [number, entry] of entries.entries()) {
      const isIt = this.isPlace(readField(entry.variable), at, index);
      value = `(${readField(length)}>${number}&&${isIt}?${readField(entry.value)}:${value})`;
    }
    return value;
  }

  /** Whether buffered variable number `code` is the place. */
  private isPlace(code: Code, at: VariablePlace, index: Code | undefined): Code {
    const { variables } = this.own.buffer;
    if (index === undefined) return `${code}===${variables.indexOf(at.base)}`;
    const found = variables.flatMap((variable, number) => {
      const element = variable - at.base;
      return element >= 0 && element < at.count ? [`${code}===${number}&&${index}===${element}`] : [];
    });
    return `(${found.join("||")})`;
  }

  private store(instruction: Of<"store">, exits: Exits): Code {
    const { at, origin } = instruction;
    const { set, name } = this.bindValue(this.expressions.value(instruction.value, origin));
    const { statement, index } = this.expressions.bindIndex(at, origin);
    return set + statement + this.write(at, index, name, { position: origin, exits });
  }

  /** A name for a value that is used several times; a number is its own. */
  private bindValue(value: Code): { readonly set: Code; readonly name: Code } {
    if (numberIn(value) !== undefined) return { set: "", name: value };
    const name = this.expressions.temporary();
    return { set: `${name}=${value};\n`, name };
  }

  /** A plain store: into the buffer if there is one. */
  private write(
    at: VariablePlace,
    index: Code | undefined,
    value: Code,
    { position, exits }: { readonly position: Position; readonly exits: Exits },
  ): Code {
    if (!this.isBuffered) {
      return this.checkRange(at, index, value, position, exits.leave) + this.expressions.writeBound(at, index, value);
    }
    const { length, entries, variables } = this.own.buffer;
    const first = variables.indexOf(at.base);
    // Ascending and complete over an array that an index goes over: its elements' numbers follow each other.
    const code = index === undefined ? `${first}` : `(${first}+${index})`;
    const count = this.expressions.temporary();
    const cases = entries.map(
      (entry, number) =>
        `case ${number}:${writeField(entry.variable, code)}${writeField(entry.value, value)}${writeField(length, `${number + 1}`)}break;\n`,
    );
    return (
      `${count}=${readField(length)};if(${count}===${entries.length}){${exits.leave}}\n` +
      this.checkRange(at, index, value, position, exits.leave) +
      `switch(${count}){\n${cases.join("")}}\n`
    );
  }

  /** A word below its range fails and leads nowhere; every other value out of range is a fault. */
  private checkRange(at: VariablePlace, index: Code | undefined, value: Code, position: Position, leave: Code): Code {
    const variable = this.machine.variables[at.base];
    const { kind, min, max } = variable;
    const known = numberIn(value);
    if (known !== undefined && known >= min && known <= max) return "";
    const message = (name: string) => (wrong: number) =>
      `${name} would be ${wrong}, outside of its range ${min}..${max}`;
    const named = index === undefined ? variable.name : `an element of ${variable.array}`;
    const outside = this.expressions.fault({ position, message: message(named) }, value);
    const isCount = kind === "word" && (min === 0 || min === -1);
    const below = isCount ? `N(q,${this.builtIn.belowZero},${this.thread});${leave}` : `${outside};`;
    const above = `if(${value}>${literal(max)})${outside};\n`;
    return `if(${value}<${literal(min)}){${below}}\n${above}`;
  }

  private atomic(instruction: Of<"add" | "swap" | "cas">, exits: Exits): Code {
    const { at, origin, register, op } = instruction;
    const { statement, index } = this.expressions.bindIndex(at, origin);
    const before = this.expressions.temporary();
    const operand = this.expressions.value(instruction.value, origin);
    const begin = `${statement}${before}=${this.expressions.readBound(at, index)};\n`;
    const { set, name: after } = this.bindValue(op === "add" ? `${before}+${operand}|0` : operand);
    const write =
      this.checkRange(at, index, after, origin, exits.leave) + this.expressions.writeBound(at, index, after);
    const result = (value: Code): Code => (register < 0 ? "" : `r${register}=${value};\n`);
    if (op !== "cas") return begin + set + write + result(op === "add" ? after : before);
    // The operands first: the register may stand in them.
    const expected = `(${before}===${this.expressions.value(instruction.expected, origin)})`;
    return `${begin}${set}if(${expected}){${write}${result("1")}}else{${result("0")}}\n`;
  }

  private lock(instruction: Of<"lock" | "unlock"> | Of<"trylock">, { blocked }: Exits): Code {
    const { at, origin, isShared } = instruction;
    const { statement, index } = this.expressions.bindIndex(at, origin);
    const { readerBit, writerValue, firstWriter } = this.lockValues(this.machine.variables[at.base]);
    const before = this.expressions.temporary();
    const isFree = isShared ? `(${before}<${firstWriter}&&(${before}&${readerBit})===0)` : `${before}===0`;
    const take = this.expressions.writeBound(at, index, isShared ? `(${before}|${readerBit})` : `${writerValue}`);
    const begin = `${statement}${before}=${this.expressions.readBound(at, index)};\n`;
    if (instruction.op !== "trylock") return `${begin}if(!(${isFree})){${blocked}}\n${take}`;
    const { register } = instruction;
    const result = (value: Code): Code => (register < 0 ? "" : `r${register}=${value};\n`);
    return `${begin}if(${isFree}){${take}${result("1")}}else{${result("0")}}\n`;
  }

  private unlock(instruction: Of<"lock" | "unlock">, exits: Exits): Code {
    const { at, origin, isShared } = instruction;
    const wait = isShared ? this.whenEmpty(exits) : "";
    const { statement, index } = this.expressions.bindIndex(at, origin);
    const { readerBit, writerValue, firstWriter } = this.lockValues(this.machine.variables[at.base]);
    const before = this.expressions.temporary();
    const isHeld = isShared ? `${before}<${firstWriter}&&(${before}&${readerBit})!==0` : `${before}===${writerValue}`;
    const release = isShared
      ? this.expressions.writeBound(at, index, `(${before}&~${readerBit})`)
      : this.write(at, index, "0", { position: origin, exits });
    const begin = `${wait}${statement}${before}=${this.seen(at, index)};\n`;
    return `${begin}if(!(${isHeld})){q=A(q,${this.builtIn.unlock});}else{\n${release}}\n`;
  }

  /** As interpret's: free 0; a writer's value and, of a lock that is taken shared too, a bit for each reader below. */
  private lockValues({ hasReaders }: Variable): {
    readonly readerBit: number;
    readonly writerValue: number;
    readonly firstWriter: number;
  } {
    const shift = hasReaders ? this.layout.threads.length : 0;
    return {
      readerBit: hasReaders ? 1 << this.thread : 0,
      writerValue: (this.thread + 1) << shift,
      firstWriter: 1 << shift,
    };
  }

  /** The transition in which the oldest buffered store reaches memory; the words are changed in place. */
  drain(): Code {
    const { entries, length, variables } = this.own.buffer;
    const [code, value] = [this.expressions.temporary(), this.expressions.temporary()];
    const [oldest] = entries;
    const shifts = entries.map((entry, number) => {
      const next = entries[number + 1];
      const from = next ?? { variable: { ...entry.variable, bits: 0 }, value: { ...entry.value, bits: 0 } };
      return writeField(entry.variable, readField(from.variable)) + writeField(entry.value, readField(from.value));
    });
    const cases = variables.map(
      (variable, number) => `case ${number}:${this.expressions.writeVariable(variable, value)}break;\n`,
    );
    return (
      `${code}=${readField(oldest.variable)};${value}=${readField(oldest.value)};\n` +
      shifts.join("") +
      writeField(length, `(${readField(length)}-1)`) +
      `switch(${code}){\n${cases.join("")}}\n`
    );
  }
}
