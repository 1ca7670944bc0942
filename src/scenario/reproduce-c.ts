/**
 * A scenario as one C program that does the same on the running kernel and prints what that kernel says.
 *
 * It is meant to be read: the scenario stands at its head and again as main(), one system call a command, in order;
 * everything above main() is how the processes take turns and what a dump prints. It needs gcc, root and nothing else.
 * It saves every setting before it changes one and puts all back however it ends. Invariant: nothing of the scenario's
 * text gets into the program but through `commentOf` and `stringOf`, which let nothing out of a comment or a string.
 */
import { C_CALLS, touchesHugetlb, touchesKsm } from "./c-calls.ts";
import { callOf } from "./c-commands.ts";
import { C_COUNTERS } from "./c-counters.ts";
import { C_DUMP } from "./c-dump.ts";
import { C_GUARDIAN, C_TURNS } from "./c-program.ts";
import { stringOf } from "./c-text.ts";
import { type Scenario, type ScenarioCommand, SHMEM_THP_SIZES_KB, THP_SIZES_KB } from "./command.ts";

export interface ReproduceOptions {
  /** Print how long every command took, in the process that ran it. */
  readonly timeCommands?: boolean;
}

const INCLUDES = `#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
`;

/**
 * The program's text.
 * @example writeFileSync("repro.c", reproduceAsC(scenario)); // gcc -O2 -o repro repro.c && sudo ./repro
 */
export function reproduceAsC(scenario: Scenario, options: ReproduceOptions = {}): string {
  const { commands } = scenario;
  const pieces = C_CALLS.filter(({ usedBy }) => commands.some((command) => usedBy(command)));
  return [
    commentOf(scenario),
    INCLUDES,
    `#define TIME_COMMANDS ${options.timeCommands === true ? 1 : 0}`,
    processesOf(commands),
    C_TURNS.trim(),
    C_GUARDIAN.trim().replace('#include "settings"', settingsOf(commands)),
    ...pieces.map(({ text }) => text.trim()),
    C_COUNTERS.trim(),
    C_DUMP.trim(),
    mainOf(commands),
  ]
    .join("\n\n")
    .concat("\n");
}

/** The scenario as a comment. */
function commentOf({ file, text }: Scenario): string {
  const safe = (line: string): string => line.replaceAll("*/", "* /").replaceAll(/(?!\t)[\p{Cc}\p{Cf}]/gu, "?");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => ` *     ${safe(line)}`.trimEnd());
  return [
    "/*",
    ` * The scenario ${safe(file)}, to be run by root:`,
    " *",
    " *     gcc -O2 -o reproduction reproduction.c && ./reproduction",
    " *",
    ...lines,
    " *",
    " * At every dump it prints smaps, numa_maps and pagemap of each process, and kpagecount and kpageflags of each folio.",
    " * main() is the scenario. All settings that it changes are put back when it ends or is killed.",
    " */",
  ].join("\n");
}

/** The enumerator of each process, by the index of the command that begins it. */
export function processNames(
  commands: readonly ScenarioCommand[],
): { readonly name: string; readonly constant: string }[] {
  const begun = commands.flatMap((command) =>
    command.kind === "spawn" ? [command.process] : command.kind === "fork" ? [command.child] : [],
  );
  return begun.map((name, index) => ({ name, constant: `proc${index + 1}_${name}` }));
}

function processesOf(commands: readonly ScenarioCommand[]): string {
  const names = processNames(commands);
  const constants = names.map(({ constant }) => `\t${constant},\n`).join("");
  const strings = [...names.map(({ name }) => stringOf(name)), "NULL"].join(", ");
  return `enum process {\n${constants}\tPROCESSES,\n\tSUPERVISOR = -1\n};\nstatic const char *const names[] = { ${strings} };`;
}

const THP = "/sys/kernel/mm/transparent_hugepage";
const KSM = "/sys/kernel/mm/ksm";

/** Conditions that hold whenever a scenario is run, where the kernel has the setting. */
const CONDITIONS: readonly (readonly [path: string, value: string])[] = [
  [`${THP}/enabled`, "madvise"],
  [`${THP}/shmem_enabled`, "never"],
  [`${THP}/defrag`, "always"],
  [`${THP}/shrink_underused`, "0"],
  [`${THP}/use_zero_page`, "1"],
  [`${THP}/khugepaged/scan_sleep_millisecs`, "3600000"],
  [`${THP}/khugepaged/alloc_sleep_millisecs`, "3600000"],
  ["/sys/kernel/mm/lru_gen/enabled", "0"],
  ...[32, ...THP_SIZES_KB].map((size) => [`${THP}/hugepages-${size}kB/enabled`, "never"] as const),
  ...[32, ...SHMEM_THP_SIZES_KB].map((size) => [`${THP}/hugepages-${size}kB/shmem_enabled`, "never"] as const),
];

