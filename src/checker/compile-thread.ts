/**
 * A thread as JavaScript functions: one for each place of rest and each choice, all transitions from there.
 *
 *     f0_12(s, i, out, n, p0, q0, g3, ...)      thread 0 rests at instruction 12 in the state at s[i]; each state behind it
 *                                               is appended to `out` at n; the new end is the result
 *
 * p0 are the bits of the turns passed (thread-region.ts), q0 what has failed on the way, g3... the registers that are live;
 * where deeds are wanted y0 says what has happened on the way (1 a step, 2 an operation finished, 4 it began inside of one).
 * A choice that is met on the way to a step is a call of its function, so that no text stands twice. Within a function
 * instructions that one other leads to follow it; a join is what stands behind a labelled block that its ways break out of,
 *
 *     J2:{ J1:{ ... break J1; ... break J2; }  join 1 ... break J2; }  join 2
 *
 * and where the text goes round in a circle, or joins are too many for nesting, a case of a switch in a loop.
 */
import { type Code, type ExpressionCode, literal, readField } from "./compile-expression.ts";
import { type BuiltInNumbers, StepCode } from "./compile-step.ts";
import { MAX_LOCAL_INSTRUCTIONS } from "./interpret.ts";
import { liveRegisters } from "./live-registers.ts";
import { operationAt, OUTSIDE } from "./operation-at.ts";
import { maskOf, type StateLayout, type ThreadLayout } from "./state-layout.ts";
import { isRest, isStep, type MachineThread, type StepMachine } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";
import { type Region, type RegionNode, regionFrom, type ThreadShape, turnBits } from "./thread-region.ts";

/** Labelled blocks one in another; beyond, engines parse slowly and a switch does as well. */
const MAX_NESTED_JOINS = 100;
/** Turns are bits of a number. */
const MAX_TURNS = 30;

/** The functions of one thread. */
export interface ThreadFunctions {
  readonly code: Code;
  /** The statement that takes a state (words w0, w1, ... at s[i]) through all that this thread can do. */
  readonly dispatch: Code;
  /** States that one call may append, at most. */
  readonly maxSuccessors: number;
  /** Words of scratch space that the functions need behind `scratchFrom`. */
  readonly scratchWords: number;
}

export interface ThreadContext {
  readonly machine: StepMachine;
  readonly layout: StateLayout;
  readonly expressions: ExpressionCode;
  readonly builtIn: BuiltInNumbers;
  readonly scratchFrom: number;
  /** Whether what transitions do for their thread is noted (compile-machine.ts: deeds). */
  readonly hasDeeds: boolean;
}

/** Compiles thread number `thread`. Throws StepsError for what cannot be compiled (more than 30 turns). */
export function compileThread(thread: number, context: ThreadContext): ThreadFunctions {
  return new ThreadCompiler(thread, context).compile();
}

/** Declares a name for each word that `code` mentions: "const w" gives `const w0=...,w1=...` from `source`. */
export function declareWords(names: "const w" | "let w" | "const a", code: Code, source: (word: number) => Code): Code {
  const words = [...new Set([...code.matchAll(/\bw(\d+)\b/g)].map(([, word]) => Number(word)))].sort((a, b) => a - b);
  const [keyword, letter] = names.split(" ");
  return words.length === 0 ? "" : `${keyword} ${words.map((word) => `${letter}${word}=${source(word)}`).join()};\n`;
}

class ThreadCompiler {
  private readonly thread: number;
  private readonly context: ThreadContext;
  private readonly text: MachineThread;
  private readonly own: ThreadLayout;
  private readonly shape: ThreadShape;
  private readonly steps: StepCode;
  private readonly live: readonly ReadonlySet<number>[];
  private readonly regions = new Map<number, Region>();
  private readonly operations: Int32Array;
  private scratchWords = 0;

  constructor(thread: number, context: ThreadContext) {
    const { machine, layout } = context;
    this.thread = thread;
    this.context = context;
    this.text = machine.threads[thread];
    this.own = layout.threads[thread];
    this.steps = new StepCode(machine, layout, thread, context);
    this.live = liveRegisters(this.text);
    this.operations = operationAt(this.text);
    const isStored = new Uint8Array(this.text.instructions.length);
    for (const rest of this.own.rests) isStored[rest] = 1;
    this.shape = { thread: this.text, isStored, turnBit: turnBits(this.text) };
    if (Math.max(...this.shape.turnBit) >= MAX_TURNS) {
      throw new StepsError(
        `${this.text.name} has more than ${MAX_TURNS} choices that it can come back to without a step`,
      );
    }
  }

