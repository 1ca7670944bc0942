/** Names of properties, before anything is searched. */
import { expect, test } from "vitest";
import { elaborate } from "./elaborate.ts";
import { checkPropertyNames } from "./property-names.ts";

const TEXT = "word x: bool\nthread a {\n  store x = 1\n}\nalways calm: x >= 0\n";
const machine = elaborate({ name: "calm one", texts: [{ name: "a", text: TEXT }] });

test("properties of the text and those that every system has are there", () => {
  expect(() => checkPropertyNames(machine, ["calm", "deadlock", "below-zero", "unlock", "livelock"])).not.toThrow();
  expect(() => checkPropertyNames(machine)).not.toThrow();
});

test("another is refused with those that there are", () => {
  expect(() => checkPropertyNames(machine, ["calm", "storm"])).toThrow(
    "calm one has no property storm; it has calm, deadlock, below-zero, unlock, livelock",
  );
});
