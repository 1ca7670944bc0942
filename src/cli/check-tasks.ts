/**
 * From the command line of `foliometer check` to the systems that it means, fitted and ready to be searched.
 *
 * Everything that can be wrong with a command line is found here, before anything is searched. A request for all cases of
 * a scheme takes those that it fits: a case without THREADS is not for `--threads 3`. A request for one case must fit it.
 */
import { basename } from "node:path";
import type {
  CheckCase,
  CheckConfiguration,
  CheckOptions,
  StepMachine,
  StepsError,
  StepText,
} from "../checker/index.ts";
import type { CheckCommandOptions } from "./check.ts";
import { UsageError } from "./exit-codes.ts";
import { readText } from "./read-text.ts";
import { tell } from "./run-action.ts";

/** One system to check, and what the catalogue knows of it. */
export interface CheckTask {
  readonly configuration: CheckConfiguration;
  readonly machine: StepMachine;
  readonly options: CheckOptions;
  readonly case?: string;
  readonly scheme?: string;
  /** By property; absent where the system is not the catalogue's. */
  readonly expected?: Readonly<Record<string, "broken" | "unseen">>;
}

type Planned = Omit<CheckTask, "machine">;

/** A property of the command line: a text of its own. */
interface OwnProperty extends StepText {
  /** Characters of the text before those that the user wrote. */
  readonly lead: number;
}

const MIB = 2 ** 20;
/** A text has at most 2^20 characters (docs/step-language.md); none takes more than three bytes for each. */
const TEXT_BYTES_MAX = 3 * MIB;

/** The systems that `what`, a scheme or a file, and the options mean. Throws UsageError or StepsError; never none. */
export async function chooseTasks(what: string, options: CheckCommandOptions): Promise<readonly CheckTask[]> {
  const own = ownProperties(options);
  const planned = isFile(what) ? [planFile(what, options, own)] : await planCases(what, options, own);
  if (options.buffer !== undefined && planned.every((task) => task.options.memory !== "tso")) {
    throw new UsageError("--buffer is for --memory tso.");
  }
  return fit(planned, { own, mayLeaveOut: options.case === undefined });
}

function isFile(what: string): boolean {
  return what === "-" || what.endsWith(".steps") || what.includes("/");
}

function planFile(file: string, options: CheckCommandOptions, own: readonly OwnProperty[]): Planned {
  if (options.case !== undefined) throw new UsageError("--case is for schemes: a file is one system.");
  const text = readText(file, TEXT_BYTES_MAX + 1);
  if (Buffer.byteLength(text) > TEXT_BYTES_MAX) throw new UsageError(`${file} is too long for a system.`);
  const name = file === "-" ? "<stdin>" : basename(file);
  const configuration = { name, texts: [{ name, text }, ...own] };
  return { configuration: changed(configuration, options), options: optionsOf(options) };
}

async function planCases(id: string, options: CheckCommandOptions, own: readonly OwnProperty[]): Promise<Planned[]> {
  const [{ schemeOf }, { casesOf, findCase }] = await Promise.all([
    import("./choose-schemes.ts"),
    import("../checker/index.ts"),
  ]);
  const scheme = schemeOf(id);
  const known = casesOf(id);
  const cases = options.case?.map((name) => {
    const found = known.find((one) => one.id === name);
    if (found !== undefined) return found;
    const why = findCase(name) === undefined ? "There is no such case" : `It is not for ${id}`;
    throw new UsageError(`${name}: ${why}; for ${id} there are ${known.map((one) => one.id).join(", ")}.`);
  });
  return [...new Set(cases ?? known)].map((one) => {
    const configuration = one.configuration(scheme);
    return {
      configuration: changed({ ...configuration, texts: [...configuration.texts, ...own] }, options),
      options: { ...one.options, ...optionsOf(options) },
      case: one.id,
      scheme: id,
      ...(changesSystem(one, options) ? {} : { expected: expectedOf(one, id) }),
    };
  });
}

/** By property what the catalogue says of it; what it does not name holds, or occurs. */
function expectedOf({ outcomes }: CheckCase, scheme: string): Record<string, "broken" | "unseen"> {
  const { broken = [], unseen = [] } = outcomes[scheme] ?? {};
  return Object.fromEntries([
    ...broken.map((name) => [name, "broken"] as const),
    ...unseen.map((name) => [name, "unseen"] as const),
  ]);
}

