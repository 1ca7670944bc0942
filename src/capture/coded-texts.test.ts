import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type CodedTexts, CodedTextsBuilder, codeTexts, textAt } from "./coded-texts.ts";

function textsOf(coded: CodedTexts): (string | null)[] {
  return Array.from(coded.codes, (_, row) => textAt(coded, row));
}

const text = fc.option(fc.constantFrom("", "a", "b", "null"), { nil: null });

test("coded texts are the texts that they were made of", () => {
  fc.assert(
    fc.property(fc.array(text), (texts) => {
      expect(textsOf(codeTexts(texts))).toEqual(texts);
    }),
  );
});

test("stretches of several columns put together are the same stretches of their texts", () => {
  const stretch = fc.record({ of: fc.nat(2), from: fc.nat(8), rows: fc.nat(8) });
  fc.assert(
    fc.property(fc.array(fc.array(text), { minLength: 3, maxLength: 3 }), fc.array(stretch), (columns, stretches) => {
      const wanted = stretches.flatMap(({ of, from, rows }) => columns[of].slice(from, from + rows));
      const coded = columns.map((texts) => codeTexts(texts));
      const builder = new CodedTextsBuilder(wanted.length);
      for (const { of, from, rows } of stretches) {
        const { length } = columns[of];
        builder.append(coded[of], Math.min(from, length), Math.min(from + rows, length));
      }
      expect(textsOf(builder.finish())).toEqual(wanted);
    }),
  );
});

test("texts that no copied row has are not taken over", () => {
  const builder = new CodedTextsBuilder(1);
  builder.append(codeTexts(["gone", "here", "gone too"]), 1, 2);
  expect(builder.finish().values).toEqual(["here"]);
});
