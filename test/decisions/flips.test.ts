/**
 * Histories after which a scheme decides otherwise than the truth, in the direction that the rule declares.
 */
import { expect, test } from "vitest";
import { SCHEMES, findScheme } from "../../src/schemes/index.ts";
import { NO, UNKNOWN, YES } from "../../src/schemes/scheme.ts";
import { SchemeAnswers, surveyDecisions } from "../../src/decisions/index.ts";
import { changeGets } from "../../src/memory/index.ts";
import { type CountedMachine, scenarioOf } from "../../src/scenario/index.ts";
import { runHeard } from "./heard-scenario.ts";

/** Of one scheme: rule, and "yes" or "no" where the truth is the other, or "walk". */
function flipsOf(id: string, scenario: string, config: "page" | "nopage" = "page"): Set<string> {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`no scheme ${id}`);
  const found = new Set<string>();
  const hear = ({ rule, truth, decisions }: Parameters<Parameters<typeof surveyDecisions>[2]>[0]): void => {
    if (decisions[0] === UNKNOWN) found.add(`${rule.id} walk`);
    else if (decisions[0] !== truth) found.add(`${rule.id} ${decisions[0] === YES ? "yes" : "no"}`);
  };
  const machine = runHeard(scenario, { config, schemes: [scheme], frameCount: 65_536 }, () => hear);
  surveyDecisions(machine, machine.mappedFolios(), hear);
  return found;
}

/** A folio of 16 pages that three address spaces had, and that C alone has now. */
const STUCK = `
thp 64kB madvise
spawn A
A mmap a 0x200000000 64k rw anon,priv
A madvise @a 64k hugepage
A touch @a 64k w
A fork B
A fork C
A munmap @a 64k
B exit
`;

/** Parent and child have both unmapped the same page; a child keeps the rest. */
const HIDDEN = `
swapon /dev/ram1
thp 64kB madvise
spawn A
A mmap a 0x200000000 64k rw anon,priv
A madvise @a 64k hugepage
A touch @a 64k w
A fork B
A munmap @a 4k
B munmap @a 4k
`;

test.each(["page", "mm-owner", "mapped-pages"])(
  "%s takes a folio that two owners left for shared (kernel-facts 2.5)",
  (id) => {
    const config = id === "page" ? "page" : "nopage";
    const surveyed = ["mbind-queue no", "numa-hint no", "referenced-dying no", "collapse-shared yes"];
    expect(flipsOf(id, `${STUCK}C touch @a 4k w\n`, config)).toEqual(new Set(["reuse-large no", ...surveyed]));
    expect(flipsOf(id, `${STUCK}C madvise @a 4k cold\n`, config)).toEqual(new Set(["age-part no", ...surveyed]));
    expect(flipsOf(id, `${STUCK}C madvise @a 4k free\n`, config)).toEqual(new Set(["lazyfree-part no", ...surveyed]));
    expect(flipsOf(id, `${STUCK}C migrate @a 4k 1\n`, config)).toEqual(new Set(["move-page no", ...surveyed]));
  },
);

test.each(["sums", "rmap-id"])("%s does not", (id) => {
  for (const command of ["touch @a 4k w", "madvise @a 4k cold", "madvise @a 4k free", "migrate @a 4k 1"]) {
    const flips = flipsOf(id, `${STUCK}C ${command}\n`);
    for (const rule of ["reuse-large", "age-part", "lazyfree-part", "move-page", "mbind-queue"]) {
      expect([...flips].filter((flip) => flip.startsWith(`${rule} `))).toEqual([]);
    }
  }
});

test("mm-owner misses a page that parent and child both unmapped, and its bytes are held (kernel-facts 2.7)", () => {
  expect(flipsOf("mm-owner", HIDDEN, "nopage")).toContain("defer-split no");
  expect(flipsOf("page", HIDDEN)).not.toContain("defer-split no");
});

test("none never sees that a folio is partially mapped: it is moved and swapped out whole", () => {
  const flips = flipsOf("none", `${HIDDEN}B exit\nA migrate @a+4k 4k 1\n`);
  expect(flips).toContain("defer-split no");
  expect(flips).toContain("migrate-split-partial no");
  expect(flipsOf("none", `${HIDDEN}B exit\nA madvise @a+4k 60k pageout\n`)).toContain("defer-split no");
});

test("a scheme that counts VMAs takes one address space's two VMAs for two owners", () => {
  const split = STUCK.replace("A fork B\nA fork C\nA munmap @a 64k\nB exit", "A mprotect @a 16k r");
  expect(flipsOf("vma", `${split}A madvise @a+32k 4k cold\n`)).toContain("age-part no");
  expect(flipsOf("page", `${split}A madvise @a+32k 4k cold\n`)).not.toContain("age-part no");
});

test("one address space that maps one folio of shmem by two PMDs: not shared by owners, shared by VMAs (kernel-facts 9.4)", () => {
  const twice = `
shmthp 2048kB always
spawn A
A memfd 0 2M
A mmap a 0x200000000 2M rw shared fd=0
A touch @a 2M w
A mmap b 0x240000000 2M rw shared fd=0
A touch @b 4k r
A madvise @a 4k cold
`;
  expect(flipsOf("vma", twice)).toContain("age-pmd no");
  expect(flipsOf("page", twice)).not.toContain("age-pmd no");
});

test("first-page splits a folio that a child still maps elsewhere", () => {
  const kept = STUCK.replace("A fork C\nA munmap @a 64k\nB exit\n", "B munmap @a 60k\nA munmap @a+48k 16k\n");
  expect(flipsOf("first-page", `${kept}A madvise @a 4k cold\n`)).toContain("age-part yes");
});

