/**
 * One state for all that are alike: the least in the order of its packed words, over the machine's symmetries.
 *
 * symmetries.ts says which renamings leave a machine itself; a state is renamed by moving each variable's field to where the
 * variable goes, each thread's to its twin, and by renaming values that are elements of a set or say who holds a lock. That is
 * a fixed list of moves of bits for each renaming, so it is generated like the rest (compile-expression.ts): whole masks where
 * only the place changes, a small table where the value does. Renamings are compared word by word and given up at the first
 * word that is greater.
 *
 * Which renamings need to be tried follows from the state (canonical-order.ts).
 *
 *     O[j]        word j of the state as it came        w0, w1, ...
 *     out[i+j]    word j of the least so far            b0, b1, ...
 */
import { createOrder } from "./canonical-order.ts";
import type { Code } from "./compile-expression.ts";
import { type BufferLayout, type Field, maskOf, type StateLayout, type ThreadLayout } from "./state-layout.ts";
import type { StepMachine, ValueKind, Variable } from "./step-machine.ts";
import type { Symmetry } from "./symmetries.ts";

/** Replaces each state in `states[from]` to below `states[to]` by the least that is like it. */
export type Canonicaliser = (states: Int32Array, from: number, to: number) => void;

/** Bits of a value that is renamed through a table. */
const MAX_TABLE_BITS = 20;

/** For the renamings (the identity first) of a machine; undefined if there is none but the identity. */
export function createCanonicaliser(
  machine: StepMachine,
  layout: StateLayout,
  permutations: readonly Symmetry[],
): Canonicaliser | undefined {
  if (permutations.length < 2) return undefined;
  const code = new RenamingCode(machine, layout);
  const { words } = layout;
  const order = createOrder(machine, layout, permutations);
  const renamings = permutations.map((permutation, number) => code.functionOf(number, permutation));
  const copies = Array.from({ length: words }, (_, word) => `O[${word}]=w${word};`).join("");
  const sources = Array.from({ length: words }, (_, word) => `w${word}=out[i+${word}]`).join();
  const tables = code.tables.map((_, table) => `const T${table}=T[${table}];\n`).join("");
  const names = `const R=[${permutations.map((_, number) => `c${number}`).join()}];\n`;
  const loop = `return function(out,from,to){for(let i=from;i<to;i+=${words}){
const ${sources};
${order.code}let l=L.get(key);
if(l===undefined){l=F(key);L.set(key,l);}
if(l.length===1&&l[0]===0)continue;
${copies}
R[l[0]](out,i,-1);
for(let k=1;k<l.length;k++)R[l[k]](out,i,0);
}};
`;
  // The text is made of numbers and of names made here (compile-machine.ts).
  // eslint-disable-next-line typescript/no-implied-eval
  const make = new Function("T", "O", "L", "F", `"use strict";\n${tables}${renamings.join("")}${names}${loop}`) as (
    ...values: unknown[]
  ) => Canonicaliser;
  return make(code.tables, new Int32Array(words), new Map<number, Int32Array>(), (key: number) =>
    Int32Array.from(order.renamingsFor(key)),
  );
}

/** Bits that keep their value and go to another place. */
interface Move {
  readonly from: number;
  readonly to: number;
  /** Places to the left, or to the right if negative. */
  readonly left: number;
  mask: number;
}

class RenamingCode {
  readonly tables: Int32Array[] = [];
  private readonly tableNumbers = new Map<string, number>();
  private readonly machine: StepMachine;
  private readonly layout: StateLayout;

  constructor(machine: StepMachine, layout: StateLayout) {
    this.machine = machine;
    this.layout = layout;
  }

  /** Renames O into `out` if that is less than what stands there, or (k -1) whatever stands there. */
  functionOf(number: number, permutation: Symmetry): Code {
    const words = [...Array(this.layout.words).keys()];
    const sources = `const ${words.map((word) => `w${word}=O[${word}]`).join()};\n`;
    // Each word in turn: greater ends it, less decides it.
    const steps = this.renamedWords(permutation).map(
      (code, word) =>
        `const v${word}=${code};if(k===0){const b=out[i+${word}];if(v${word}>b)return;if(v${word}<b)k=-1;}\n`,
    );
    const take = words.map((word) => `out[i+${word}]=v${word};`).join("");
    return `function c${number}(out,i,k){\n${sources}${steps.join("")}${take}\n}\n`;
  }

