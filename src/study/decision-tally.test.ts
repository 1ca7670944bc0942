/**
 * What counts as a walk made for a decision, and what a flip is.
 */
import { expect, test } from "vitest";
import { DECISION_RULES, type DecisionRecord, findRule } from "../decisions/index.ts";
import { ANON } from "../memory/index.ts";
import { NO, UNKNOWN, YES } from "../schemes/index.ts";
import { DecisionTally } from "./decision-tally.ts";

/** A decision about a folio of 16 pages, under one scheme. */
function record(id: string, truth: typeof NO | typeof YES, said: DecisionRecord["decisions"][number]): DecisionRecord {
  const rule = findRule(id);
  if (rule === undefined) throw new Error(`no rule ${id}`);
  const situation: DecisionRecord["situation"] = {
    head: 0,
    order: 4,
    kind: ANON,
    mm: 1,
    vma: 1,
    entries: 1,
    extraReferences: 0,
    cacheReferences: 0,
  };
  return { rule, situation, truth, taken: truth === YES, decisions: [said] };
}

/** The row of a rule after one decision. */
function rowAfter(id: string, truth: typeof NO | typeof YES, said: DecisionRecord["decisions"][number]) {
  const tally = new DecisionTally(1, DECISION_RULES);
  tally.hear(record(id, truth, said));
  tally.endStep(7);
  const row = tally.rows().find(({ decision }) => decision === id);
  if (row === undefined) throw new Error(`no row ${id}`);
  return { asked: row.asked, truthYes: row.truthYes, ...row.byScheme[0] };
}

test("who cannot say walks the reverse map for the decision", () => {
  expect(rowAfter("move-page", YES, UNKNOWN)).toMatchObject({ asked: 1, truthYes: 1, walks: 1 });
  expect(rowAfter("move-page", NO, UNKNOWN).walks).toBe(1);
});

test("where the operation walks anyway, only a folio that is not mapped costs a walk", () => {
  expect(rowAfter("reclaim-unmap", YES, UNKNOWN).walks).toBe(0);
  expect(rowAfter("reclaim-unmap", NO, UNKNOWN).walks).toBe(1);
});

test("nobody walks to know whether a walk may end, nor again right after one", () => {
  for (const truth of [YES, NO] as const) {
    expect(rowAfter("stop-unmap-walk", truth, UNKNOWN)).toMatchObject({ asked: 1, walks: 0 });
    expect(rowAfter("reclaim-still-mapped", truth, UNKNOWN)).toMatchObject({ asked: 1, walks: 0 });
  }
});

test("a flip is counted in its direction, with its bytes and the line of the first", () => {
  const none = { count: 0, bytes: 0, firstLine: 0 };
  expect(rowAfter("move-page", NO, YES)).toMatchObject({
    wrongYes: { count: 1, bytes: 65_536, firstLine: 7, isUnsafe: false },
    wrongNo: none,
  });
  expect(rowAfter("reclaim-unmap", YES, NO)).toMatchObject({
    wrongYes: none,
    wrongNo: { count: 1, bytes: 0, firstLine: 7, isUnsafe: true },
  });
  expect(rowAfter("move-page", YES, YES)).toMatchObject({ wrongYes: none, wrongNo: none, walks: 0 });
});

test("decisions at rest have no bytes: the same folio is asked about after every step that touches it", () => {
  expect(rowAfter("mbind-queue", YES, NO).wrongNo).toMatchObject({ count: 1, bytes: 0 });
  expect(rowAfter("move-page", YES, NO).wrongNo).toMatchObject({ count: 1, bytes: 65_536 });
});

test("a folio that the scheme has queued is split before it is swapped out or moved, whatever the count says by then", () => {
  for (const id of ["reclaim-split-partial", "migrate-split-partial", "move-page"]) {
    const tally = new DecisionTally(
      1,
      DECISION_RULES,
      (row, { head, order }) => row === 0 && head === 0 && order === 4,
    );
    tally.hear(record(id, YES, NO));
    tally.hear(record(id, NO, YES));
    const row = tally.rows().find(({ decision }) => decision === id)?.byScheme[0];
    expect(row?.wrongNo.count, id).toBe(id === "move-page" ? 1 : 0);
    expect(row?.wrongYes.count, id).toBe(1);
  }
});
