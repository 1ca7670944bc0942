/**
 * docs/comparison-json.md names the fields of real comparisons: all of them, and no others.
 *
 * The page has a section for each kind of object, headed by its place in the document (`questions[].byScheme[]`), or by its
 * name alone where it stands in several places (`counting`).
 */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { formatComparisonJson, formatComparisonsJson } from "../../src/report/index.ts";
import { scenarioOf } from "../../src/scenario/index.ts";
import { COST_NAMES, type CostProfile, SCHEMES, findScheme } from "../../src/schemes/index.ts";
import { type CompareOptions, XEON_4210R, compareScenario, compareWorkload } from "../../src/study/index.ts";
import { findWorkload, leastValues } from "../../src/workloads/index.ts";

const PAGE = readFileSync(new URL("../../docs/comparison-json.md", import.meta.url), "utf8");

/** By mapcount a page that two map is reused, if its mapcount is an average: a leak. */
const LEAK = `thp 64kB always
spawn P
P mmap a 0x200000000 64k rw anon,priv
P touch @a 64k w
P fork C
C munmap @a+4k 60k
P touch @a 4k w
`;

/** A machine on which looking into a VMA takes a millisecond, so that whoever cannot answer is ten times slower. */
const DEAR_WALKS: CostProfile = {
  ...XEON_4210R,
  counting: { ...XEON_4210R.counting, vmasVisited: { ns: 1e6, low: 1e6, high: 1e6 } },
};

const spans = (text: string): string[] => Array.from(text.matchAll(/`([^`]+)`/g), ([, name]) => name);

/** Fields by section, as the page has them. */
function fieldsOfPage(): Map<string, string[]> {
  const sections = new Map<string, string[]>();
  for (const section of PAGE.slice(PAGE.indexOf("## The document"), PAGE.indexOf("## Many")).split(/^### /m).slice(1)) {
    const [heading, ...lines] = section.split("\n");
    const rows = lines.filter((line) => line.startsWith("| `"));
    const fields = rows.flatMap((row) => spans(row.split("|")[1]));
    for (const place of spans(heading)) sections.set(place, fields);
  }
  return sections;
}

/** Fields of every object in a document, by its place; `parameters` has names of its own. */
function addFields(value: unknown, place: string, found: Map<string, Set<string>>): void {
  if (Array.isArray(value)) {
    for (const item of value) addFields(item, `${place}[]`, found);
    return;
  }
  if (typeof value !== "object" || value === null || place === "workload.parameters") return;
  const at = place === "" ? "comparison" : place;
  const fields = found.get(at) ?? new Set<string>();
  found.set(at, fields);
  for (const [name, item] of Object.entries(value)) {
    fields.add(name);
    addFields(item, place === "" ? name : `${place}.${name}`, found);
  }
}

describe("docs/comparison-json.md", () => {
  const documents: unknown[] = [];
  beforeAll(async () => {
    const options: CompareOptions = { schemes: SCHEMES, against: schemeOf("page"), costs: DEAR_WALKS };
    const pud = findWorkload("pud-to-pte");
    if (pud === undefined) throw new Error("pud-to-pte is a workload");
    const comparisons = [
      await compareScenario(scenarioOf(LEAK, "leak.scn"), { ...options, cowRule: "mapcount" }),
      await compareWorkload(pud, { values: { ...leastValues(pud), unmaps: 1 }, seed: 1 }, options),
    ];
    documents.push(...comparisons.map((comparison) => JSON.parse(formatComparisonJson(comparison)) as unknown));
    expect(JSON.parse(formatComparisonsJson(comparisons))).toEqual({
      schema: "foliometer-comparisons",
      version: 1,
      comparisons: documents,
    });
  });

  test("has the fields of real comparisons, and no others", () => {
    const real = new Map<string, Set<string>>();
    for (const document of documents) addFields(document, "", real);
    const page = fieldsOfPage();
    const met = new Set<string>();
    for (const [place, fields] of real) {
      const section = page.has(place) ? place : (place.split(".").at(-1) ?? place);
      met.add(section);
      expect(page.get(section)?.toSorted(), place).toEqual([...fields].toSorted());
    }
    // Every section stands for something that is really there, leaks and catastrophes among it.
    expect([...page.keys()].filter((section) => !met.has(section))).toEqual([]);
    expect(real.size).toBeGreaterThan(page.size);
  });

  test("names every unit of counting", () => {
    expect(fieldsOfPage().get("counting")?.toSorted()).toEqual(COST_NAMES.toSorted());
  });

  test("names every consequence that there is in the comparisons, and every question", () => {
    const text = JSON.stringify(documents);
    const words = [...text.matchAll(/"(?:consequence|question|guarantee)":"([^"]+)"/g)].map(([, word]) => word);
    expect(new Set(words).size).toBeGreaterThan(15);
    for (const word of new Set(words)) expect(PAGE).toContain(`\`${word}\``);
  });
});

function schemeOf(id: string) {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`${id} is a scheme`);
  return scheme;
}
