/**
 * A recording of unknown origin to a ScenarioRecord, every field looked at.
 *
 * The schema is small and this floor takes no package, so it is checked by hand: each reader takes a value and the path
 * that leads to it, and complains with that path. Invariant: what comes out has no keys but those of dump.ts where the
 * schema names keys, and records of names (processes, folios, smaps lines) have no prototype.
 */
import type {
  Dump,
  FlagRun,
  FolioDump,
  KsmCounters,
  MthpCounters,
  PagemapRun,
  ProcessDump,
  RawFolio,
  RecordedStep,
  ScenarioRecord,
  TestMemory,
  ValueRun,
  VmaDump,
} from "./dump.ts";

/** A recording that is none. */
export class BadRecord extends Error {
  /** Where in the JSON: `steps[2].dump.ksm`. */
  readonly path: string;

  constructor(path: string, expected: string) {
    super(`The recording is damaged: ${path} is not ${expected}.`);
    this.name = "BadRecord";
    this.path = path;
  }
}

type Fields = Readonly<Record<string, unknown>>;
type Reader<T> = (value: unknown, path: string) => T;

function readFields(value: unknown, path: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new BadRecord(path, "an object");
  return value as Fields;
}

const readNumber: Reader<number> = (value, path) => {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw new BadRecord(path, "a whole number");
  return value;
};

const readText: Reader<string> = (value, path) => {
  if (typeof value !== "string") throw new BadRecord(path, "a text");
  return value;
};

const readTruth: Reader<boolean> = (value, path) => {
  if (typeof value !== "boolean") throw new BadRecord(path, "true or false");
  return value;
};

const listOf =
  <T>(read: Reader<T>): Reader<T[]> =>
  (value, path) => {
    if (!Array.isArray(value)) throw new BadRecord(path, "a list");
    return value.map((each: unknown, index) => read(each, `${path}[${index}]`));
  };

const recordOf =
  <T>(read: Reader<T>): Reader<Record<string, T>> =>
  (value, path) => {
    const record = Object.create(null) as Record<string, T>;
    for (const [name, each] of Object.entries(readFields(value, path))) record[name] = read(each, `${path}.${name}`);
    return record;
  };

/** Fields of an object, each with its path. */
function fieldsOf(value: unknown, path: string): <T>(name: string, read: Reader<T>) => T {
  const fields = readFields(value, path);
  return (name, read) => read(fields[name], `${path}.${name}`);
}

/** Only the fields that are there. */
function optionalFieldsOf(
  value: unknown,
  path: string,
): <K extends string, T>(name: K, read: Reader<T>) => { [P in K]?: T } {
  const fields = readFields(value, path);
  return <K extends string, T>(name: K, read: Reader<T>) =>
    (Object.hasOwn(fields, name) ? { [name]: read(fields[name], `${path}.${name}`) } : {}) as { [P in K]?: T };
}

const readValueRun: Reader<ValueRun> = (value, path) => {
  const [first, last, count] = listOf(readNumber)(value, path);
  if (!(last >= first) || count === undefined) throw new BadRecord(path, "[first, last, value]");
  return [first, last, count];
};

const readFlagRun: Reader<FlagRun> = (value, path) => {
  const [first, last, flags] = listOf((each: unknown) => each)(value, path);
  return [readNumber(first, `${path}[0]`), readNumber(last, `${path}[1]`), readText(flags, `${path}[2]`)];
};

const readRaw: Reader<RawFolio> = (value, path) => {
  const field = fieldsOf(value, path);
  return {
    order: field("order", readNumber),
    refcount: field("refcount", readNumber),
    large_mapcount: field("large_mapcount", readNumber),
    entire_mapcount: field("entire_mapcount", readNumber),
    nr_pages_mapped: field("nr_pages_mapped", readNumber),
    pincount: field("pincount", readNumber),
    partially_mapped: field("partially_mapped", readNumber),
    maybe_mapped_shared: field("maybe_mapped_shared", readNumber),
    entirely: field("entirely", readTruth),
    mm: field("mm", listOf(readText)),
  };
};

