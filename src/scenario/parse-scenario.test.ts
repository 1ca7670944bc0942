import { expect, test } from "vitest";
import type { ScenarioCommand } from "./command.ts";
import { parseScenario, scenarioOf } from "./parse-scenario.ts";
import { BadScenario, formatScenarioError } from "./scenario-error.ts";
import { LIMITS } from "./scenario-limits.ts";

function commandsOf(text: string): readonly ScenarioCommand[] {
  return scenarioOf(text, "t.scn").commands;
}

/** The last command of a text in which P lives and has mapped `a` at 0x200000000. */
function lastOf(line: string): ScenarioCommand {
  return commandsOf(`spawn P\nP mmap a 0x200000000 2M rw anon,priv\n${line}`)[2];
}

function errorsOf(text: string): string[] {
  const parsed = parseScenario(text, "t.scn");
  return parsed.ok ? [] : parsed.errors.map(formatScenarioError);
}

function errorsOfLine(line: string): string[] {
  return errorsOf(`spawn P\nP mmap a 0x200000000 2M rw anon,priv\n${line}`);
}

test("a command knows its place, its text without comment and its words with addresses resolved", () => {
  expect(
    commandsOf("# a\n\n spawn P # comes\n\tP mmap a 0x200000000 2M rw anon,priv#x\nP munmap @a+1M 64k\n"),
  ).toMatchObject([
    { kind: "spawn", line: 3, column: 2, source: "spawn P", echo: "spawn P" },
    { kind: "mmap", line: 4, column: 2, echo: "P mmap a 0x200000000 2M rw anon,priv" },
    {
      kind: "munmap",
      line: 5,
      column: 1,
      source: "P munmap @a+1M 64k",
      echo: "P munmap 0x200100000 64k",
      address: 0x200100000,
    },
  ]);
});

test("@NAME is the last mapping of that name, whoever made it, and takes several terms", () => {
  const commands = commandsOf(
    "spawn P\nspawn Q\nP mmap a 0x200000000 2M rw anon,priv\nQ mmap a 0x300000000 2M rw anon,priv\nP peek @a+16k-4k+2p+0x10",
  );
  expect(commands[4]).toMatchObject({ kind: "peek", process: "P", address: 0x300000000 + 16384 - 4096 + 8192 + 16 });
});

test.each<[string, object]>([
  ["P touch @a+1M 4k w", { kind: "touch", address: 0x200100000, lengthBytes: 4096, write: true, stepBytes: 4096 }],
  ["P touch @a 2M r 64k", { kind: "touch", write: false, stepBytes: 65536 }],
  ["P mremap @a 2M 1M", { kind: "mremap", newLengthBytes: 2 ** 20, dontUnmap: false }],
  ["P mremap @a 2M 2M 0x300000000", { kind: "mremap", newAddress: 0x300000000, dontUnmap: false }],
  ["P mremap @a 2M 2M @a+1G dontunmap", { kind: "mremap", newAddress: 0x240000000, dontUnmap: true }],
  [
    "P fallocate 0 4k 8k punch",
    { kind: "fallocate", descriptor: 0, offsetBytes: 4096, lengthBytes: 8192, punch: true },
  ],
  ["P fallocate 0 4k 8k", { kind: "fallocate", punch: false }],
  ["P open 3 /tmpfs/f 2M ro", { kind: "open", descriptor: 3, path: "/tmpfs/f", sizeBytes: 2 ** 21, readOnly: true }],
  ["P open 3 /mnt/f", { kind: "open", readOnly: false }],
  ["P memfd 1 4M hugetlb", { kind: "memfd", sizeBytes: 4 * 2 ** 20, hugetlb: true }],
  ["P pwrite 0 0 2M 2M", { kind: "pwrite", chunkBytes: 2 ** 21 }],
  ["P pwrite 0 0 2M", { kind: "pwrite", chunkBytes: 2 ** 20 }],
  [
    "P mmap b 0x300000000 64k rx shared,pop fd=2 off=16k",
    { kind: "mmap", protection: 5, flags: ["shared", "pop"], descriptor: 2, offsetBytes: 16384 },
  ],
  ["P mprotect @a 4k n", { kind: "mprotect", protection: 0 }],
  ["P prctl 67 1", { kind: "prctl", option: 67, argument: 1 }],
  ["P guppin @a 16k w", { kind: "guppin", write: true }],
  ["P madvise @a 4k guard_install", { kind: "madvise", advice: "guard_install" }],
  ["P migrate @a 2M 1", { kind: "migrate", node: 1 }],
  ["split P @a 2M 4", { kind: "split", process: "P", lengthBytes: 2 ** 21, order: 4 }],
  ["split P @a 2M", { kind: "split", order: 0 }],
  ["dump 1_x P", { kind: "dump", label: "1_x", processes: ["P"] }],
  ["dump 1_x", { kind: "dump", processes: [] }],
  ["thp 2048kB madvise", { kind: "thp", sizeKb: 2048, value: "madvise" }],
  ["shmthp 64kB within_size", { kind: "shmthp", sizeKb: 64, value: "within_size" }],
  ["sys /sys/kernel/mm/ksm/max_page_sharing 2", { kind: "sys", value: "2" }],
  ["sleep 10", { kind: "sleep", durationMs: 10 }],
  ["ksmscan 4", { kind: "ksmscan", scans: 4 }],
  ["swapon /dev/ram1", { kind: "swapon", path: "/dev/ram1" }],
])("%s", (line, expected) => {
  expect(lastOf(line)).toMatchObject(expected);
});

