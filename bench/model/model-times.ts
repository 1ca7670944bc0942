/**
 * The model at the same scenario, command by command, with the clock of this process; and what its memory takes.
 */
import { createCountedMachine } from "../../src/scenario/counted-machine.ts";
import { runCommand } from "../../src/scenario/model-commands.ts";
import { ModelRun } from "../../src/scenario/model-run.ts";
import { scenarioOf } from "../../src/scenario/index.ts";
import { touchPages } from "../../src/memory/index.ts";
import { zapVmaRange } from "../../src/memory/zap.ts";

/** Frames for three times 1 GiB, in one node. */
const FRAMES = 3 * 262_144 + 65_536;

/** A function is compiled well after a few thousand calls, and unmapping 1 GiB of huge pages makes 512 of them. */
const WARM_UP_PASSES = 8;

function newRun(): ModelRun {
  return new ModelRun(
    createCountedMachine({ config: "nopage", frameCount: FRAMES, nodeCount: 1, keepContents: false }),
  );
}

/**
 * Commands and their times in milliseconds, on a machine that has done the same a few times before: its arrays are resident and
 * its code is compiled, as a kernel's are that has run for a while. `afterEach` sees the machine between the commands.
 */
export function runOnModel(
  text: string,
  afterEach: (run: ModelRun, command: string) => void = () => undefined,
): { readonly command: string; readonly elapsedMs: number }[] {
  const run = newRun();
  const { commands } = scenarioOf(text, "bench.scn");
  for (let pass = 0; pass < WARM_UP_PASSES; pass++) for (const command of commands) runCommand(run, command);
  return commands.map((command) => {
    const start = performance.now();
    runCommand(run, command);
    const elapsedMs = performance.now() - start;
    afterEach(run, command.echo);
    return { command: command.echo, elapsedMs };
  });
}

/** Bytes of the model per mapped page of 4 KiB, without the schemes' state: frames in use, page tables, reverse map keys. */
export function bytesPerMappedPage(run: ModelRun, mappedPages: number): number {
  const { memory } = run.machine;
  const framesInUse = memory.frames.count - memory.allocator.freeFrames();
  const frameBytes =
    framesInUse *
    (memory.frames.order.BYTES_PER_ELEMENT +
      memory.frames.state.BYTES_PER_ELEMENT +
      memory.frames.rmapKey.BYTES_PER_ELEMENT);
  return (frameBytes + memory.tables.usedBytes() + memory.keys.usedBytes()) / mappedPages;
}

/** xorshift32: random enough to hit every page, and the same in every run. */
function randomWords(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const PAGES = 65_536;

/**
 * Random operations on single pages, a second: stores, loads and MADV_DONTNEED of one page, by three processes that were
 * forked from each other.
 */
export function randomOperationsPerSecond(operations: number, seed: number): number {
  const run = newRun();
  const text = ["spawn A", "A mmap a 0x200000000 256M rw anon,priv", "A touch @a 256M w", "A fork B", "B fork C"].join(
    "\n",
  );
  for (const command of scenarioOf(text, "bench.scn").commands) runCommand(run, command);
  const { memory } = run.machine;
  const mms = run.table.processes.map(({ mm }) => mm);
  const random = randomWords(seed);
  const write = (): bigint => 0n;
  const start = performance.now();
  for (let done = 0; done < operations; done++) {
    const word = random();
    const mm = mms[word % 3];
    const page = 0x200000 + ((word >>> 4) % PAGES);
    const kind = (word >>> 20) & 3;
    if (kind === 3) {
      const vma = mm.findVma(page);
      if (vma !== undefined) zapVmaRange(memory, vma, page, page + 1, {});
    } else touchPages(memory, mm, page * 4096, 1, 4096, kind === 0 ? undefined : write);
  }
  return operations / ((performance.now() - start) / 1000);
}
