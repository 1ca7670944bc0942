import { expect, test } from "vitest";
import { RECORDED, recordedScenario } from "../../test/scenario/recordings.ts";
import type { CowRule } from "../memory/index.ts";
import { type ContentsCheck, checkContentsOf } from "./check-contents.ts";
import { ContentsOracle, UnsafeContents } from "./contents-oracle.ts";
import { seenThroughEntry } from "./contents-view.ts";
import { type KernelConfig, createCountedMachine } from "./counted-machine.ts";
import { runCommand } from "./model-commands.ts";
import { ModelRun } from "./model-run.ts";
import { runScenario } from "./model-runner.ts";
import { scenarioOf } from "./parse-scenario.ts";

function check(text: string, cowRule: CowRule = "large-reuse", config: KernelConfig = "page"): ContentsCheck {
  return checkContentsOf(scenarioOf(text, "t.scn"), { config, cowRule, frameCount: 32_768 });
}

/** The error's kind and sentence. */
function unsafe(result: ContentsCheck): string {
  return result.kind === "unsafe" ? `${result.error.kind}: ${result.error.message}` : result.kind;
}

const PAGE = "spawn P\nP mmap a 0x200000000 4k rw anon,priv\nP fill @a 4k 1\n";

test.each(["page", "nopage"] as const)("every recorded scenario is safe on contents on a %s kernel", (config) => {
  for (const name of RECORDED) {
    expect(unsafe(checkContentsOf(recordedScenario(name), { config })), name).toBe("safe");
  }
});

test("CVE-2020-29374 shows as a pipe that sees a later write, with who wrote it", () => {
  const text = `${PAGE}P fork C\nC vmsplice 0 @a 4k\nC munmap @a 4k\nP fill @a 4k 0xff\n`;
  const result = check(text, "mapcount");
  expect(unsafe(result)).toBe(
    "leak: line 7: C's pipe 0 sees 0xffffffffffffffff, which P wrote in line 7, and must see 0x101010101010101, " +
      "which P wrote in line 3",
  );
  if (result.kind === "unsafe") {
    expect(result.error.history).toHaveLength(7);
    expect(result.error.writer).toMatchObject({ process: "P", line: 7 });
  }
  expect(unsafe(check(text))).toBe("safe");
  expect(unsafe(check(text, "page-count"))).toBe("safe");
});

test("a pipe may show what its own owner writes later, or not", () => {
  const text = `${PAGE}P vmsplice 0 @a 4k\nP fill @a 4k 2\nP fork C\nP fill @a 4k 3\nP munmap @a 4k\n`;
  for (const rule of ["mapcount", "page-count", "large-reuse"] as const) expect(unsafe(check(text, rule))).toBe("safe");
});