  compile(): ThreadFunctions {
    const code: Code[] = [];
    const open = this.own.rests.filter((rest) => this.text.instructions[rest].op !== "stop");
    for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
      if (this.regions.has(entry)) continue;
      const region = regionFrom(this.shape, entry);
      this.regions.set(entry, region);
      code.push(this.compileEntry(entry, region));
      for (const { side, instruction } of region.nodes) if (side === "choose") open.push(instruction);
    }
    const hasBuffer = this.own.buffer.entries.length > 0;
    if (hasBuffer) code.push(this.compileDrain());
    const counts = this.own.rests.map((rest) => this.countFrom(rest, new Set()));
    return {
      code: code.join(""),
      dispatch: this.dispatch() + (hasBuffer ? `n=d${this.thread}(s,i,out,n);\n` : ""),
      maxSuccessors: Math.max(...counts) + (hasBuffer ? 1 : 0),
      scratchWords: this.scratchWords,
    };
  }

  /** States behind an entry at most: each alternative has one, or those of the choices that it comes to. */
  private countFrom(entry: number, callers: ReadonlySet<number>): number {
    const region = this.regions.get(entry);
    if (region === undefined) return 0;
    const inner = new Set([...callers, entry]);
    let nested = 1;
    for (const { side, instruction } of region.nodes) {
      if (side === "choose" && !inner.has(instruction)) nested = Math.max(nested, this.countFrom(instruction, inner));
    }
    return region.roots.length * nested;
  }

  private dispatch(): Code {
    const cases = this.own.rests.map((rest, number) => {
      if (this.text.instructions[rest].op === "stop") return `case ${number}:K[1]|=${1 << this.thread};break;\n`;
      const registers = this.liveAt(rest).map((register) => `,${readField(this.own.slots[this.own.slotOf[register]])}`);
      const deed = this.context.hasDeeds ? `,${this.isInside(rest) ? 4 : 0}` : "";
      return `case ${number}:n=${this.nameOf(rest)}(s,i,out,n,0,null${deed}${registers.join("")});break;\n`;
    });
    return `switch(${readField(this.own.pc)}){\n${cases.join("")}}\n`;
  }

  /** Inside of an operation, or of a thread that has none. */
  private isInside(rest: number): boolean {
    return this.operations[rest] !== OUTSIDE || this.text.instructions.every(({ op }) => op !== "begin");
  }

  private nameOf(entry: number): Code {
    return `f${this.thread}_${entry}`;
  }

  private liveAt(instruction: number): readonly number[] {
    return [...this.live[instruction]].sort((a, b) => a - b);
  }

  private compileEntry(entry: number, region: Region): Code {
    const { expressions } = this.context;
    expressions.startFunction();
    const isChoice = this.text.instructions[entry].op === "choose";
    const leave = isChoice ? "continue A;" : "return n;";
    const body = new RegionCode({
      region,
      straight: (node) => this.straight(node, leave),
      node: (node, goOn) => this.node(node, leave, goOn, region),
    }).code();
    const parameters = this.liveAt(entry).map((register) => `,g${register}`);
    const bit = this.shape.turnBit[entry];
    // A beginning sets its bit when it is passed; a choice is passed by being here.
    const deed = this.context.hasDeeds ? ",y0" : "";
    const y = this.context.hasDeeds ? ",y=y0" : "";
    const start = `let q=q0${y},p=p0${isChoice && bit >= 0 ? `|${1 << bit}` : ""};\n${this.declareRegisters(entry, body)}`;
    const words = declareWords("let w", body, (word) => `a${word}`);
    const sources = declareWords("const a", body, (word) => `s[i+${word}]`);
    const inner = start + words + body;
    const missing = body.includes("e++;") ? `if(e===${region.roots.length})K[0]|=${1 << this.thread};\n` : "";
    const all = isChoice
      ? `let e=0;\nA:for(let c=0;c<${region.roots.length};c++){\n${inner}}\n${missing}return n;\n`
      : inner;
    return `function ${this.nameOf(entry)}(s,i,out,n,p0,q0${deed}${parameters.join("")}){\n${expressions.declareTemporaries()}${sources}${all}}\n`;
  }

  private declareRegisters(entry: number, body: Code): Code {
    const live = this.live[entry];
    const used = [...new Set([...body.matchAll(/\br(\d+)\b/g)].map(([, register]) => Number(register)))];
    if (used.length === 0) return "";
    return `let ${used.map((register) => `r${register}=${live.has(register) ? `g${register}` : "0"}`).join()};\n`;
  }

  /** What a node does if it goes on to one follower only and nothing else: a step, most local instructions. */
  private straight({ side, instruction }: RegionNode, leave: Code): Code | undefined {
    if (side === "settle" || side === "choose") return undefined;
    const here = this.text.instructions[instruction];
    if (isStep(here)) {
      const bug = `throw new Error("a step that is run through must wait");`;
      const blocked = side === "behind" ? bug : `K[0]|=${1 << this.thread};${leave}`;
      const step = this.steps.step(here, { leave, blocked });
      return this.context.hasDeeds ? `${step}y|=1;\n` : step;
    }
    switch (here.op) {
      case "stop":
        return "";
      case "require":
        return `if(!${this.context.expressions.condition(here.condition, here.origin)}){e++;${leave}}\n`;
      case "end":
        return this.context.hasDeeds ? "y|=2;\n" : "";
      case "begin":
        return this.shape.turnBit[instruction] < 0 ? "" : undefined;
      case "branch":
      case "choose":
        return undefined;
      default:
        return this.steps.local(here);
    }
  }

  /** What any other node does. `goOn(k)` is how control gets to its follower number k; all ways end. */
  private node({ side, instruction }: RegionNode, leave: Code, goOn: (follower: number) => Code, region: Region): Code {
    if (side === "settle") return this.settle(instruction) + leave;
    if (side === "choose") return this.callChoice(instruction, region) + leave;
    const here = this.text.instructions[instruction];
    if (here.op === "branch") {
      return `if(${this.context.expressions.condition(here.condition, here.origin)}){\n${goOn(0)}}else{\n${goOn(1)}}\n`;
    }
    const bit = this.shape.turnBit[instruction];
    return bit < 0 ? goOn(0) : `if((p&${1 << bit})!==0){\n${goOn(0)}}\np|=${1 << bit};\n${goOn(1)}`;
  }

  /** Hands the state on to a choice's function; through scratch space if ghosts have changed it before the step. */
  private callChoice(instruction: number, region: Region): Code {
    const { layout, scratchFrom } = this.context;
    const isChanged = region.nodes.some(
      (node) => node.side === "before" && this.text.instructions[node.instruction].op === "ghost",
    );
    const registers = this.liveAt(instruction).map((register) => `,r${register}`);
    const call = (state: Code): Code =>
      `n=${this.nameOf(instruction)}(${state},out,n,p,q${this.context.hasDeeds ? ",y" : ""}${registers.join("")});\n`;
    if (!isChanged) return call("s,i");
    const from = scratchFrom + this.scratchWords;
    this.scratchWords += layout.words;
    const copies = Array.from({ length: layout.words }, (_, word) => `S[${from + word}]=w${word};\n`);
    return copies.join("") + call(`S,${from}`);
  }

  /** The thread rests: live registers are checked and kept, the state is appended. */
  private settle(instruction: number): Code {
    const { layout, expressions } = this.context;
    const rest = this.own.rests.indexOf(instruction);
    if (rest < 0) throw new Error(`${this.text.name} settles at ${instruction}, where no state keeps it`);
    const live = isRest(this.text.instructions[instruction]) ? this.liveAt(instruction) : [];
    const checks = live.map((register) => {
      const { name, min, max } = this.text.registers[register];
      const message = (value: number): string =>
        `${name} of ${this.text.name} is ${value}, outside of its range ${min}..${max}`;
      const position = this.text.instructions[instruction].origin;
      const fault = expressions.fault({ position, message }, `r${register}`);
      return `if(r${register}<${literal(min)}||r${register}>${literal(max)})${fault};\n`;
    });
    const deed = this.context.hasDeeds ? this.noteDeed(instruction) : "";
    const append = appendWords(layout.words);
    return `${checks.join("")}${this.writeThread(rest, live)}${deed}${append}if(q!==null)C(q);\n`;
  }

  /** Finished or ended is progress; a step inside of an operation is work. */
  private noteDeed(instruction: number): Code {
    const isEnd = this.text.instructions[instruction].op === "stop";
    const work = this.isInside(instruction) ? "(y&1)*2" : "((y&5)===5?2:0)";
    const deed = isEnd ? "1" : `((y&2)!==0?1:${work})`;
    return `G[n/${this.context.layout.words}]=${this.thread * 4}+${deed};\n`;
  }

  /** Where the thread rests and its slots: one masked write a word; slots without a live register are 0. */
  private writeThread(rest: number, live: readonly number[]): Code {
    const writes = new Map<number, { clear: number; values: Code[] }>();
    const write = ({ word, shift, bits }: ThreadLayout["pc"], value: Code): void => {
      if (bits === 0) return;
      const entry = writes.get(word) ?? { clear: 0, values: [] };
      writes.set(word, entry);
      entry.clear |= maskOf(bits) << shift;
      if (value !== "0") entry.values.push(shift === 0 ? value : `${value}<<${shift}`);
    };
    write(this.own.pc, `${rest}`);
    for (const [slot, field] of this.own.slots.entries()) {
      const register = live.find((candidate) => this.own.slotOf[candidate] === slot);
      if (register === undefined) write(field, "0");
      else write(field, field.min === 0 ? `r${register}` : `(r${register}-${literal(field.min)})`);
    }
    return [...writes]
      .map(([word, { clear, values }]) => `w${word}=${[`w${word}&${literal(~clear)}`, ...values].join("|")};\n`)
      .join("");
  }

  private compileDrain(): Code {
    const { expressions, layout } = this.context;
    expressions.startFunction();
    const process = this.thread + layout.threads.length;
    const deed = this.context.hasDeeds ? `G[n/${layout.words}]=${process * 4};\n` : "";
    const body = this.steps.drain() + deed + appendWords(layout.words);
    const words = declareWords("let w", body, (word) => `s[i+${word}]`);
    const isEmpty = `if(${readField(this.own.buffer.length)}===0)return n;\n`;
    return `function d${this.thread}(s,i,out,n){\n${expressions.declareTemporaries()}${words}${isEmpty}${body}return n;\n}\n`;
  }
}