test.each([
  [1023, true],
  // The swap cache holds one more before the entry goes.
  [1021, false],
])(
  "a small page with its mapping and %i other references: looks pinned, %s; no pin is there",
  (references, looksPinned) => {
    const scenario = scenarioOf(
      "swapon /dev/ram1\nspawn A\nA mmap a 0x200000000 4k rw anon,priv\nA touch @a 4k w\nA madvise @a 4k pageout\n",
      "test.scn",
    );
    const page = SCHEMES.filter(({ id }) => id === "page");
    const pins: string[] = [];
    let commands = 0;
    const machine = runHeard(
      scenario,
      { config: "page", schemes: page, frameCount: 65_536 },
      () =>
        ({ rule, truth, taken, decisions }) => {
          if (rule.id === "maybe-pinned") pins.push(`${truth === YES} ${taken} ${decisions[0] === YES}`);
        },
      (running) => {
        if (++commands === 4) changeGets(running.memory, running.mappedFolios()[0], references);
      },
    );
    expect(new Set(pins)).toEqual(new Set([`false ${looksPinned} ${looksPinned}`]));
    // A page that looks pinned keeps its mapping.
    expect(machine.mappedFolios()).toHaveLength(looksPinned ? 1 : 0);
    const answers = new SchemeAnswers(page[0], machine.studied[0].counter);
    for (const head of machine.mappedFolios()) {
      expect([answers.pinned(head), machine.truth.pinned(head)]).toEqual([YES, NO]);
    }
  },
);

test("an exact count of pins and the heuristic agree about what is pinned, and a large folio is never taken for it", () => {
  const { machine, answers } = pinnedMachine();
  const said = machine.mappedFolios().map((head) => [answers.pinned(head), machine.truth.pinned(head)]);
  expect(said.filter(([answer]) => answer === YES)).toEqual([
    [YES, YES],
    [YES, YES],
  ]);
  expect(said.filter(([answer, truth]) => answer !== truth)).toEqual([]);
});

/** A process with a small folio and one of 64 kB, each with a pin, and others without. */
function pinnedMachine(): { machine: CountedMachine; answers: SchemeAnswers } {
  const page = SCHEMES.filter(({ id }) => id === "page");
  const machine = runHeard(
    `thp 64kB madvise
spawn A
A mmap a 0x200000000 64k rw anon,priv
A madvise @a 64k hugepage
A touch @a 64k w
A uring 0 @a 4k
A mmap b 0x240000000 16k rw anon,priv
A touch @b 16k w
A uring 1 @b 4k
`,
    { config: "page", schemes: page, frameCount: 65_536 },
    () => () => undefined,
  );
  return { machine, answers: new SchemeAnswers(page[0], machine.studied[0].counter) };
}

test("troll has lost count of a page that two children left, and copies it", () => {
  const small = "spawn A\nA mmap a 0x200000000 4k rw anon,priv\nA touch @a 4k w\nA fork B\nA fork C\nB exit\nC exit\n";
  expect(flipsOf("troll", `${small}A touch @a 4k w\n`)).toContain("reuse-small no");
  expect(flipsOf("page", `${small}A touch @a 4k w\n`)).not.toContain("reuse-small no");
  const huge =
    "thp 2048kB madvise\nspawn A\nA mmap a 0x200000000 2M rw anon,priv\nA madvise @a 2M hugepage\nA touch @a 2M w\n";
  const left = `${huge}A fork B\nA fork C\nB exit\nC exit\nA touch @a 4k w\n`;
  expect(flipsOf("troll", left)).toContain("reuse-pmd no");
  expect(flipsOf("mm-owner", left, "nopage")).not.toContain("reuse-pmd no");
});

test("every scheme leaves what is decided by references alone as it is", () => {
  const held = `${HIDDEN}B exit\nA vmsplice 1 @a+4k 4k\nA madvise @a+4k 4k cold\nA madvise @a+4k 60k pageout\n`;
  for (const { id } of SCHEMES) {
    const flips = [...flipsOf(id, held)].filter((flip) => /^(?:split-folio|migrate-references) (?:yes|no)$/.test(flip));
    expect(flips, id).toEqual([]);
  }
});

test("troll at Many keeps the references that it has lost count of, and the folio is not freed when its last owner goes", () => {
  const three = `
thp 64kB madvise
spawn A
A mmap a 0x200000000 64k rw anon,priv
A madvise @a 64k hugepage
A touch @a 64k w
A fork B
A fork C
A exit
B exit
C exit
`;
  expect(flipsOf("troll", three)).toContain("free-folio no");
  expect(flipsOf("three-state", three)).not.toContain("free-folio no");
  expect(flipsOf("mm-owner", three, "nopage")).not.toContain("free-folio no");
});

test("who counts VMAs and not entries says of a page of its own that it is its own: no leak, though page_count says no", () => {
  // 16 references of one owner: the rule of 5.9 copies.
  const own = `
thp 64kB madvise
spawn A
A mmap a 0x200000000 64k rw anon,priv
A madvise @a 64k hugepage
A touch @a 64k w
A fork B
B exit
`;
  const found: string[] = [];
  const hear = ({ rule, truth, decisions }: Parameters<Parameters<typeof surveyDecisions>[2]>[0]): void => {
    if (rule.id === "reuse-large") found.push(`${decisions[0]} ${truth}`);
  };
  const scheme = findScheme("troll");
  if (scheme === undefined) throw new Error("no scheme troll");
  const options = { config: "page", schemes: [scheme], frameCount: 65_536, cowRule: "page-count" } as const;
  runHeard(`${own}A touch @a 4k w\n`, options, () => hear);
  expect(found).toEqual(["0 0"]);
});
