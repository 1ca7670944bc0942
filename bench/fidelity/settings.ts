/**
 * What the command was asked for.
 */
import { parseArgs } from "node:util";
import type { KernelCounting } from "../../src/scenario/index.ts";
import { PROFILE_NAMES, type ProfileName } from "../../test/fidelity/wishes.ts";

export const USAGE = `npm run fidelity -- [options]

Random scenarios on two real kernels and on the model, and what differs.

  --seed N          which scenarios (default: a new one, printed)
  --count N         how many (default 44)
  --first N         the number of the first one (default 0)
  --ops N           about so many operations each (default 30)
  --profile P       only scenarios of this kind; may be given several times
                    (${PROFILE_NAMES.join(", ")})
  --kernel K        page, nopage or both (default)
  --shrink N        make so many failing scenarios small (default 3; 0: none)
  --keep DIR        write failing scenarios, small ones and their differences there
  --replay FILE     this scenario instead of random ones; may be given several times
  --record DIR      run on the kernels alone and write scenarios and answers there
  --from DIR        take scenarios and answers from there; boots nothing

Ends with 0 if all agree, 1 if not, 2 for a wrong option, 3 if there is nothing to run on.`;

export interface Settings {
  readonly seed: number;
  readonly count: number;
  readonly first: number;
  readonly operations: number;
  readonly profiles: readonly ProfileName[];
  readonly kernels: readonly KernelCounting[];
  readonly shrink: number;
  readonly keep?: string;
  readonly replay: readonly string[];
  readonly record?: string;
  readonly from?: string;
}

/** An option that means nothing. */
export class UsageError extends Error {}

const SEED_MAX = 2 ** 31 - 1;

function countOf(text: string | undefined, name: string, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[0-9]{1,10}$/.test(text) || Number(text) > SEED_MAX) {
    throw new UsageError(`--${name} takes a whole number from 0 to ${SEED_MAX}, not ${text}`);
  }
  return Number(text);
}

function kernelsOf(text: string): KernelCounting[] {
  if (text === "both") return ["page", "nopage"];
  if (text === "page" || text === "nopage") return [text];
  throw new UsageError(`--kernel takes page, nopage or both, not ${text}`);
}

function profilesOf(names: readonly string[]): readonly ProfileName[] {
  if (names.length === 0) return PROFILE_NAMES;
  return names.map((name) => {
    const profile = PROFILE_NAMES.find((known) => known === name);
    if (profile === undefined) throw new UsageError(`--profile takes ${PROFILE_NAMES.join(", ")}, not ${name}`);
    return profile;
  });
}

/** Reads the arguments; undefined if only help was asked for. */
export function readSettings(args: readonly string[]): Settings | undefined {
  const { values } = parseOptions(args);
  if (values.help) return undefined;
  const { keep, record, from } = values;
  if (from !== undefined && (record !== undefined || values.replay.length > 0)) {
    throw new UsageError("--from takes everything from its folder: --record and --replay do not go with it");
  }
  return {
    seed: countOf(values.seed, "seed", Math.floor(Math.random() * SEED_MAX)),
    count: countOf(values.count, "count", 44),
    first: countOf(values.first, "first", 0),
    operations: Math.max(1, countOf(values.ops, "ops", 30)),
    profiles: profilesOf(values.profile),
    kernels: kernelsOf(values.kernel),
    shrink: countOf(values.shrink, "shrink", 3),
    replay: values.replay,
    ...(keep === undefined ? {} : { keep }),
    ...(record === undefined ? {} : { record }),
    ...(from === undefined ? {} : { from }),
  };
}

function parseOptions(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        seed: text,
        count: text,
        first: text,
        ops: text,
        profile: { type: "string", multiple: true, default: [] },
        kernel: { type: "string", default: "both" },
        shrink: text,
        keep: text,
        replay: { type: "string", multiple: true, default: [] },
        record: text,
        from: text,
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