const readFolio: Reader<FolioDump> = (value, path) => {
  const field = fieldsOf(value, path);
  const optional = optionalFieldsOf(value, path);
  if (typeof readFields(value, path).kpagecount === "number") {
    return {
      kpagecount: field("kpagecount", readNumber),
      ...optional("refcount", readNumber),
      ...optional("mapcount", readNumber),
      ...optional("anon_exclusive", readNumber),
      kpageflags: field("kpageflags", readText),
      pages: field("pages", readNumber),
    };
  }
  return {
    pages: field("pages", readNumber),
    pfn: field("pfn", readText),
    kpagecount: field("kpagecount", listOf(readValueRun)),
    kpageflags: field("kpageflags", listOf(readFlagRun)),
    ...optional("raw", readRaw),
    ...optional("raw_page_mapcount", listOf(readValueRun)),
    ...optional("raw_anon_exclusive", listOf(readValueRun)),
  };
};

const readVma: Reader<VmaDump> = (value, path) => {
  const field = fieldsOf(value, path);
  return {
    start: field("start", readText),
    end: field("end", readText),
    perm: field("perm", readText),
    name: field("name", readText),
    smaps: field("smaps", recordOf(readNumber)),
    vmflags: field("vmflags", listOf(readText)),
    ...optionalFieldsOf(value, path)("numa_maps", readText),
  };
};

const readPagemapRun: Reader<PagemapRun> = (value, path) => {
  const field = fieldsOf(value, path);
  return {
    base: field("base", readText),
    page: field("page", readNumber),
    n: field("n", readNumber),
    flags: field("flags", readText),
    where: field("where", readText),
  };
};

const readProcess: Reader<ProcessDump> = (value, path) => {
  const field = fieldsOf(value, path);
  return { vmas: field("vmas", listOf(readVma)), pagemap: field("pagemap", listOf(readPagemapRun)) };
};

const readTestMemory: Reader<TestMemory> = (value, path) => {
  const field = fieldsOf(value, path);
  return { AnonPages: field("AnonPages", readNumber), Mapped: field("Mapped", readNumber) };
};

const readMthp: Reader<MthpCounters> = (value, path) => {
  const field = fieldsOf(value, path);
  return {
    nr_anon: field("nr_anon", readNumber),
    nr_anon_partially_mapped: field("nr_anon_partially_mapped", readNumber),
    split: field("split", readNumber),
    split_deferred: field("split_deferred", readNumber),
  };
};

const readKsm: Reader<KsmCounters> = (value, path) => {
  const field = fieldsOf(value, path);
  return {
    pages_shared: field("pages_shared", readNumber),
    pages_sharing: field("pages_sharing", readNumber),
    pages_unshared: field("pages_unshared", readNumber),
    ksm_zero_pages: field("ksm_zero_pages", readNumber),
  };
};

const readDump: Reader<Dump> = (value, path) => {
  const field = fieldsOf(value, path);
  const optional = optionalFieldsOf(value, path);
  return {
    label: field("label", readText),
    processes: field("processes", recordOf(readProcess)),
    folios: field("folios", recordOf(readFolio)),
    meminfo_kB: field("meminfo_kB", recordOf(readNumber)),
    ...optional("test_kB", readTestMemory),
    vmstat_delta: field("vmstat_delta", recordOf(readNumber)),
    ...optional("mthp", recordOf(readMthp)),
    ksm: field("ksm", readKsm),
  };
};

const readStep: Reader<RecordedStep> = (value, path) => {
  const field = fieldsOf(value, path);
  return { commands: field("commands", listOf(readText)), dump: field("dump", readDump) };
};

/** A recording out of parsed JSON. Throws BadRecord with the place of what is wrong. */
export function readRecord(value: unknown): ScenarioRecord {
  return { steps: fieldsOf(value, "recording")("steps", listOf(readStep)) };
}