  /** The words of the state that a renaming makes of w0, w1, ... */
  private renamedWords(permutation: Symmetry): Code[] {
    const moves = new Map<string, Move>();
    const parts: Code[][] = Array.from({ length: this.layout.words }, () => []);
    const place = ({ word, shift }: Field, value: Code): void => {
      parts[word].push(shift === 0 ? value : `${value}<<${shift}`);
    };
    const move = (from: Field, to: Field): void => {
      if (from.bits !== to.bits || from.min !== to.min) throw new Error("twins have different fields");
      if (from.bits === 0) return;
      const left = to.shift - from.shift;
      const key = `${from.word} ${to.word} ${left}`;
      const known = moves.get(key) ?? { from: from.word, to: to.word, left, mask: 0 };
      moves.set(key, known);
      known.mask |= maskOf(from.bits) << from.shift;
    };
    const rename = (from: Field, to: Field, table: Int32Array | undefined): void => {
      if (table === undefined) move(from, to);
      else place(to, `${this.tableNamed(table)}[${raw(from)}]`);
    };
    for (const [variable, { value }] of this.machine.variables.entries()) {
      const from = this.layout.variables[variable];
      const to = this.layout.variables[permutation.variables[variable]];
      rename(from, to, this.tableOf(value, from, this.machine.variables[variable], permutation));
    }
    for (const [thread, from] of this.layout.threads.entries()) {
      const to = this.layout.threads[permutation.threads[thread]];
      expectTwins(from, to);
      move(from.pc, to.pc);
      for (const [slot, field] of from.slots.entries()) {
        rename(field, to.slots[slot], this.tableOf(from.slotKinds[slot], field, undefined, permutation));
      }
      this.renameBuffer(from.buffer, to.buffer, permutation, { move, place });
    }
    for (const { from, to, left, mask } of moves.values()) {
      const bits = `(w${from}&${mask})`;
      parts[to].push(left === 0 ? bits : left > 0 ? `${bits}<<${left}` : `${bits}>>>${-left}`);
    }
    return parts.map((words) => (words.length === 0 ? "0" : words.join("|")));
  }

  /** Entries that are in use name other variables, and their values are those variables'. */
  private renameBuffer(
    from: BufferLayout,
    to: BufferLayout,
    permutation: Symmetry,
    { move, place }: { move: (from: Field, to: Field) => void; place: (to: Field, value: Code) => void },
  ): void {
    move(from.length, to.length);
    for (const [number, entry] of from.entries.entries()) {
      const isUsed = `${raw(from.length)}>${number}`;
      const codes = Int32Array.from({ length: 2 ** entry.variable.bits }, (_, code) => {
        const variable = from.variables[code];
        return variable === undefined ? 0 : to.variables.indexOf(permutation.variables[variable]);
      });
      const code = raw(entry.variable);
      place(to.entries[number].variable, `(${isUsed}?${this.tableNamed(codes)}[${code}]:0)`);
      const values = this.bufferValues(from, entry, permutation);
      const value = `${code}<<${entry.value.bits}|${raw(entry.value)}`;
      place(to.entries[number].value, `(${isUsed}?${this.tableNamed(values)}[${value}]:0)`);
    }
  }

  /** By buffered variable and packed value. */
  private bufferValues(
    { variables }: BufferLayout,
    { variable: code, value: field }: BufferLayout["entries"][number],
    permutation: Symmetry,
  ): Int32Array {
    if (code.bits + field.bits > MAX_TABLE_BITS) throw new Error("a buffered value is too wide to be renamed");
    const renamed = new Int32Array(2 ** (code.bits + field.bits));
    for (const [number, variable] of variables.entries()) {
      const { value: kind } = this.machine.variables[variable];
      const table = this.tableOf(kind, field, this.machine.variables[variable], permutation);
      for (let packed = 0; packed < 2 ** field.bits; packed++) {
        renamed[(number << field.bits) | packed] = table === undefined ? packed : table[packed];
      }
    }
    return renamed;
  }

  /** What becomes of each packed value; undefined if nothing does. */
  private tableOf(
    kind: ValueKind,
    { bits, min }: Field,
    lock: Variable | undefined,
    permutation: Symmetry,
  ): Int32Array | undefined {
    if (kind.kind === "number" || bits === 0) return undefined;
    if (bits > MAX_TABLE_BITS) throw new Error("a value is too wide to be renamed");
    const renamedValue = (value: number): number =>
      kind.kind === "element"
        ? (permutation.elements[kind.set][value] ?? value)
        : renamedLock(value, lock?.hasReaders === true, permutation.threads);
    const table = Int32Array.from({ length: 2 ** bits }, (_, packed) => renamedValue(packed + min) - min);
    return table.every((renamed, packed) => renamed === packed) ? undefined : table;
  }

  private tableNamed(table: Int32Array): Code {
    const key = table.join();
    let number = this.tableNumbers.get(key);
    if (number === undefined) {
      number = this.tables.push(table) - 1;
      this.tableNumbers.set(key, number);
    }
    return `T${number}`;
  }
}

function raw({ word, shift, bits }: Field): Code {
  if (bits === 0) return "0";
  return bits === 32 ? `w${word}` : `(w${word}>>>${shift}&${maskOf(bits)})`;
}

/** A lock's value with its holders renamed (step-machine.ts); what no lock can have stays. */
function renamedLock(value: number, hasReaders: boolean, threads: Int32Array): number {
  const shift = hasReaders ? threads.length : 0;
  const writer = value >>> shift;
  if (writer > 0) return writer > threads.length ? value : (threads[writer - 1] + 1) << shift;
  let renamed = 0;
  for (const [thread, twin] of threads.entries()) if ((value & (1 << thread)) !== 0) renamed |= 1 << twin;
  return renamed;
}

function expectTwins(from: ThreadLayout, to: ThreadLayout): void {
  const isSame =
    from.rests.join() === to.rests.join() &&
    from.slotOf.join() === to.slotOf.join() &&
    from.buffer.entries.length === to.buffer.entries.length;
  if (!isSame) throw new Error("threads that are alike are laid out differently");
}
