/**
 * Expressions and variables as JavaScript text over the packed words of a state.
 *
 * Why text: an explorer asks the same small questions of millions of states. Walking a tree for each costs a microsecond; a
 * generated function over shifts and masks costs nanoseconds, and the engine compiles it like any other. evaluate.ts is what
 * it must equal, test by test, faults included. Nothing that a user wrote gets into the text: names below are made here, and
 * all that comes from the machine are numbers.
 *
 *     w0, w1, ...   the words of the state that is being made (or looked at)
 *     r0, r1, ...   registers of the thread under way
 *     x0, x1, ...   an index while it is compared with its bounds
 *     X(k, value)   throws fault number k (compile-machine.ts)
 */
import { type Field, type StateLayout, maskOf } from "./state-layout.ts";
import type { MachineExpression, StepMachine, VariablePlace } from "./step-machine.ts";
import type { Position } from "./syntax.ts";

/** What has no value, to be thrown when it happens; `value` is the offending one. */
export interface Fault {
  readonly position: Position | undefined;
  readonly message: (value: number) => string;
}

/** JavaScript text. */
export type Code = string;

/** Writes expressions of one machine; collects the temporaries, tables and faults that they need. */
export class ExpressionCode {
  readonly faults: Fault[] = [];
  readonly tables: Int32Array[] = [];
  private readonly machine: StepMachine;
  private readonly layout: StateLayout;
  private temporaries = 0;

  constructor(machine: StepMachine, layout: StateLayout) {
    this.machine = machine;
    this.layout = layout;
  }

  /** Call at the beginning of a function; `declareTemporaries` then gives what its text needs in front. */
  startFunction(): void {
    this.temporaries = 0;
  }

  declareTemporaries(): Code {
    if (this.temporaries === 0) return "";
    return `let ${Array.from({ length: this.temporaries }, (_, temporary) => `x${temporary}=0`).join()};\n`;
  }

  temporary(): Code {
    return `x${this.temporaries++}`;
  }

  /** The call that throws `fault`; its type is a number's, so that it may stand in an expression. */
  fault(fault: Fault, value: Code): Code {
    return `X(${this.faults.push(fault) - 1},${value})`;
  }

  /** An int32. */
  value(expression: MachineExpression, position: Position | undefined): Code {
    switch (expression.kind) {
      case "constant":
        return literal(expression.value);
      case "register":
        return `r${expression.register}`;
      case "variable":
        return this.readPlace(expression.at, position);
      case "table":
        return this.tableEntry(expression.values, this.value(expression.index, position), position);
      case "binary":
        return this.binary(expression, position);
      case "not":
        return `(${this.condition(expression.operand, position)}?0:1)`;
      case "negate":
        return `(-${this.value(expression.operand, position)}|0)`;
      case "conditional":
        return `(${this.condition(expression.condition, position)}?${this.value(expression.then, position)}:${this.value(expression.otherwise, position)})`;
    }
  }

  /** A JavaScript boolean: the expression is not 0. */
  condition(expression: MachineExpression, position: Position | undefined): Code {
    if (expression.kind === "not") return `!${this.condition(expression.operand, position)}`;
    if (expression.kind === "constant") return expression.value === 0 ? "false" : "true";
    if (expression.kind === "binary") {
      const comparison = COMPARISONS[expression.operator];
      if (comparison !== undefined) {
        return `(${this.value(expression.left, position)}${comparison}${this.value(expression.right, position)})`;
      }
      if (expression.operator === "&&" || expression.operator === "||") {
        const left = this.condition(expression.left, position);
        return `(${left}${expression.operator}${this.condition(expression.right, position)})`;
      }
    }
    return `(${this.value(expression, position)}!==0)`;
  }

  private binary(expression: Extract<MachineExpression, { kind: "binary" }>, position: Position | undefined): Code {
    const { operator } = expression;
    if (COMPARISONS[operator] !== undefined || operator === "&&" || operator === "||") {
      return `(${this.condition(expression, position)}?1:0)`;
    }
    const left = this.value(expression.left, position);
    const right = this.value(expression.right, position);
    switch (operator) {
      case "+":
      case "-":
        return `(${left}${operator}${right}|0)`;
      case "*":
        return `Math.imul(${left},${right})`;
      case "min":
      case "max":
        return `Math.${operator}(${left},${right})`;
      default: {
        const [dividend, divisor] = [this.temporary(), this.temporary()];
        const message = (value: number): string => `${value} ${operator} 0 has no value`;
        const none = this.fault({ position, message }, dividend);
        return `(${dividend}=${left},${divisor}=${right},${divisor}===0?${none}:(${dividend}${operator}${divisor})|0)`;
      }
    }
  }

  private tableEntry(values: readonly number[], index: Code, position: Position | undefined): Code {
    const table = this.tables.push(Int32Array.from(values)) - 1;
    const at = this.temporary();
    const message = (value: number): string => `index ${value} is outside of a table of ${values.length}`;
    return `(${at}=${index},${at}>=0&&${at}<${values.length}?T${table}[${at}]:${this.fault({ position, message }, at)})`;
  }

