/**
 * `node build/bench/soak/main.js --events N --seed N [--schemes a,b]`: random mapping events, all schemes held against the
 * truth behind each of them.
 *
 * Progress goes to standard error, the result to standard output. Exit code 1 and the shortest history found if a scheme
 * breaks a guarantee, 2 if the arguments are wrong.
 */
import { parseArgs } from "node:util";
import { SCHEMES, type Scheme, findScheme } from "../../src/schemes/index.ts";
import { Soak, describeWish } from "../../test/conformance/soak.ts";

const STEP_EVENTS = 2_000_000;

function readArguments(): { events: number; seed: number; schemes: readonly Scheme[] } | string {
  const { values } = parseArgs({
    options: {
      events: { type: "string", default: "100000000" },
      seed: { type: "string", default: "1" },
      schemes: { type: "string" },
    },
  });
  const events = Number(values.events);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(events) || events <= 0) return `--events wants a positive number, not ${values.events}`;
  if (!Number.isSafeInteger(seed)) return `--seed wants a number, not ${values.seed}`;
  if (values.schemes === undefined) return { events, seed, schemes: SCHEMES };
  const schemes: Scheme[] = [];
  for (const id of values.schemes.split(",")) {
    const scheme = findScheme(id);
    if (scheme === undefined) return `no scheme ${id}; there are ${SCHEMES.map((each) => each.id).join(", ")}`;
    schemes.push(scheme);
  }
  return { events, seed, schemes };
}

function main(): number {
  const read = readArguments();
  if (typeof read === "string") {
    process.stderr.write(`soak: ${read}\n`);
    return 2;
  }
  const { events, seed, schemes } = read;
  const soak = new Soak(seed, schemes);
  const startedMs = performance.now();
  while (soak.machine.events < events && soak.broken === undefined) {
    soak.run(Math.min(events, soak.machine.events + STEP_EVENTS));
    process.stderr.write(`${describe(soak, performance.now() - startedMs)}\n`);
  }
  if (soak.broken === undefined) {
    process.stdout.write(
      `soak: seed ${seed}, ${schemes.length} schemes: no guarantee broken in ${describe(soak, performance.now() - startedMs)}\n`,
    );
    return 0;
  }
  const { scheme, complaint, witness } = soak.broken;
  process.stdout.write(
    `soak: seed ${seed}: ${scheme.id} breaks a guarantee: ${complaint}\n` +
      `The shortest history found:\n${witness.map((wish) => `  ${describeWish(wish)}\n`).join("")}` +
      `Again: node build/bench/soak/main.js --seed ${seed} --events ${events} --schemes ${scheme.id}\n`,
  );
  return 1;
}

function describe(soak: Soak, elapsedMs: number): string {
  const rate = Math.round((soak.machine.events / elapsedMs) * 1000);
  return `${soak.machine.events} events, ${soak.answers} answers, ${rate} events/s`;
}

process.exitCode = main();
