/**
 * Text to commands to text: any list of commands that the language can say comes back as it was.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  ADVICES,
  type CommandBody,
  MAP_FLAGS,
  SHMEM_THP_SIZES_KB,
  SHMEM_THP_VALUES,
  type ScenarioCommand,
  THP_SIZES_KB,
  THP_VALUES,
} from "./command.ts";
import { formatScenario } from "./format-scenario.ts";
import { parseScenario, scenarioOf } from "./parse-scenario.ts";

function bodyOf({ line: _line, column: _column, source: _source, echo: _echo, ...body }: ScenarioCommand): CommandBody {
  return body;
}

const size = fc.oneof(
  fc.integer({ min: 0, max: 512 }).map((pages) => pages * 4096),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }),
);
const address = fc.oneof(
  fc.integer({ min: 0, max: 1024 }).map((pages) => 0x200000000 + pages * 4096),
  fc.integer({ min: 0x100000000, max: 0x6000000000 }),
);
const descriptor = fc.nat(255);
const id = fc.nat(15);
const process = fc.constant("P");
const range = { process, address, lengthBytes: size };

const command: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.record({ kind: fc.constantFrom("munmap", "mlock", "mlock_onfault", "munlock", "uffdwp", "unuffdwp"), ...range }),
  fc.record(
    {
      kind: fc.constant("mmap"),
      ...range,
      region: fc.constantFrom("a", "b", "c_1"),
      protection: fc.nat(7),
      flags: fc.subarray([...MAP_FLAGS], { minLength: 1 }).filter(isOneKind),
      descriptor,
      offsetBytes: size,
    },
    { requiredKeys: ["kind", "process", "address", "lengthBytes", "region", "protection", "flags", "offsetBytes"] },
  ),
  fc.record({ kind: fc.constant("mprotect"), ...range, protection: fc.nat(7) }),
  fc.record({
    kind: fc.constant("mremap"),
    ...range,
    newLengthBytes: size,
    newAddress: address,
    dontUnmap: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("mremap"), ...range, newLengthBytes: size, dontUnmap: fc.constant(false) }),
  fc.record({
    kind: fc.constant("touch"),
    ...range,
    write: fc.boolean(),
    stepBytes: fc.constantFrom(4096, 512, 65536),
  }),
  fc.record({ kind: fc.constant("fill"), ...range, byte: fc.nat(255) }),
  fc.record({ kind: fc.constant("peek"), process, address }),
  fc.record({ kind: fc.constant("madvise"), ...range, advice: fc.constantFrom(...ADVICES) }),
  fc.record({ kind: fc.constantFrom("uring", "vmsplice"), ...range, id }),
  fc.record({ kind: fc.constant("guppin"), ...range, write: fc.boolean() }),
  fc.record({ kind: fc.constant("gupunpin"), process }),
  fc.record({ kind: fc.constant("migrate"), ...range, node: fc.nat(1) }),
  fc.record({ kind: fc.constant("node"), process, node: fc.nat(1) }),
  fc.record({ kind: fc.constant("prctl"), process, option: fc.nat(), argument: fc.nat() }),
  fc.record({ kind: fc.constant("memfd"), process, descriptor, sizeBytes: size, hugetlb: fc.boolean() }),
  fc.record({
    kind: fc.constant("open"),
    process,
    descriptor,
    path: fc.constantFrom("/tmpfs/f", "/mnt/g.1"),
    sizeBytes: size,
    readOnly: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("open"),
    process,
    descriptor,
    path: fc.constant("/tmpfs/f"),
    readOnly: fc.constant(false),
  }),
  fc.record({ kind: fc.constantFrom("close", "fsync", "fadvise"), process, descriptor }),
  fc.record({ kind: fc.constant("ftruncate"), process, descriptor, sizeBytes: size }),
  fc.record({
    kind: fc.constant("fallocate"),
    process,
    descriptor,
    offsetBytes: size,
    lengthBytes: size,
    punch: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("pwrite"),
    process,
    descriptor,
    offsetBytes: size,
    lengthBytes: size,
    chunkBytes: fc.integer({ min: 1, max: 2 ** 21 }),
  }),
  fc.record({ kind: fc.constant("pread"), process, descriptor, offsetBytes: size, lengthBytes: size }),
  fc.record({ kind: fc.constant("split"), process, address, lengthBytes: size, order: fc.nat(9) }),
  fc.record({
    kind: fc.constant("thp"),
    sizeKb: fc.constantFrom(...THP_SIZES_KB),
    value: fc.constantFrom(...THP_VALUES),
  }),
  fc.record({
    kind: fc.constant("shmthp"),
    sizeKb: fc.constantFrom(...SHMEM_THP_SIZES_KB),
    value: fc.constantFrom(...SHMEM_THP_VALUES),
  }),
  fc.record({
    kind: fc.constant("sys"),
    path: fc.constant("/proc/sys/vm/overcommit_memory"),
    value: fc.constantFrom("1", "x-y"),
  }),
  fc.record({ kind: fc.constant("sleep"), durationMs: fc.nat(60_000) }),
  fc.constant({ kind: "baseline" as const }),
  fc.record({ kind: fc.constant("ksmscan"), scans: fc.integer({ min: 1, max: 1000 }) }),
  fc.record({ kind: fc.constantFrom("swapon", "swapoff"), path: fc.constant("/dev/ram1") }),
  fc.record({ kind: fc.constant("dump"), label: fc.constantFrom("1", "2_x.y"), processes: fc.subarray(["P"]) }),
) as fc.Arbitrary<CommandBody>;

function isOneKind(flags: readonly string[]): boolean {
  return flags.filter((flag) => ["priv", "shared", "droppable"].includes(flag)).length <= 1;
}

test("commands written and parsed are the same commands", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 30 }), (bodies) => {
      const life: CommandBody[] = [
        { kind: "spawn", process: "P" },
        ...bodies,
        { kind: "fork", process: "P", child: "C" },
        { kind: "exit", process: "C" },
      ];
      expect(scenarioOf(formatScenario(life), "t.scn").commands.map(bodyOf)).toEqual(life);
    }),
    { numRuns: 300 },
  );
});

test("addresses inside of a mapping are written by its name, the last one's if there are several", () => {
  const text =
    "spawn P\nP mmap a 0x200000000 2M rw anon,priv\nP munmap @a+4k 16k\nP mmap a 0x300000000 64k r shared fd=0 off=4k\nP touch @a 4k w\nP touch 0x200000000 4k r\n";
  expect(formatScenario(scenarioOf(text, "t.scn").commands)).toBe(text);
});

test("any text at all ends in commands or in errors, and never in an exception", () => {
  const words = fc.constantFrom(
    "spawn",
    "P",
    "mmap",
    "a",
    "@a",
    "@a+",
    "4k",
    "0x200000000",
    "rw",
    "anon,priv",
    "dump",
    "__proto__",
    "constructor",
    "fork",
    "exit",
    "-1",
    "unuring",
    "#",
    "\t",
    "split",
    "mremap",
    "thp",
  );
  const line = fc.oneof(
    fc.array(words, { maxLength: 8 }).map((parts) => parts.join(" ")),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const parsed = parseScenario(lines.join("\n"), "t.scn");
      if (!parsed.ok) for (const { line: at, column } of parsed.errors) expect(Math.min(at, column)).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
});
