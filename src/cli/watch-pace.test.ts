import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CPU_SHARE, budgetFor, paceOf } from "./watch-pace.ts";

const ms = fc.double({ min: 0, max: 1e5, noNaN: true });

test("whatever a moment costs, what follows is waited for until it is the share again", () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1e6, noNaN: true }), ms, (interval, cpu) => {
      const pace = paceOf(interval, cpu);
      expect(pace).toBeGreaterThanOrEqual(interval);
      expect(cpu / pace).toBeLessThanOrEqual(CPU_SHARE * (1 + 1e-9));
    }),
  );
});

test("reading gets what the rest leaves of the share, and never nothing", () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1e6, noNaN: true }), ms, (interval, other) => {
      const { budgetMs, turnMs } = budgetFor(interval, other);
      expect(budgetMs).toBeGreaterThan(0);
      expect(turnMs).toBeLessThanOrEqual(budgetMs);
      expect(budgetMs <= interval * 0.04 || budgetMs + other <= interval * CPU_SHARE * (1 + 1e-9)).toBe(true);
    }),
  );
  expect(budgetFor(1000, 50).budgetMs).toBe(150);
});
