import { expect, test } from "vitest";
import { isAskedHost } from "./asked-host.ts";

const NAMES = new Set(["node7", "node7.example"]);

test.each([
  "localhost",
  "LocalHost:9876",
  "127.0.0.1:9876",
  "10.1.2.3",
  "[::1]:9876",
  "[::1]",
  "Node7:80",
  "node7.example",
])("%s is ours", (header) => {
  expect(isAskedHost(header, NAMES)).toBe(true);
});

test.each([
  "",
  "evil.example",
  "evil.example:9876",
  "localhost.evil.example",
  "127.0.0.1.evil.example",
  "node7.example.evil.example",
  "127.0.0.1@evil.example",
  "127.0.0.1:9876:80",
  "localhost:x",
  "[evil.example]",
  "[::1",
  "::1",
  "node8",
])("%j is not", (header) => {
  expect(isAskedHost(header, NAMES)).toBe(false);
});