const KSM_CONDITIONS: readonly (readonly [path: string, value: string])[] = [
  [`${KSM}/use_zero_pages`, "0"],
  [`${KSM}/pages_to_scan`, "10000"],
  [`${KSM}/sleep_millisecs`, "1"],
  [`${KSM}/run`, "0"],
];

/** Everything the run may change, saved before and put back behind it. */
function settingsOf(commands: readonly ScenarioCommand[]): string {
  const conditions = [...CONDITIONS, ...(commands.some(touchesKsm) ? KSM_CONDITIONS : [])];
  const rows = conditions.map(([path, value]) => `\t{ ${stringOf(path)}, ${stringOf(value)}, "" },\n`);
  const known = new Set(conditions.map(([path]) => path));
  for (const command of commands) {
    if (command.kind !== "sys" || known.has(command.path)) continue;
    known.add(command.path);
    rows.push(`\t{ ${stringOf(command.path)}, NULL, "" },\n`);
  }
  const hugePages = "/proc/sys/vm/nr_hugepages";
  if (commands.some(touchesHugetlb) && !known.has(hugePages)) rows.push(`\t{ "${hugePages}", "8", "" },\n`);
  const swaps = new Set(commands.flatMap((command) => (command.kind === "swapon" ? [command.path] : [])));
  const leaving = [...swaps].map((path) => `\tswapoff(${stringOf(path)});\n`).join("");
  return [
    `static struct setting settings[] = {\n${rows.join("")}};`,
    "#define SETTINGS (int)(sizeof settings / sizeof *settings)",
    "",
    "/* A device that was in use before is never switched on by the scenario: swapon() refuses it. */",
    `static void leave_swap(void)\n{\n${leaving}}`,
    "",
  ].join("\n");
}

function mainOf(commands: readonly ScenarioCommand[]): string {
  const names = processNames(commands);
  const alive = new Map<string, string>();
  let begun = 0;
  const begin = (name: string): string => {
    const { constant } = names[begun];
    begun++;
    alive.set(name, constant);
    return constant;
  };
  const steps = commands.map((command) => stepOf(command, alive, begin));
  const needsTmpfs = commands.some((command) => command.kind === "open" && command.path.startsWith("/tmpfs/"));
  return [
    "int main(void)",
    "{",
    "\tstruct utsname kernel;",
    "",
    "\tbegin();",
    "\tset_conditions();",
    "\tmake_pipes();",
    ...(needsTmpfs ? ["\tmake_tmpfs();"] : []),
    "\tuname(&kernel);",
    '\tprintf("kernel %s\\n", kernel.release);',
    "\ttake_baseline();",
    "",
    ...steps,
    "",
    "\tif (me != SUPERVISOR)",
    "\t\twait_for_supervisor();",
    '\tprintf("done\\n");',
    "\tfflush(stdout);",
    "\t_exit(0);",
    "}",
  ].join("\n");
}

/** One command of main(). */
function stepOf(command: ScenarioCommand, alive: Map<string, string>, begin: (name: string) => string): string {
  const place = `${command.line}, ${stringOf(command.echo)}`;
  const nobody = "SUPERVISOR";
  if (command.kind === "spawn") return `\tspawn(${begin(command.process)}, ${place});`;
  if (command.kind === "dump") {
    const who = command.processes.map((name) => `1UL << ${alive.get(name) ?? nobody}`);
    return `\tdump(${command.line}, ${stringOf(command.label)}, ${who.length === 0 ? "EVERYBODY" : who.join(" | ")});`;
  }
  const process = "process" in command ? (alive.get(command.process) ?? nobody) : nobody;
  if (command.kind === "fork") return `\tif (turn(${process}, ${place}))\n\t\tfork_as(${begin(command.child)});`;
  if (command.kind === "exit") {
    alive.delete(command.process);
    return `\tif (turn(${process}, ${place}))\n\t\tleave();`;
  }
  const call = callOf(command, process);
  const taker = call.by === "machine" ? "machine(" : `turn(${process}, `;
  return `\tif (${taker}${place}))${call.statement.includes("\n") ? ` {\n\t\t${call.statement}\n\t}` : `\n\t\t${call.statement}`}`;
}
