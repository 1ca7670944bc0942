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

function elaborated(...lines: readonly string[]): unknown {
  return elaborate({ name: "twice", texts: [{ name: "twice", text: `${TEXT}${lines.join("\n")}\n` }] });
}

test("a second property of a name is refused, whatever its kind; an assertion in two places is one property", () => {
  const refused = "twice:6:1: there is a property calm already, at twice:5:1";
  expect(() => elaborated("never calm: x > 1")).toThrow(refused);
  expect(() => elaborated("sometimes calm: x > 1")).toThrow(refused);
  const asserts = "thread b {\n  store x = 0\n  assert twice: 1\n  store x = 1\n  assert twice: 1\n}";
  expect(() => elaborated(asserts)).not.toThrow();
  expect(() => elaborated(asserts, "always twice: 1")).toThrow("there is a property twice already, at twice:8:3");
});

test("names of the properties that every system has are refused", () => {
  for (const name of ["deadlock", "livelock", "unlock"]) {
    expect(() => elaborated(`always ${name}: 1`)).toThrow(`${name} is a property of the checker itself`);
  }
});