  /** The value of the variable at a place. */
  readPlace(at: VariablePlace, position: Position | undefined): Code {
    const { index } = at;
    if (index === undefined) return this.readVariable(at.base);
    const temporary = this.temporary();
    const bounds = this.isOutside(at, temporary);
    const regular = this.regularArray(at);
    const read =
      regular === undefined
        ? this.selectVariable(at, temporary)
        : readBits(regular.first, `${regular.first.shift}+${temporary}*${regular.stride}`);
    const outside = this.fault(this.outsideFault(at, position), temporary);
    return `(${temporary}=${this.value(index, position)},${bounds}?${outside}:${read})`;
  }

  /** Binds the index of a place to a new temporary, with a fault if it is outside; "" and no name without an index. */
  bindIndex(at: VariablePlace, position: Position | undefined): { readonly statement: Code; readonly index?: Code } {
    if (at.index === undefined) return { statement: "" };
    const index = this.temporary();
    const outside = this.fault(this.outsideFault(at, position), index);
    return {
      statement: `${index}=${this.value(at.index, position)};if(${this.isOutside(at, index)})${outside};\n`,
      index,
    };
  }

  /** The value at a place whose index stands in `index` and is inside. */
  readBound(at: VariablePlace, index: Code | undefined): Code {
    if (index === undefined) return this.readVariable(at.base);
    const regular = this.regularArray(at);
    if (regular === undefined) return this.selectVariable(at, index);
    return readBits(regular.first, `${regular.first.shift}+${index}*${regular.stride}`);
  }

  /** Stores `value`, which is in the variable's range, at such a place. */
  writeBound(at: VariablePlace, index: Code | undefined, value: Code): Code {
    if (index === undefined) return this.writeVariable(at.base, value);
    const regular = this.regularArray(at);
    if (regular !== undefined) {
      return writeBits(regular.first, `(${regular.first.shift}+${index}*${regular.stride})`, value);
    }
    const cases = Array.from(
      { length: at.count },
      (_, element) => `case ${element}:${this.writeVariable(at.base + element, value)}break;\n`,
    );
    return `switch(${index}){\n${cases.join("")}}\n`;
  }

  readVariable(variable: number): Code {
    return readField(this.layout.variables[variable]);
  }

  writeVariable(variable: number, value: Code): Code {
    return writeField(this.layout.variables[variable], value);
  }

  private isOutside(at: VariablePlace, index: Code): Code {
    return `(${index}<0||${index}>=${at.count})`;
  }

  private outsideFault(at: VariablePlace, position: Position | undefined): Fault {
    const { array } = this.machine.variables[at.base];
    return {
      position,
      message: (value) => `index ${value} is outside of ${array}, which has ${at.count} elements`,
    };
  }

  private selectVariable(at: VariablePlace, index: Code): Code {
    let selection: Code = this.readVariable(at.base + at.count - 1);
    for (let element = at.count - 2; element >= 0; element--) {
      selection = `${index}===${element}?${this.readVariable(at.base + element)}:${selection}`;
    }
    return `(${selection})`;
  }

  /** The first field and the bits between two, if all elements stand in one word at equal distances. */
  private regularArray({ base, count }: VariablePlace): { readonly first: Field; readonly stride: number } | undefined {
    const first = this.layout.variables[base];
    const stride = count > 1 ? this.layout.variables[base + 1].shift - first.shift : 0;
    for (let element = 0; element < count; element++) {
      const { word, shift, bits, min } = this.layout.variables[base + element];
      const isRegular =
        word === first.word && shift === first.shift + element * stride && bits === first.bits && min === first.min;
      if (!isRegular) return undefined;
    }
    return { first, stride };
  }
}

type Operator = Extract<MachineExpression, { kind: "binary" }>["operator"];
const COMPARISONS: Readonly<Partial<Record<Operator, Code>>> = {
  "==": "===",
  "!=": "!==",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

/** The number that a text is, if it is one. */
export function numberIn(code: Code): number | undefined {
  return /^(\d+|\(-\d+\))$/.test(code) ? Number(code.replaceAll(/[()]/g, "")) : undefined;
}

/** A number as JavaScript text that may stand behind any operator. */
export function literal(value: number): Code {
  return value < 0 ? `(${value | 0})` : `${value | 0}`;
}

export function readField(field: Field): Code {
  return readBits(field, `${field.shift}`);
}

export function writeField(field: Field, value: Code): Code {
  return writeBits(field, `${field.shift}`, value);
}

function readBits({ word, bits, min }: Field, shift: Code): Code {
  if (bits === 0) return literal(min);
  const moved = shift === "0" ? `w${word}` : `w${word}>>>(${shift})`;
  const raw = bits === 32 ? `w${word}` : `(${moved}&${maskOf(bits)})`;
  return min === 0 ? raw : `(${raw}+${literal(min)}|0)`;
}

function writeBits({ word, bits, min }: Field, shift: Code, value: Code): Code {
  if (bits === 0) return "";
  const known = numberIn(value);
  const distance = known !== undefined ? literal(known - min) : min === 0 ? value : `(${value}-${literal(min)})`;
  if (bits === 32) return `w${word}=${distance}|0;\n`;
  const place = numberIn(shift);
  if (place === undefined) {
    return `w${word}=w${word}&~(${maskOf(bits)}<<${shift})|${distance}<<${shift};\n`;
  }
  const cleared = `w${word}&${literal(~(maskOf(bits) << place))}`;
  if (known === undefined) return `w${word}=${cleared}|${distance}<<${place};\n`;
  return known === min ? `w${word}=${cleared};\n` : `w${word}=${cleared}|${literal((known - min) << place)};\n`;
}