/** Fits texts and constants to each other, and sees that there are the properties that are asked for. */
async function fit(
  planned: readonly Planned[],
  { own, mayLeaveOut }: { readonly own: readonly OwnProperty[]; readonly mayLeaveOut: boolean },
): Promise<CheckTask[]> {
  const checker = await import("../checker/index.ts");
  const tasks: CheckTask[] = [];
  const refused: { readonly name: string; readonly error: Error }[] = [];
  for (const task of planned) {
    try {
      const machine = checker.elaborate(task.configuration);
      checker.checkPropertyNames(machine, task.options.properties);
      tasks.push({ ...task, machine });
    } catch (error) {
      if (!(error instanceof checker.StepsError)) throw error;
      refused.push({ name: task.case ?? task.configuration.name, error: inUsersPlace(error, own) });
      if (!mayLeaveOut) break;
    }
  }
  const [first] = refused;
  if (first !== undefined && (tasks.length === 0 || !mayLeaveOut)) throw first.error;
  if (refused.length > 0) {
    const names = refused.map(({ name }) => name).join(", ");
    tell(`Left out, as this does not fit them: ${names}. With --case it says why.`);
  }
  return tasks;
}

const SIZES = [
  ["threads", "THREADS"],
  ["mms", "MMS"],
  ["vmas", "VMAS"],
  ["tables", "TABLES"],
  ["pages", "PAGES"],
  ["operations", "OPERATIONS"],
] as const;

function constantsOf(options: CheckCommandOptions): Record<string, number> {
  const constants: Record<string, number> = {};
  for (const [option, name] of SIZES) {
    const value = options[option];
    if (value !== undefined) constants[name] = value;
  }
  for (const setting of options.set) {
    const match = /^(?<name>\w+)=(?<value>-?\d{1,9})$/.exec(setting);
    if (match?.groups === undefined) throw new UsageError(`--set ${setting}: write NAME=NUMBER.`);
    constants[match.groups.name] = Number(match.groups.value);
  }
  return constants;
}

/** Whether the system is another one than the catalogue's, so that nothing is known of it. */
function changesSystem({ options: { memory = "sc" } }: CheckCase, options: CheckCommandOptions): boolean {
  return (
    Object.keys(constantsOf(options)).length > 0 ||
    options.without.length > 0 ||
    options.buffer !== undefined ||
    (options.memory ?? memory) !== memory
  );
}

function changed(configuration: CheckConfiguration, options: CheckCommandOptions): CheckConfiguration {
  return {
    ...configuration,
    constants: { ...configuration.constants, ...constantsOf(options) },
    withoutLocks: [...(configuration.withoutLocks ?? []), ...options.without],
  };
}

/** Properties of the command line, a text each. A name may stand before the expression. */
function ownProperties(options: CheckCommandOptions): OwnProperty[] {
  const kinds = ["always", "never", "quiet", "sometimes"] as const;
  return kinds.flatMap((kind) =>
    options[kind].map((given, index) => {
      const lead = /^\s*\w+\s*:/.test(given) ? `${kind} ` : `${kind} ${kind}_${index + 1}: `;
      const name = index === 0 ? `--${kind}` : `--${kind} (${index + 1})`;
      return { name, text: `${lead}${given}`, lead: lead.length };
    }),
  );
}

/** A mistake in a property of the command line with its place in what the user wrote. */
function inUsersPlace(error: StepsError, own: readonly OwnProperty[]): Error {
  const { position, message } = error;
  const property = own.find(({ name }) => name === position?.text);
  if (position === undefined || property === undefined) return error;
  const { text, line, column } = position;
  const what = message.slice(`${text}:${line}:${column}: `.length);
  const at = line === 1 ? Math.max(1, column - property.lead) : column;
  return new UsageError(`${text}: ${line === 1 ? "" : `line ${line}, `}column ${at}: ${what}`);
}

function optionsOf(options: CheckCommandOptions): CheckOptions {
  return {
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(options.buffer === undefined ? {} : { bufferEntries: options.buffer }),
    search: options.search,
    partialOrderReduction: options.reduction,
    symmetry: options.symmetry,
    memoryLimitBytes: options.memoryLimit * MIB,
    ...(options.stateLimit === undefined ? {} : { stateLimit: options.stateLimit }),
    ...(options.property === undefined ? {} : { properties: options.property }),
    ...(options.all === true ? { allProperties: true } : {}),
    ...(options.liveness === true ? { liveness: true } : {}),
  };
}
