/**
 * docs/verdicts.md is what the command prints: a section or two are made again and must stand in it as they are.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatComparisonMarkdown } from "../../src/report/index.ts";
import { SCHEMES, findScheme } from "../../src/schemes/index.ts";
import { XEON_4210R, compareWorkload } from "../../src/study/index.ts";
import { WORKLOADS, findWorkload } from "../../src/workloads/index.ts";

const page = readFileSync(new URL("../../docs/verdicts.md", import.meta.url), "utf8");

test("it has a section for every workload, in their order", () => {
  const sections = [...page.matchAll(/^## (?<id>[a-z-]+): /gm)].map((match) => match.groups?.id);
  expect(sections).toEqual(WORKLOADS.map(({ id }) => id));
});

test.each(["third-mm", "ksm-hosts"])("the section of %s is what compare prints (npm run verdicts)", async (id) => {
  const workload = findWorkload(id);
  const against = findScheme("page");
  if (workload === undefined || against === undefined) throw new Error(`no workload ${id}`);
  const options = { schemes: SCHEMES, against, costs: XEON_4210R };
  const section = formatComparisonMarkdown(await compareWorkload(workload, { values: {}, seed: 1 }, options));
  expect(page).toContain(section);
});
