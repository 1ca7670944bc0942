/**
 * How fast the checker explores: the two-slot algorithm with 5 mms of at most 6 mappings each, complete.
 *
 *     npm run bench:checker [-- --rounds N]
 *
 * Every round is a process of its own and counts from the text to the verdict. Bars: at least 1 million states a second on one
 * core, at most 120 bytes a state, exactly the states and transitions that the question has. Beside it the same question
 * with symmetry, and depth first. The exit code says whether the bars are met.
 */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { CheckOptions } from "../../src/checker/index.ts";
import type { Measured } from "./check-once.ts";

const MMS = 5;
const MOST = 6;
const EXPECTED = { states: 3_546_036, transitions: 30_395_280 };
const STATES_PER_SECOND_BAR = 1_000_000;
const BYTES_PER_STATE_BAR = 120;

const WAYS: readonly { readonly name: string; readonly options: CheckOptions; readonly isBarred: boolean }[] = [
  { name: "breadth first", options: { symmetry: false }, isBarred: true },
  { name: "depth first", options: { symmetry: false, search: "depth-first" }, isBarred: false },
  { name: "with symmetry", options: {}, isBarred: false },
];

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function measureOnce(options: CheckOptions): Measured {
  const program = fileURLToPath(new URL("check-once.js", import.meta.url));
  const args = [program, `${MMS}`, `${MOST}`, JSON.stringify(options)];
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

function main(): void {
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
  const count = Math.max(1, Number(values.rounds));
  console.log(
    `Two slots, ${MMS} mms of at most ${MOST} mappings; median of ${count} rounds, one core of ${cpus()[0]?.model}`,
  );
  console.log(
    "                     states  transitions      depth  seconds  M states / s  bytes a state  peak RSS, MiB",
  );
  const failures: string[] = [];
  for (const { name, options, isBarred } of WAYS) {
    const rounds = Array.from({ length: count }, () => measureOnce(options));
    console.log(row(name, rounds));
    if (isBarred) failures.push(...failuresOf(rounds));
  }
  for (const failure of new Set(failures)) console.log(`BAR MISSED: ${failure}`);
  if (failures.length === 0) {
    console.log(
      `Bars met: ${STATES_PER_SECOND_BAR / 1e6} M states / s, ${BYTES_PER_STATE_BAR} bytes a state, complete.`,
    );
  }
  process.exitCode = failures.length === 0 ? 0 : 1;
}

main();
