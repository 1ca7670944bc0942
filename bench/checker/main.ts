/**
 * How fast the checker explores: the two-slot algorithm with 5 mms of at most 6 mappings each, complete.
 *
 *     npm run bench:checker [-- --rounds N]
 *
 * Every round is a process of its own and counts from the text to the verdict. Bars: at least 1 million states a second on one
 * core, at most 120 bytes a state, exactly the states and transitions that the question has, and less time than SPIN's
 * verifier takes for the same question in the same rounds. Beside it the same question with symmetry, depth first and on all
 * processors. The exit code says whether the bars are met.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { CheckOptions } from "../../src/checker/index.ts";
import type { Measured } from "./check-once.ts";
import { SpinPeer, type SpinRun } from "./spin.ts";

const MMS = 5;
const MOST = 6;
const EXPECTED = { states: 3_546_036, transitions: 30_395_280 };
const STATES_PER_SECOND_BAR = 1_000_000;
const BYTES_PER_STATE_BAR = 120;

/** A way to search, on so many threads; the first is the one that the bars are for. */
interface Way {
  readonly name: string;
  readonly options: CheckOptions;
  readonly workers: number;
  readonly isBarred: boolean;
}

const PROCESSORS = availableParallelism();
const WAYS: readonly Way[] = [
  { name: "breadth first", options: { symmetry: false }, workers: 1, isBarred: true },
  { name: `on ${PROCESSORS} threads`, options: { symmetry: false }, workers: PROCESSORS, isBarred: false },
  { name: "depth first", options: { symmetry: false, search: "depth-first" }, workers: 1, isBarred: false },
  { name: "with symmetry", options: {}, workers: 1, isBarred: false },
];

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function measureOnce(options: CheckOptions, workers: number): Measured {
  const program = fileURLToPath(new URL("check-once.js", import.meta.url));
  const args = [program, `${MMS}`, `${MOST}`, JSON.stringify(options), `${workers}`];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Measured;
}

function row(name: string, rounds: readonly Measured[]): string {
  const { figures } = rounds[0];
  const seconds = median(rounds.map(({ elapsedMs }) => elapsedMs)) / 1000;
  const columns = [
    name.padEnd(16),
    figures.states.toLocaleString("en").padStart(10),
    figures.transitions.toLocaleString("en").padStart(12),
    figures.depth.toLocaleString("en").padStart(10),
    seconds.toFixed(2).padStart(8),
    (figures.states / seconds / 1e6).toFixed(2).padStart(12),
    (figures.bytes / figures.states).toFixed(1).padStart(14),
    (Math.max(...rounds.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20).toFixed(0).padStart(14),
  ];
  return columns.join(" ");
}

/** What is wrong with the rounds of the way that the bars are for. */
function failuresOf(rounds: readonly Measured[]): string[] {
  const failures: string[] = [];
  for (const { coverage, figures, broken } of rounds) {
    const { states, transitions } = figures;
    if (coverage !== "complete") failures.push(`the search ended: ${coverage}`);
    if (broken.length > 0) failures.push(`does not hold: ${broken.join(", ")}`);
    if (states !== EXPECTED.states) failures.push(`${states} states instead of ${EXPECTED.states}`);
    if (transitions !== EXPECTED.transitions) failures.push(`${transitions} transitions, not ${EXPECTED.transitions}`);
    if (figures.bytes / states > BYTES_PER_STATE_BAR) failures.push(`${figures.bytes / states} bytes a state`);
  }
  const statesPerSecond = (EXPECTED.states * 1000) / median(rounds.map(({ elapsedMs }) => elapsedMs));
  if (statesPerSecond < STATES_PER_SECOND_BAR) failures.push(`${Math.round(statesPerSecond)} states a second`);
  return failures;
}

/** SPIN's rounds as a line, and where it was faster or found something else. */
function compareWithSpin(peer: SpinPeer, runs: readonly SpinRun[], ours: readonly Measured[]): string[] {
  const [first] = runs;
  const seconds = median(runs.map(({ elapsedMs }) => elapsedMs)) / 1000;
  const own = median(ours.map(({ elapsedMs }) => elapsedMs)) / 1000;
  const peak = Math.max(...runs.map(({ peakRssBytes }) => peakRssBytes));
  const columns = [
    "SPIN (pan)".padEnd(16),
    first.states.toLocaleString("en").padStart(10),
    first.transitions.toLocaleString("en").padStart(12),
    "".padStart(10),
    seconds.toFixed(2).padStart(8),
    (first.states / seconds / 1e6).toFixed(2).padStart(12),
    (peak / first.states).toFixed(1).padStart(14),
    (peak / 2 ** 20).toFixed(0).padStart(14),
  ];
  console.log(columns.join(" "));
  console.log(
    `${peer.version}; translating and compiling took ${(peer.preparedMs / 1000).toFixed(2)} s more. ` +
      `Foliometer, from the text to the verdict, takes ${(own / seconds).toFixed(2)} of the verifier's time.`,
  );
  return [
    ...(first.errors === 0 ? [] : [`SPIN found ${first.errors} errors`]),
    // One state more: before its processes are started.
    ...(first.states === EXPECTED.states + 1 ? [] : [`SPIN has ${first.states} states`]),
    ...(own < seconds ? [] : [`slower than SPIN: ${own.toFixed(2)} s against ${seconds.toFixed(2)} s`]),
  ];
}

function main(): void {
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
  const count = Math.max(1, Number(values.rounds));
  console.log(
    `Two slots, ${MMS} mms of at most ${MOST} mappings; median of ${count} rounds, one core of ${cpus()[0]?.model}`,
  );
  console.log(
    "                     states  transitions      depth  seconds  M states / s  bytes a state  peak RSS, MiB",
  );
  const peer = SpinPeer.prepare();
  const measured = WAYS.map((): Measured[] => []);
  const spinRuns: SpinRun[] = [];
  for (let round = 0; round < count; round++) {
    for (const [way, { options, workers }] of WAYS.entries()) measured[way].push(measureOnce(options, workers));
    if (peer !== undefined) spinRuns.push(peer.run());
  }
  const failures: string[] = [];
  for (const [way, { name, isBarred }] of WAYS.entries()) {
    console.log(row(name, measured[way]));
    if (isBarred) failures.push(...failuresOf(measured[way]));
  }
  if (peer === undefined) failures.push("SPIN was not compared: it needs Debian's spin, gcc and time");
  else {
    failures.push(...compareWithSpin(peer, spinRuns, measured[0]));
    peer.end();
  }
  for (const failure of new Set(failures)) console.log(`BAR MISSED: ${failure}`);
  if (failures.length === 0) {
    console.log(
      `Bars met: ${STATES_PER_SECOND_BAR / 1e6} M states / s, ${BYTES_PER_STATE_BAR} bytes a state, complete, faster than SPIN.`,
    );
  }
  process.exitCode = failures.length === 0 ? 0 : 1;
}

main();