test("a page that a device may write must be its owner's: fork parts them before 5.10", () => {
  const text = `${PAGE}P uring 0 @a 4k\nP fork C\nP fill @a 4k 2\n`;
  expect(unsafe(check(text, "mapcount"))).toMatch(/^lost-dma: line 6: P's registered buffer 0 sees 0x1010101/);
  expect(unsafe(check(text))).toBe("safe");
});

test("that both parts say the same by chance makes them no one page: what the device writes next would be lost", () => {
  const text = `${PAGE}P uring 0 @a 4k\nP fork C\nP fill @a 4k 1\n`;
  expect(unsafe(check(text, "mapcount"))).toMatch(
    /^lost-dma: line 6: P at 0x200000000 has another page than P's registered buffer 0/,
  );
  expect(unsafe(check(text))).toBe("safe");
});

test("a read-only pin of a shared page loses its owner where pins do not unshare", () => {
  const text = `${PAGE}P fork C\nP guppin @a 4k\nP fill @a 4k 2\n`;
  for (const rule of ["mapcount", "page-count"] as const) {
    expect(unsafe(check(text, rule))).toMatch(/^lost-dma: line 6: the pin of gup_test sees 0x10101/);
  }
  expect(unsafe(check(text, "exclusive"))).toBe("safe");
});

test("mapcount's rule over averages leaks into a child that only reads", () => {
  const text = `thp 64kB madvise
spawn P
P mmap a 0x200000000 64k rw anon,priv
P madvise @a 64k hugepage
P fill @a 64k 1
P fork C
C touch @a 36k w
P touch @a 64k w
`;
  expect(unsafe(check(text, "mapcount", "page"))).toBe("safe");
  expect(unsafe(check(text, "mapcount", "nopage"))).toMatch(/^leak: line 8: C at 0x2[0-9a-f]+ sees/);
});

test("what a pin holds stays when its owner gives the page up, and is nobody else's", () => {
  const text = `${PAGE}P uring 0 @a 4k\nP madvise @a 4k dontneed\nP fill @a 4k 2\nP munmap @a 4k\nP mmap b 0x200000000 4k rw anon,priv\nP fill @b 4k 3\n`;
  expect(unsafe(check(text))).toBe("safe");
});

const FILE = "spawn P\nP memfd 0 10000\nP mmap s 0x200000000 12k rw shared fd=0\nP fill @s 12k 1\n";

test.each([
  ["a shared page is one for all", `${FILE}P fork C\nC fill @s 8k 2\nP touch @s 8k r\n`],
  [
    "a private copy outlives a hole",
    `${FILE}P mmap p 0x210000000 12k rw priv fd=0\nP fill @p 4k 2\nP fallocate 0 0 8k punch\nP touch @p 8k r\n`,
  ],
  [
    "and not the end of the file",
    `${FILE}P mmap p 0x210000000 12k rw priv fd=0\nP fill @p 12k 2\nP ftruncate 0 1000\nP ftruncate 0 12k\nP touch @p 12k r\nP touch @s 12k r\n`,
  ],
  [
    "a write goes to the file's page and its shared mappings",
    `${FILE}P mmap p 0x210000000 12k rw priv fd=0\nP touch @p 12k r\nP pwrite 0 100 5000\nP touch @p 12k r\n`,
  ],
  [
    "MADV_FREE leaves the old page or zeros",
    `${PAGE}P madvise @a 4k free\nP touch @a 4k r\nP madvise @a 4k pageout\nP touch @a 4k w\n`,
  ],
  [
    "swap keeps what was written",
    `swapon /dev/ram1\n${PAGE}P fork C\nP madvise @a 4k pageout\nC fill @a 4k 2\nP touch @a 4k r\nswapoff /dev/ram1\n`,
  ],
  [
    "memory that is wiped on fork",
    `${PAGE}P madvise @a 4k wipeonfork\nP fork C\nC touch @a 4k r\nP exit\nC fill @a 4k 2\n`,
  ],
  [
    "pages move with mremap",
    `${PAGE}P fork C\nP mremap @a 4k 4k 0x300000000 dontunmap\nP touch @a 4k r\nP touch 0x300000000 4k w\nC touch @a 4k r\n`,
  ],
])("%s", (_claim, text) => {
  expect(unsafe(check(text))).toBe("safe");
});

test("a process that dies of a bad access takes its own pages along and leaves shared ones", () => {
  const text = `${FILE}P fork C\nC touch @s 16k w\nP touch @s 8k r\nP fill @s 8k 3\n`;
  expect(unsafe(check(text))).toBe("safe");
});

test("no page of any kind can change behind a process's back without being noticed, and none is missed", () => {
  const text = `swapon /dev/ram1
thp 64kB madvise
spawn P
P mmap a 0x200000000 64k rw anon,priv
P madvise @a 64k hugepage
P fill @a 64k 1
P fork C
C touch @a 16k w
P memfd 0 8k
P mmap s 0x210000000 8k rw shared fd=0
P fill @s 8k 2
P mmap b 0x220000000 8k rw anon,priv
P fill @b 8k 3
P uring 0 @b 8k
P mmap z 0x230000000 8k rw anon,priv
P touch @z 8k r
sleep 1
`;
  const { commands } = scenarioOf(text, "t.scn");
  const noticed = (spoil: (run: ModelRun) => number): string => {
    const run = new ModelRun(createCountedMachine({ config: "page", frameCount: 32_768 }));
    const oracle = new ContentsOracle(run);
    for (const command of commands) {
      if (command.kind === "sleep") spoil(run);
      const before = oracle.before(command);
      oracle.after(command, before, runCommand(run, command));
    }
    return "nothing";
  };
  const spoiling =
    (process: string, page: number) =>
    (run: ModelRun): number => {
      const { memory } = run.machine;
      const mm = run.find(process)?.mm;
      const seen = mm === undefined ? undefined : seenThroughEntry(memory, mm, page);
      if (seen?.kind !== "page" || seen.frame < 0) throw new Error(`${process} has no page ${page}`);
      memory.contents.set(seen.frame, memory.contents.filled(0x77));
      return seen.frame;
    };
  expect(noticed(() => 0)).toBe("nothing");
  const start = 0x200000000 / 4096;
  const places: (readonly [string, number])[] = [
    ...Array.from({ length: 16 }, (_, page) => ["P", start + page] as const),
    ...Array.from({ length: 16 }, (_, page) => ["C", start + page] as const),
    ...[0x210000000, 0x220000000, 0x230000000].flatMap((at) => [
      ["P", at / 4096] as const,
      ["P", at / 4096 + 1] as const,
    ]),
  ];
  for (const [process, page] of places) {
    expect(() => noticed(spoiling(process, page)), `${process} ${page}`).toThrow(
      /line 17: .* sees 0x7+, and must see /,
    );
  }
});

test("runScenario checks contents where it is asked to, and says what is wrong at which line", () => {
  const scenario = scenarioOf(`${PAGE}P uring 0 @a 4k\nP fork C\nP fill @a 4k 2\ndump d\n`, "t.scn");
  const options = { config: "page", schemes: [], frameCount: 32_768, cowRule: "mapcount" } as const;
  expect(() => runScenario(scenario, { ...options, checkContents: true })).toThrow(UnsafeContents);
  expect(runScenario(scenario, options).record.steps).toHaveLength(1);
});