test("what the kernel would refuse is no error: that is its answer", () => {
  expect(errorsOfLine("P munmap @a+1 3\nP munmap @a 0\nP close 7\nP mmap b 0x300000001 5 rw pop")).toEqual([]);
});

test("all errors of a scenario are told at once, several in a line too", () => {
  expect(errorsOf("spwan P\nspawn P\nP madvise 0x1000 4K hugpage\nQ touch @a 4k w")).toEqual([
    't.scn:1:1: there is no command "spwan"; did you mean spawn?',
    't.scn:3:11: the address "0x1000" is outside of the tests\' addresses; addresses go from 0x100000000 to below 0x7000000000',
    't.scn:3:18: the length "4K" is not a size; the units are k, M, G and p (pages)',
    't.scn:3:21: there is no advice "hugpage"; did you mean hugepage?',
    't.scn:4:1: there is no process "Q" yet; did you mean P?',
    't.scn:4:9: there is no mapping "a" yet; a mapping gets its name by `P mmap NAME ...` above',
  ]);
});

test.each<[string, string]>([
  ["P mmap b @a+4M 2M rq anon,priv", 'no protection "q"'],
  ["P mmap b @a+4M 2M rn anon,priv", 'no protection "n"'],
  ["P mmap b @a+4M 2M rw anon,private", 'no flag "private"; did you mean priv?'],
  ["P mmap b @a+4M 2M rw anon,priv,shared", "priv and shared exclude each other"],
  ["P mmap b @a+4M 2M rw anon,priv fd=0 fd=1", "fd= is there twice"],
  ["P mmap b @a+4M 2M rw shared offset=4k", 'no option "offset=4k"; mmap has fd=K and off=O'],
  ["P mmap b @a+4M 2M rw shared fd=1k", '"1k" is not a number'],
  ["P mremap @a 4k 4k dontunmap", "dontunmap needs a new address"],
  ["P mremap @a 4k 4k 0x300000000 dontunmp", '"dontunmp" is one word too many'],
  ["P open 0 /tmpfs/f ro", "ro comes behind a size"],
  ["P open 0 /etc/passwd 0", "files lie in /tmpfs (huge=always) and /mnt (ext4)"],
  ["P open 0 /mnt/../etc/passwd 0", "there is no file"],
  ["P touch @a 4k x", 'no access "x"; it is r or w'],
  ["P touch @a 4k w 0", "out of bounds"],
  ["P touch @a 010 w", "octal"],
  ["P touch 0x200000000+4k 4k w", "only @NAME can be followed by + or -"],
  ["P touch @a+ 4k w", '"" is not a size'],
  ["P touch @b 4k w", "did you mean @a?"],
  ["P touch 0x6ffffff000 8k w", "the range ends behind 0x7000000000"],
  ["P touch @a -4k w", "not a size"],
  ["P touch @a", "the length is missing"],
  ["P fill @a 4k 0x141", "out of bounds; it goes from 0 to 255"],
  ["P migrate @a 4k 2", "it goes from 0 to 1"],
  ["P uring 16 @a 4k", "it goes from 0 to 15"],
  ["P unuring 3", "the process P holds no uring 3"],
  ["P fork P", "there is a process P already"],
  ["P fork dump", "dump is a command"],
  ["P fork a-b", "is not a name"],
  ["P fork abcdefghijklmnop", "is too long; at most 15 characters"],
  ["thp 32kB madvise", "32kB is used to find owner ids"],
  ["thp 2M madvise", "the sizes are 16kB, 64kB"],
  ["thp 64kB advise", 'no value "advise"; did you mean madvise?'],
  ["sys /etc/passwd x", "settings lie below /sys/kernel/mm/"],
  ["sys /sys/kernel/mm/../../x 1", "is no setting of memory management"],
  ["swapon /dev/sda", "is not a RAM disk"],
  ["split Q @a 2M", 'no process "Q" yet'],
  ["dump 1 Q", 'no process "Q" yet'],
  ["dump", "the dump's label is missing"],
  ["dump @a", "the first one no @"],
  ["dump \u00e9", "printable ASCII"],
  ["munmap @a 4k", "a process runs it: write P munmap"],
  ["P munmpa @a 4k", "did you mean munmap?"],
  ["P dump 1", "dump is a command of the machine"],
  ["P", "the command of the process is missing"],
  ["P close 256", "out of bounds"],
  ["P madvise @a 4k free extra", '"extra" is one word too many'],
  ["P touch @a 99999999999999999999999 w", "out of bounds"],
  ["P exit\nP touch @a 4k w", "the process P has exited in line 3; spawn it again, or use it before"],
  ["P exit\ndump 1 P", "the process P has exited in line 3"],
  [`dump 1 ${"P ".repeat(14)}`, "too many words in a line; at most 15"],
  [`P touch ${" ".repeat(600)}@a 4k w`, "the line is too long"],
  ["P touch @a 4k\0 w", "there is a zero byte"],
  ["P touch @a 4k w\r", "there is a carriage return"],
  ["P touch @a\u00a04k w", "is not a size"],
])("refused: %s", (line, complaint) => {
  const errors = errorsOfLine(line);
  expect(errors.join("\n")).toContain(complaint);
});