function appendWords(words: number): Code {
  const copies = Array.from({ length: words }, (_, word) => `out[n+${word}]=w${word};\n`);
  return `${copies.join("")}n+=${words};\n`;
}

interface RegionOptions {
  readonly region: Region;
  readonly straight: (node: RegionNode) => Code | undefined;
  readonly node: (node: RegionNode, goOn: (follower: number) => Code) => Code;
}

/** Puts the nodes of a region in order. */
class RegionCode {
  private readonly region: Region;
  private readonly straight: RegionOptions["straight"];
  private readonly node: RegionOptions["node"];
  private readonly isNested: boolean;
  private readonly joins: readonly number[];

  constructor({ region, straight, node }: RegionOptions) {
    this.region = region;
    this.straight = straight;
    this.node = node;
    this.isNested = region.joins !== undefined && region.joins.length <= MAX_NESTED_JOINS;
    this.joins = region.joins ?? region.nodes.flatMap(({ entries }, id) => (entries > 1 ? [id] : []));
  }

  code(): Code {
    const { roots } = this.region;
    const begin =
      roots.length === 1
        ? this.goTo(roots[0])
        : `switch(c){\n${roots.map((root, number) => `case ${number}:{\n${this.goTo(root)}}\n`).join("")}}\n`;
    return this.isNested ? this.nest(begin) : this.circle(begin);
  }

