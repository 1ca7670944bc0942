import { fileURLToPath } from "node:url";
import stringWidth from "string-width";
import { expect, test } from "vitest";
import type { FolioView, ScenarioView } from "../scenario/index.ts";
import { formatAnswer, formatScenarioView } from "./scenario-view.ts";
import { COLOUR_STYLES, PLAIN_STYLES } from "./styles.ts";

const MIB = 2 ** 20;

/** A folio of 512 pages that P maps by a PMD and C by 256 PTEs, as two schemes see it. */
const HALF: FolioView = {
  label: "F1",
  order: 9,
  memory: "anon",
  answers: [
    { question: "mapped", about: "", truth: true, answers: [true, true] },
    { question: "mappings", about: "", truth: 257, answers: [257, 257] },
    {
      question: "pageMapcount",
      about: "",
      truth: [
        [0, 255, 2],
        [256, 511, 1],
      ],
      answers: [
        [
          [0, 255, 2],
          [256, 511, 1],
        ],
        [[0, 511, 2]],
      ],
    },
    { question: "others", about: "P", truth: true, answers: [true, true] },
    { question: "others", about: "C", truth: true, answers: [true, true] },
    { question: "partial", about: "", truth: false, answers: [false, "unknown"] },
  ],
};

/** Made up: a folio shared in part, small folios in a row, and everything else that a page can hold. */
function madeUpView(schemes: readonly string[] = ["page", "mm-owner"]): ScenarioView {
  const wide = <T>(values: readonly T[]): T[] => schemes.map((_, index) => values[Math.min(index, values.length - 1)]);
  const small = (label: string): FolioView => ({
    label,
    order: 0,
    memory: "shmem",
    answers: [{ question: "mapped", about: "", truth: true, answers: wide([true]) }],
  });
  const half = { ...HALF, answers: HALF.answers.map((row) => ({ ...row, answers: wide(row.answers) })) };
  return {
    label: "3_child_unmapped_half",
    line: 10,
    commands: ["C munmap 0x200100000 1M = 0"],
    schemes,
    processes: [
      {
        name: "P",
        vmas: [
          {
            start: 0x200000000,
            end: 0x200000000 + 2 * MIB,
            perm: "rw-p",
            name: "",
            pages: [{ firstPage: 0, pageCount: 512, holds: { kind: "folio", label: "F1", folioPage: 0, byPmd: true } }],
          },
          {
            start: 0x300000000,
            end: 0x300000000 + 64 * 4096,
            perm: "rw-s",
            name: "/memfd:kref (deleted)",
            pages: [
              { firstPage: 0, pageCount: 8, holds: { kind: "folio", label: "F2", folioPage: 0, byPmd: false } },
              { firstPage: 8, pageCount: 8, holds: { kind: "folio", label: "F3", folioPage: 0, byPmd: false } },
              { firstPage: 16, pageCount: 16, holds: { kind: "swap" } },
              { firstPage: 32, pageCount: 8, holds: { kind: "zero" } },
              { firstPage: 40, pageCount: 8, holds: { kind: "guard" } },
              { firstPage: 48, pageCount: 1, holds: { kind: "marker" } },
            ],
          },
        ],
      },
      {
        name: "C",
        vmas: [
          {
            start: 0x200000000,
            end: 0x200000000 + MIB,
            perm: "rw-p",
            name: "",
            pages: [
              { firstPage: 0, pageCount: 256, holds: { kind: "folio", label: "F1", folioPage: 0, byPmd: false } },
            ],
          },
        ],
      },
      { name: "D", vmas: [] },
    ],
    folios: [half, small("F2"), small("F3")],
  };
}

test.each([60, 100, Infinity])("at %d columns the screen is the one that was read and found good", async (width) => {
  const path = fileURLToPath(new URL(`./fixtures/scenario-${width}.txt`, import.meta.url));
  await expect(formatScenarioView(madeUpView(), { width, styles: PLAIN_STYLES })).toMatchFileSnapshot(path);
});

test("a dump without folios, and one without schemes, are drawn without a table", () => {
  const empty = { ...madeUpView(), folios: [], processes: [] };
  expect(formatScenarioView(empty, { width: 80, styles: PLAIN_STYLES })).not.toContain("question");
  const unasked = { ...madeUpView(), schemes: [] };
  expect(formatScenarioView(unasked, { width: 80, styles: PLAIN_STYLES })).not.toContain("question");
});

test("a cell shows a folio only if all its pages are of that folio", () => {
  const view = madeUpView();
  const [{ vmas }] = view.processes;
  const holed = { ...vmas[0], pages: [{ ...vmas[0].pages[0], pageCount: 511 }] };
  const text = formatScenarioView(
    { ...view, processes: [{ name: "P", vmas: [holed] }] },
    { width: 60, styles: PLAIN_STYLES },
  );
  expect(text).toMatch(/a cell is \d+ pages/);
  expect(text).toMatch(/ aH+\n.* H+\+\n/);
});

test.each([20, 40, 80, 132, 200])(
  "at %d columns no line is wider, has a control character or ends in a space",
  (width) => {
    const schemes = Array.from({ length: 15 }, (_, index) => `scheme-${index}`);
    const view = madeUpView(schemes);
    const hostile = "a\nb\u001b[31m\u202e";
    const shown = {
      ...view,
      label: hostile,
      commands: [hostile],
      processes: view.processes.map(({ name, vmas }) => ({
        name,
        vmas: vmas.map((vma) => ({ ...vma, name: hostile })),
      })),
    };
    for (const line of formatScenarioView(shown, { width, styles: PLAIN_STYLES }).split("\n")) {
      expect(stringWidth(line)).toBeLessThanOrEqual(width);
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}]| $/u);
    }
  },
);

test("colours change nothing but colours, and a folio has the same one in every process", () => {
  const coloured = formatScenarioView(madeUpView(), { width: 100, styles: COLOUR_STYLES });
  // oxlint-disable-next-line no-control-regex
  expect(coloured.replaceAll(/\u001b\[\d+m/g, "")).toBe(
    formatScenarioView(madeUpView(), { width: 100, styles: PLAIN_STYLES }),
  );
  expect(coloured.split("\u001b[46m").length - 1).toBeGreaterThanOrEqual(3);
});

test("answers are words, numbers, or numbers for pages", () => {
  expect(formatAnswer(true)).toBe("yes");
  expect(formatAnswer(1234)).toBe("1,234");
  expect(
    formatAnswer([
      [0, 3, 2],
      [4, 7, 2],
    ]),
  ).toBe("2");
  expect(
    formatAnswer([
      [0, 0, 1],
      [1, 3, 2],
    ]),
  ).toBe("1 of 0, 2 of 1-3");
});