test("a name is free again when its process has exited, and pins are the child's too", () => {
  expect(
    errorsOfLine("P uring 0 @a 4k\nP fork C\nC unuring 0\nC exit\nP fork C\nC vmsplice 1 @a 4k\nC unvmsplice 1"),
  ).toEqual([]);
});

test("a mapping of a line that is wrong still has its name: one mistake is told once", () => {
  expect(errorsOf("spawn P\nP mmap a 0x200000000 2M rw anon,prv\nP touch @a 4k w")).toHaveLength(1);
});

test("limits are named", () => {
  const { processes: PROCESSES_MAX, regions: REGIONS_MAX, scenarioBytes: SCENARIO_BYTES_MAX } = LIMITS.driver;
  const spawns = Array.from({ length: PROCESSES_MAX + 1 }, (_, index) => `spawn P${index}`).join("\n");
  expect(errorsOf(spawns).join()).toContain(`more than ${PROCESSES_MAX} processes`);
  const maps = Array.from({ length: REGIONS_MAX + 1 }, (_, index) => `P mmap a${index} 0x200000000 4k r anon,priv`);
  expect(errorsOf(["spawn P", ...maps].join("\n")).join()).toContain(`more than ${REGIONS_MAX} mmap`);
  expect(errorsOf("#".repeat(SCENARIO_BYTES_MAX))).toEqual([]);
  expect(errorsOf("#".repeat(SCENARIO_BYTES_MAX + 1))).toEqual([
    "t.scn:1:1: the scenario is too long; at most 65535 bytes",
  ]);
  expect(errorsOf(`#${"\u{1f600}".repeat(SCENARIO_BYTES_MAX / 4 + 1)}`)).toEqual([
    "t.scn:1:1: the scenario is too long; at most 65535 bytes",
  ]);
  expect(errorsOf("x\n".repeat(1000))).toHaveLength(100);
});

test("for the model alone there may be thousands of processes and mappings, within limits that are named too", () => {
  const { processes, regions, scenarioBytes } = LIMITS.model;
  const lives = Array.from({ length: processes }, () => "spawn P\nP exit").join("\n");
  expect(parseScenario(lives, "t.scn", "model").ok).toBe(true);
  expect(parseScenario(`${lives}\nspawn P`, "t.scn", "model")).toMatchObject({
    ok: false,
    errors: [{ message: `there are more than ${processes} processes in this scenario` }],
  });
  const maps = (count: number): string => `spawn P\n${"P mmap a 0x200000000 4k r anon,priv\n".repeat(count)}`;
  expect(parseScenario(maps(regions), "t.scn", "model").ok).toBe(true);
  expect(parseScenario(maps(regions + 1), "t.scn", "model").ok).toBe(false);
  expect(parseScenario("#".repeat(scenarioBytes), "t.scn", "model").ok).toBe(true);
  expect(parseScenario("#".repeat(scenarioBytes + 1), "t.scn", "model")).toMatchObject({
    ok: false,
    errors: [{ message: "the scenario is too long", hint: `at most ${scenarioBytes} bytes` }],
  });
});

test("messages quote nothing that moves a cursor", () => {
  expect(errorsOf("\u001b[2J\u202e x")[0]).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

test("scenarioOf throws all errors as one", () => {
  expect(() => scenarioOf("x\ny", "t.scn")).toThrow(BadScenario);
});
