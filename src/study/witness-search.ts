/**
 * A minimal scenario for a finding: first a smaller workload that still shows it, then fewer lines.
 *
 * A candidate runs under the scheme of the finding and the one that it is compared with, nothing else, and ends as soon as
 * the finding shows. Candidates that do not parse (commands of a process that was never made) or that the model cannot
 * follow are no candidates. The search is bounded; what the bound ended says so in its first line. Invariant: the scenario
 * that comes out shows the finding.
 */
import { type Scenario, ScenarioStopped, type StudiedHistory, parseScenario } from "../scenario/index.ts";
import type { Scheme } from "../schemes/index.ts";
import { Study, type StudyOptions, type StudyProgress } from "./compare-history.ts";
import { priceOperations } from "./operation-price.ts";
import { DEFAULT_BOUNDS, type SampleBounds } from "./question-sample.ts";
import { type ShrinkBounds, linesOf, shrinkingLines, textOf } from "./shrink-lines.ts";
import { FAMILY_SIZES, scanFamilies } from "./scan-families.ts";
import { isScan } from "./scan-tally.ts";
import { CATASTROPHIC_RATIO, type SchemeFinding } from "./verdict-findings.ts";

/** Where candidates come from and how they are run. */
export interface WitnessSource {
  /** The scenario in which the finding was made. */
  readonly text: string;
  /** The same with smaller parameters, the smallest first; empty for a scenario without parameters. */
  readonly smaller: readonly (() => string)[];
  /** Witnesses of findings of the same kind under other schemes: often they do for this one, too. */
  readonly earlier?: readonly string[];
  /** A history under some schemes; a scheme's position is that in the array. */
  readonly historyOf: (scenario: Scenario, schemes: readonly Scheme[], frameCount?: number) => StudiedHistory;
  readonly study: StudyOptions;
}

/** For one finding. */
export type WitnessBounds = ShrinkBounds;

export const DEFAULT_WITNESS_BOUNDS: WitnessBounds = { runsMax: 300, linesMax: 60_000 };

/** Page frames of machines on which candidates are tried first; the usual one has 262,144. */
const SMALL_MACHINES: readonly number[] = [16_384, 65_536];

/**
 * Searches a small scenario for a finding. `schemes`: the finding's own and the one it is compared with. Returns "" if the
 * history up to the finding's line does not show it by itself.
 */
export function* searchingWitness(
  finding: SchemeFinding,
  { scheme, against }: { readonly scheme: Scheme; readonly against: Scheme },
  source: WitnessSource,
  bounds: WitnessBounds = DEFAULT_WITNESS_BOUNDS,
): Generator<StudyProgress, string> {
  const schemes = scheme === against ? [scheme] : [scheme, against];
  const shows = (text: string, frameCount?: number): boolean =>
    showsFinding(text, finding, schemes, source, frameCount);
  let runs = 0;
  const progress = (): StudyProgress => ({ phase: "witness", done: runs, text: `${scheme.id}: ${finding.text}` });
  for (const text of source.earlier ?? []) {
    runs++;
    const isShown = shows(text);
    yield progress();
    if (isShown) return `# ${scheme.id}: ${finding.text}\n${textOf(linesOf(text))}`;
  }
  if (finding.kind.by === "operation" && isScan(finding.kind.operation)) {
    for (const text of FAMILY_SIZES.flatMap(scanFamilies)) {
      runs++;
      const isShown = shows(text, SMALL_MACHINES[0]);
      yield progress();
      if (isShown) return `# ${scheme.id}: ${finding.text}\n${text}`;
    }
  }
  let start: string | undefined;
  const starts = [...source.smaller, () => cutBehind(source.text, finding.line)];
  for (const textOfStart of starts) {
    const candidate = textOfStart();
    runs++;
    const isShown = shows(candidate);
    yield progress();
    if (!isShown) continue;
    start = candidate;
    break;
  }
  if (start === undefined) return "";
  // Every candidate has a machine of its own: a small one, if the scenario fits into it, is made much sooner.
  const frameCount = SMALL_MACHINES.find((frames) => shows(start, frames));
  const search = shrinkingLines(start, bounds);
  let next = search.next();
  while (next.done !== true) {
    runs++;
    const isKept = shows(next.value, frameCount);
    yield progress();
    next = search.next(isKept);
  }
  const { text, isMinimal } = next.value;
  const notes = [
    `# ${scheme.id}: ${finding.text}`,
    ...(isMinimal ? [] : [`# Perhaps not minimal: the search ended after ${runs} candidates.`]),
  ];
  return `${notes.join("\n")}\n${text}`;
}

/** What comes behind the line where a finding first showed has nothing to do with it. */
function cutBehind(text: string, line: number): string {
  if (line === 0) return textOf(linesOf(text));
  return textOf(linesOf(text.split("\n").slice(0, line).join("\n")));
}

/** Runs a scenario until the finding shows, or to its end. */
export function showsFinding(
  text: string,
  finding: SchemeFinding,
  schemes: readonly Scheme[],
  { historyOf, study: options }: Pick<WitnessSource, "historyOf" | "study">,
  frameCount?: number,
): boolean {
  const parsed = parseScenario(text, "candidate.scn", "model");
  if (!parsed.ok) return false;
  try {
    const study = new Study(historyOf(parsed.scenario, schemes, frameCount), {
      ...options,
      bounds: boundsFor(finding, options),
    });
    for (let step = study.step(); step !== undefined; step = study.step()) {
      if (isBrokenIn(study, finding)) return true;
    }
    return isCatastrophicIn(study, finding, schemes, options);
  } catch (error) {
    if (error instanceof ScenarioStopped) return false;
    throw error;
  }
}

/** A candidate is asked only what can show the finding. */
function boundsFor({ kind }: SchemeFinding, { bounds = DEFAULT_BOUNDS }: StudyOptions): SampleBounds {
  return {
    ...bounds,
    ...(kind.by === "answer" ? {} : { foliosPerStep: 0 }),
    ...(kind.by === "decision" ? {} : { surveyedPerStep: 0 }),
    ...(kind.by === "operation" && isScan(kind.operation) ? {} : { scannedPerStep: 0 }),
  };
}

/** Position of the finding's scheme among those that run a candidate. */
const OWN_ROW = 0;

function isBrokenIn(study: Study, { kind }: SchemeFinding): boolean {
  if (kind.by === "decision") return study.decisions.hasUnsafe(kind.decision, OWN_ROW);
  if (kind.by === "operation") return false;
  return study.questions.broken.some(({ scheme, question }) => scheme === OWN_ROW && question === kind.question);
}

function isCatastrophicIn(
  study: Study,
  { kind }: SchemeFinding,
  schemes: readonly Scheme[],
  { costs }: StudyOptions,
): boolean {
  if (kind.by !== "operation") return false;
  const named = study.operations.results().filter(({ operation }) => operation === kind.operation);
  const rows = priceOperations(named, { profile: costs, against: schemes.length - 1 });
  return rows.some(({ byScheme }) => byScheme[OWN_ROW].worst.ratio.low >= CATASTROPHIC_RATIO);
}
