import { describe, expect, test } from "vitest";
import { SCHEMES, findScheme } from "../schemes/index.ts";
import { runScenario } from "./model-runner.ts";
import { scenarioOf } from "./parse-scenario.ts";
import type { ConsumerFigures, KernelCounting } from "./scenario-run.ts";

const KB = 1024;

function consumersOf(lines: readonly string[], config: KernelCounting = "page"): Map<string, ConsumerFigures> {
  const text = [...lines, "dump last"].join("\n");
  const { views } = runScenario(scenarioOf(text, "test.scn"), { config, schemes: SCHEMES, consumers: true });
  return new Map((views.at(-1)?.consumers ?? []).map((figures) => [figures.process, figures]));
}

/** What a process would be said to have under a scheme. */
function under(figures: ConsumerFigures, id: string): ConsumerFigures["byScheme"][number] {
  return figures.byScheme[SCHEMES.findIndex((scheme) => scheme.id === id)];
}

const HUGE = [
  "thp 2048kB madvise",
  "spawn P",
  "P mmap a 0x200000000 2M rw anon,priv",
  "P madvise @a 2M hugepage",
  "P touch @a 4k w",
  "P fork C",
];

describe("a parent that has copied 100 of 512 pages of a huge page that its child maps, too", () => {
  const figures = consumersOf([...HUGE, "P touch @a 400k w"]);
  const [parent, child] = [figures.get("P")!, figures.get("C")!];

  test("leaves 400 kB to each alone, as the page tables say", () => {
    for (const { truth } of [parent, child]) {
      expect(truth).toEqual({
        privateDirtyBytes: 400 * KB,
        procrankPssBytes: (400 + 1648 / 2) * KB,
        procrankUssBytes: 400 * KB,
      });
    }
  });

  test("is told so by a mapcount in every page", () => {
    for (const of of [parent, child]) expect(under(of, "page")).toEqual({ ...of.truth, foliosWalked: 0 });
  });

  test("hides the child's 400 kB where Private follows the folio: Redis logs nothing", () => {
    for (const id of ["mm-owner", "mapped-pages", "mm-owner-levels"]) {
      expect(under(child, id).privateDirtyBytes).toBe(0);
      expect(under(parent, id).privateDirtyBytes).toBe(400 * KB);
    }
  });

  test("hides it from procrank as well: 924 entries average to 2", () => {
    expect(under(child, "mm-owner")).toMatchObject({ procrankUssBytes: 0, procrankPssBytes: 1024 * KB });
  });

  test("costs a walk where the scheme has no count of pages, and the figure is the truth's", () => {
    const walked = under(child, "none");
    expect(walked.foliosWalked).toBe(1);
    expect(walked).toMatchObject({
      procrankPssBytes: child.truth.procrankPssBytes,
      procrankUssBytes: child.truth.procrankUssBytes,
    });
  });
});

test("procrank takes pages for a process's own when an average of 1 hides who shares them", () => {
  // P: a PMD entry and no more; C keeps one page of 512: 513 entries of pages average to 1.
  const figures = consumersOf([...HUGE, "C munmap @a+4k 2044k"]);
  const parent = figures.get("P")!;
  expect(parent.truth.procrankUssBytes).toBe(2044 * KB);
  expect(under(parent, "mm-owner").procrankUssBytes).toBe(2048 * KB);
  expect(under(parent, "mm-owner").privateDirtyBytes).toBe(0);
  expect(under(parent, "page").procrankUssBytes).toBe(2044 * KB);
});

test("pages with one mapping are exact under every scheme, small or large", () => {
  const figures = consumersOf([
    "thp 64kB madvise",
    "spawn P",
    "P mmap a 0x200000000 192k rw anon,priv",
    "P madvise @a 128k hugepage",
    "P touch @a 192k w",
  ]);
  const { truth, byScheme } = figures.get("P")!;
  expect(truth).toEqual({ privateDirtyBytes: 192 * KB, procrankPssBytes: 192 * KB, procrankUssBytes: 192 * KB });
  for (const [index, values] of byScheme.entries()) expect(values, SCHEMES[index].id).toMatchObject(truth);
});

test("the zero page is nobody's memory", () => {
  const figures = consumersOf(["spawn P", "P mmap a 0x200000000 64k rw anon,priv", "P touch @a 64k r"]);
  expect(figures.get("P")?.truth).toEqual({ privateDirtyBytes: 0, procrankPssBytes: 0, procrankUssBytes: 0 });
});

test.each([
  ["page", "page"],
  ["nopage", "mm-owner"],
] as const)("the scheme of a %s kernel says what that kernel's smaps and kpagecount say", (config, id) => {
  const scheme = findScheme(id)!;
  const lines = [...HUGE, "P touch @a 400k w", "C munmap @a+1M 512k", "dump last"];
  const { record, views } = runScenario(scenarioOf(lines.join("\n"), "test.scn"), {
    config,
    schemes: [scheme],
    consumers: true,
  });
  const { processes } = record.steps[0].dump;
  for (const { process, byScheme } of views[0].consumers ?? []) {
    const printedKb = processes[process].vmas.reduce((sum, { smaps }) => sum + smaps.Private_Dirty, 0);
    expect(byScheme[0].privateDirtyBytes).toBe(printedKb * KB);
  }
  expect(views[0].consumers).toHaveLength(2);
});

test("who does not ask for consumers gets none", () => {
  const { views } = runScenario(scenarioOf([...HUGE, "dump last"].join("\n"), "test.scn"), {
    config: "page",
    schemes: [],
  });
  expect(views[0]).not.toHaveProperty("consumers");
});
