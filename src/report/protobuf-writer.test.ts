/** What the writer writes, a Protocol Buffers library reads. */
import * as fc from "fast-check";
import protobuf from "protobufjs";
import { expect, test } from "vitest";
import { ProtobufWriter } from "./protobuf-writer.ts";

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Node { uint64 number = 1; string text = 2; repeated uint64 packed = 300; repeated Node node = 4; }`);
const NodeType = root.lookupType("Node");

interface Tree {
  readonly number: number;
  readonly text: string;
  readonly packed: readonly number[];
  readonly node: readonly Tree[];
}

const trees = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    number: fc.maxSafeNat(),
    text: fc.string({ unit: "grapheme" }),
    packed: fc.array(fc.oneof(fc.nat(300), fc.maxSafeNat())),
    node: fc.oneof({ maxDepth: 4 }, fc.constant([]), fc.array(tie("tree"), { maxLength: 3 })),
  }),
})).tree;

function write(writer: ProtobufWriter, { number, text, packed, node }: Tree): void {
  writer.number(1, number);
  writer.text(2, text);
  writer.packed(300, packed);
  for (const child of node) writer.message(4, () => write(writer, child));
}

function read(bytes: Uint8Array): unknown {
  return NodeType.toObject(NodeType.decode(bytes), { longs: Number, defaults: true });
}

test("numbers, texts, packed numbers and messages in messages come back as they were", () => {
  fc.assert(
    fc.property(trees, (tree) => {
      const writer = new ProtobufWriter();
      write(writer, tree);
      expect(read(writer.finish())).toEqual(tree);
    }),
  );
});

test("a message of megabytes has its length", () => {
  const writer = new ProtobufWriter();
  const text = "x".repeat(3_000_000);
  writer.message(4, () => writer.text(2, text));
  expect(read(writer.finish())).toMatchObject({ node: [{ text }] });
});

test("whatever is written where the memory of the writer ends is whole", () => {
  const number = Number.MAX_SAFE_INTEGER;
  const bodies: readonly ((writer: ProtobufWriter) => void)[] = [
    (writer) => writer.number(1, number),
    (writer) => writer.product(1, number, 1),
    (writer) => writer.message(4, () => undefined),
    (writer) => writer.text(2, "end"),
  ];
  const expected = [{ number: `${number}` }, { number: `${number}` }, { node: [{}] }, { text: "end" }];
  // The writer begins with 4096 bytes; a text of 4070 and its key and length leave a few of them.
  for (const [index, writeBody] of bodies.entries()) {
    for (let length = 4070; length < 4097; length++) {
      const writer = new ProtobufWriter();
      writer.text(2, "x".repeat(length));
      writeBody(writer);
      const found: unknown = NodeType.toObject(NodeType.decode(writer.finish()), { longs: String });
      expect(found).toEqual({ text: "x".repeat(length), ...expected[index] });
    }
  }
});

test("a product beyond 2^53 is exact", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 42 }), fc.integer({ min: 0, max: 2 ** 20 }), (a, b) => {
      const writer = new ProtobufWriter();
      writer.product(1, a, b);
      const { number } = NodeType.toObject(NodeType.decode(writer.finish()), { longs: String, defaults: true }) as {
        readonly number: string;
      };
      expect(number).toBe(`${BigInt(a) * BigInt(b)}`);
    }),
  );
});

test("what is no whole number from 0 to 2^53 is a bug", () => {
  for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) {
    expect(() => new ProtobufWriter().number(1, value)).toThrow(/no number/);
  }
});
