import { expect, test } from "vitest";
import { formatListenAddress, parseListenAddress } from "./listen-address.ts";

test.each([
  ["127.0.0.1:9876", { host: "127.0.0.1", port: 9876, loopback: true }],
  ["127.5.5.5:1", { host: "127.5.5.5", port: 1, loopback: true }],
  ["[::1]:0", { host: "::1", port: 0, loopback: true }],
  ["localhost:65535", { host: "127.0.0.1", port: 65_535, loopback: true }],
  ["0.0.0.0:80", { host: "0.0.0.0", port: 80, loopback: false }],
  ["[::]:80", { host: "::", port: 80, loopback: false }],
  ["10.0.0.7:80", { host: "10.0.0.7", port: 80, loopback: false }],
  ["[fe80::1]:80", { host: "fe80::1", port: 80, loopback: false }],
])("%s is an address, and known as one that others can or cannot reach", (text, address) => {
  expect(parseListenAddress(text)).toEqual(address);
});

test.each([
  "",
  ":9876",
  "9876",
  "127.0.0.1",
  "127.0.0.1:",
  "127.0.0.1:65536",
  "127.0.0.1:-1",
  "::1:80",
  "[127.0.0.1]:80",
])("%j is none", (text) => {
  expect(parseListenAddress(text)).toBeUndefined();
});

test.each(["node7:80", "localhost.evil.example:80", "127.0.0.1.nip.io:80", "[localhost]:80", "1:80", "0x7f000001:80"])(
  "%s is a name, which is refused",
  (text) => {
    expect(parseListenAddress(text)).toBeUndefined();
  },
);

test("an IPv6 address stands in brackets in a URL", () => {
  expect(formatListenAddress({ host: "::1", port: 80 })).toBe("[::1]:80");
  expect(formatListenAddress({ host: "127.0.0.1", port: 80 })).toBe("127.0.0.1:80");
});
