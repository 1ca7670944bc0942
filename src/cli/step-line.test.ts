import { expect, test } from "vitest";
import { SILENT_MS } from "./progress-line.ts";
import { StepLine } from "./step-line.ts";

function written(options: { readonly isTTY: boolean; readonly quiet: boolean }, atMs: readonly number[]): string[] {
  const texts: string[] = [];
  let now = 0;
  const stream = { isTTY: options.isTTY, columns: 10, write: (text: string) => texts.push(text) };
  const line = new StepLine(stream, { quiet: options.quiet, now: () => now });
  for (const [index, ms] of atMs.entries()) {
    now = ms;
    line.show(`step ${index} of many`);
  }
  line.clear();
  line.clear();
  return texts;
}

test("a step is shown after half a second, cut to the terminal, and gone at the end", () => {
  const after = SILENT_MS + 1;
  expect(written({ isTTY: true, quiet: false }, [0, after])).toEqual(["\r\u001b[Kstep 1 of", "\r\u001b[K"]);
});

test("nothing is written where there is no terminal, with --quiet, or in the first half second", () => {
  expect(written({ isTTY: false, quiet: false }, [0, 9999])).toEqual([]);
  expect(written({ isTTY: true, quiet: true }, [0, 9999])).toEqual([]);
  expect(written({ isTTY: true, quiet: false }, [0, SILENT_MS - 1])).toEqual([]);
});
