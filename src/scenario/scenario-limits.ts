/**
 * Every limit of the scenario language, in one place: what a scenario may be before it is refused by name.
 *
 * Most are the limits of the program that runs scenarios on a real kernel, which beyond them would silently drop words
 * or overwrite its tables; a scenario that passes here means the same there.
 */

/** Bytes of a scenario file. */
export const SCENARIO_BYTES_MAX = 64 * 1024 - 1;
/** Bytes of a line. */
export const LINE_BYTES_MAX = 511;
/** Words of a line, its comment apart. */
export const WORDS_MAX = 15;
/** Processes over the whole scenario, the dead ones included. */
export const PROCESSES_MAX = 24;
/** Mappings with a name (`mmap NAME`) over the whole scenario. */
export const REGIONS_MAX = 64;
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
