/**
 * Cost profiles as files: what `foliometer calibrate -o` writes and `foliometer compare --costs` reads.
 *
 * A file may also be written by hand: `machine`, `origins` and `controls` are for people and may be missing. Prices may
 * not: every unit has one, with 0 <= low <= ns <= high.
 */
import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { WORK_NAMES, quoteUntrusted } from "../kernel/index.ts";
import { COST_NAMES, type CostProfile } from "../schemes/index.ts";
import { BadCostProfile } from "./bad-cost-profile.ts";
import { COST_PROFILE_SCHEMA, COST_PROFILE_VERSION, type CalibratedProfile } from "./calibrated-profile.ts";

/** A profile has some kilobytes; whatever is larger is another file. */
const PROFILE_BYTES_MAX = 2 ** 20;

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
};

const UnitCostShape = z
  .strictObject({ ns: z.number().nonnegative(), low: z.number().nonnegative(), high: z.number().nonnegative() })
  .refine(({ ns, low }) => low <= ns, { error: "low is above ns" })
  .refine(({ ns, high }) => ns <= high, { error: "ns is above high" });

const ProfileShape = z.object({
  schema: z.literal(COST_PROFILE_SCHEMA),
  version: z.literal(COST_PROFILE_VERSION),
  name: z.string().min(1),
  source: z.string().min(1),
  counting: z.strictObject(Object.fromEntries(COST_NAMES.map((name) => [name, UnitCostShape]))),
  contendedAtomic: UnitCostShape,
  work: z.strictObject(Object.fromEntries(WORK_NAMES.map((name) => [name, UnitCostShape]))),
});

/** The profile as the text of a file. */
export function formatCostProfile(profile: CalibratedProfile): string {
  return `${JSON.stringify(profile, null, 2)}\n`;
}

/** Reads a profile. Throws BadCostProfile, one sentence. */
export function readCostProfileFile(path: string): CostProfile {
  let text: string;
  try {
    const file = statSync(path);
    if (!file.isFile()) throw new BadCostProfile(path, "it is not a regular file");
    if (file.size > PROFILE_BYTES_MAX) throw new BadCostProfile(path, `it has more than ${PROFILE_BYTES_MAX} bytes`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof BadCostProfile) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw new BadCostProfile(path, WHY[code] ?? code);
  }
  return parseCostProfile(text, path);
}

/** A profile from a file's text. Throws BadCostProfile, one sentence; `path` is for it. */
export function parseCostProfile(text: string, path: string): CostProfile {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new BadCostProfile(path, "it is not JSON");
  }
  const parsed = ProfileShape.safeParse(content);
  if (!parsed.success) throw new BadCostProfile(path, describe(parsed.error, content));
  const { name, source, counting, contendedAtomic, work } = parsed.data;
  // The shape has exactly the names of the type: it was built from them.
  return {
    name,
    source,
    counting: counting as CostProfile["counting"],
    contendedAtomic,
    work: work as CostProfile["work"],
  };
}

function describe({ issues }: z.ZodError, content: unknown): string {
  const { schema, version } = (typeof content === "object" && content !== null ? content : {}) as Record<
    string,
    unknown
  >;
  if (schema !== COST_PROFILE_SCHEMA) return `its schema is not "${COST_PROFILE_SCHEMA}"`;
  if (version !== COST_PROFILE_VERSION) return `its version is not ${COST_PROFILE_VERSION}`;
  const [{ path, message }] = issues;
  return `${quoteUntrusted(path.join("."))} is wrong: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}
