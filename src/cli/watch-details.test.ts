/**
 * Below the list of processes only what is of the process and the VMA in view is shown.
 */
import { expect, test } from "vitest";
import { madeUpVma } from "../../test/report/made-up-moment.ts";
import { initialView } from "../report/index.ts";
import { detailsInView } from "./watch-details.ts";

const VMAS = [madeUpVma(16, 40, "[heap]"), madeUpVma(64, 400, "/lib/x.so")];
const CONTENTS = { vma: VMAS[1], folios: [], sharers: [] };
const DETAILS = { pid: 100, vmas: VMAS, startPage: 64, contents: CONTENTS };
const VIEW = { ...initialView("pss"), level: "vma", pid: 100, startPage: 64 } as const;

test("details of the process and the VMA in view are shown", () => {
  expect(detailsInView(DETAILS, VIEW)).toEqual({ vmas: VMAS, contents: CONTENTS });
});

test("of another process nothing is shown under its name until it was studied", () => {
  expect(detailsInView(DETAILS, { ...VIEW, level: "vmas", pid: 101 })).toEqual({});
  expect(detailsInView(DETAILS, { ...VIEW, pid: 101 })).toEqual({});
  expect(detailsInView(undefined, VIEW)).toEqual({});
});

test("of another VMA the contents are not shown until they were studied, and the list is", () => {
  expect(detailsInView(DETAILS, { ...VIEW, startPage: 16 })).toEqual({ vmas: VMAS });
});

test("of a process that is gone there are no VMAs", () => {
  const gone = { pid: 100, vmas: undefined, startPage: 64, contents: undefined };
  expect(detailsInView(gone, VIEW)).toEqual({});
});
