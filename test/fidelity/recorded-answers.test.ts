/**
 * The model against recorded answers: 440 short scenarios, each about one thing, on two real kernels (Linux 6.18.15, built
 * with and without CONFIG_PAGE_MAPCOUNT). Every figure of every dump is compared, and every command's result.
 *
 * `recorded.json.gz` is { name: { scenario, page, nopage } }, as `npm run fidelity -- --record DIR` writes them.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { describeDifference, readRecord } from "../../src/scenario/index.ts";
import { judge } from "./compare.ts";

interface Recorded {
  readonly scenario: string;
  readonly page: unknown;
  readonly nopage: unknown;
}

const RECORDED = JSON.parse(
  gunzipSync(readFileSync(new URL("recorded.json.gz", import.meta.url))).toString("utf8"),
) as Readonly<Record<string, Recorded>>;
const AREAS = [...new Set(Object.keys(RECORDED).map((name) => name.split("_")[0]))];

describe.each(AREAS)("%s", (area) => {
  const names = Object.keys(RECORDED).filter((name) => name.startsWith(`${area}_`));

  test.each(names)("%s comes out as on both kernels", (name) => {
    const { scenario: text, page, nopage } = RECORDED[name];
    for (const [kernel, recorded] of [
      ["page", page],
      ["nopage", nopage],
    ] as const) {
      const outcome = judge({ name, text }, kernel, { kind: "record", record: readRecord(recorded), json: "" });
      const said =
        outcome.kind === "differs"
          ? outcome.differences.map((one) => describeDifference(one, { left: "model", right: kernel }))
          : outcome;
      expect(said).toEqual({ kind: "equal" });
    }
  });
});
