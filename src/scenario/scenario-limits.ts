/**
 * Every limit of the scenario language, in one place: what a scenario may be before it is refused by name.
 *
 * Most are the limits of the program that runs scenarios on a real kernel, which beyond them would silently drop words
 * or overwrite its tables; a scenario that passes here means the same there. How long a scenario is and how many processes
 * and mappings it has the model does not mind: there, limits only keep a text of anybody's from taking all memory.
 */

/** How much of everything a scenario may have, by who runs it. */
export interface ScenarioLimits {
  /** Bytes of a scenario's text in UTF-8. */
  readonly scenarioBytes: number;
  /** Processes over the whole scenario, the dead ones included. */
  readonly processes: number;
  /** Mappings with a name (`mmap NAME`) over the whole scenario. */
  readonly regions: number;
}

/** Who is to run it: the driver on a real kernel (and the model), or the model alone. */
export type ScenarioRunner = "driver" | "model";

export const LIMITS: Readonly<Record<ScenarioRunner, ScenarioLimits>> = {
  driver: { scenarioBytes: 64 * 1024 - 1, processes: 24, regions: 64 },
  model: { scenarioBytes: 32 * 2 ** 20, processes: 65_536, regions: 65_536 },
};

/** Bytes of memory that the model can be given: migration entries name frames by 22 bits. */
export const MODEL_MEMORY_BYTES_MAX = 2 ** 22 * 4096;
/** The least: the frames that belong to nobody, and some. */
export const MODEL_MEMORY_BYTES_MIN = 16 * 2 ** 20;

/** Bytes of a line. */
export const LINE_BYTES_MAX = 511;
/** Words of a line, its comment apart. */
export const WORDS_MAX = 15;
/** Ids of io_uring rings and of vmsplice pipes run from 0 to one less than this, in every process. */
export const RINGS_MAX = 16;
/** File descriptors by number, `memfd K`, run from 0 to one less than this. */
export const DESCRIPTORS_MAX = 256;
/** Characters of the name of a process or a region. */
export const NAME_LENGTH_MAX = 15;
/** Characters of a dump's label. */
export const LABEL_LENGTH_MAX = 64;
/** Characters of a path. */
export const PATH_LENGTH_MAX = 120;
/** Characters of the value written by `sys`. */
export const VALUE_LENGTH_MAX = 63;
/** Errors reported for one scenario; beyond them it is no scenario at all. */
export const ERRORS_MAX = 100;

/** Addresses of tests: programs and their libraries lie outside. The end is exclusive. */
export const ADDRESS_FIRST = 0x1_0000_0000;
export const ADDRESS_END = 0x70_0000_0000;
/** Sizes, offsets and lengths. */
export const SIZE_MAX = 2 ** 47;
/** NUMA nodes: 0 and 1. */
export const NODES_MAX = 2;
/** The pages of a folio are 2^order; the kernel's largest order is below this. */
export const ORDERS_MAX = 19;
/** Full scans of ksmd in one `ksmscan`. */
export const KSM_SCANS_MAX = 1000;
/** Milliseconds of one `sleep`. */
export const SLEEP_MS_MAX = 60_000;
/** Bytes of one write of `pwrite`: the size of its buffer. */
export const CHUNK_BYTES_MAX = 2 * 1024 * 1024;