  private nest(begin: Code): Code {
    let code = begin;
    for (const join of this.joins) code = `J${join}:{\n${code}}\n${this.emit(join)}`;
    return code;
  }

  private circle(begin: Code): Code {
    const cases = this.joins.map((join) => `case ${join}:{\n${this.emit(join)}}\n`);
    const limit = `if(++z>${MAX_LOCAL_INSTRUCTIONS})Z();\n`;
    return `let z=0,d=-1;\nD:for(;;){\n${limit}switch(d){\ncase -1:{\n${begin}}\n${cases.join("")}}\n}\n`;
  }

  private goTo(node: number): Code {
    if (this.region.nodes[node].entries < 2) return this.emit(node);
    return this.isNested ? `break J${node};\n` : `d=${node};continue D;\n`;
  }

  /** A node and what follows it alone; a loop, as texts may be long. */
  private emit(first: number): Code {
    const { nodes } = this.region;
    let code: Code = "";
    for (let id = first; ;) {
      const { followers } = nodes[id];
      const straight = this.straight(nodes[id]);
      if (straight === undefined) return code + this.node(nodes[id], (follower) => this.goTo(followers[follower]));
      code += straight;
      [id] = followers;
      if (nodes[id].entries > 1) return code + this.goTo(id);
    }
  }
}
