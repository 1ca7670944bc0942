import { expect, test } from "vitest";
import { MODEL_MEMORY_BYTES_MAX, MODEL_MEMORY_BYTES_MIN } from "../scenario/index.ts";
import {
  parseCgroup,
  parseCount,
  parseMemory,
  parseNames,
  parsePattern,
  parsePercent,
  parsePid,
  parsePids,
  parseThreads,
  parseWidth,
} from "./arguments.ts";

test("pids come one by one or with commas, and add up over options", () => {
  expect(parsePids("1,22", parsePids("333"))).toEqual([333, 1, 22]);
  for (const bad of ["", "0", "x", "1,", "-3", "1.5", "4194305", "0x10"]) expect(() => parsePids(bad)).toThrow(/pid/);
  expect(parsePid("4194304")).toBe(4_194_304);
});

test("names come with commas; none is wrong", () => {
  expect(parseNames("redis,postgres", ["root"])).toEqual(["root", "redis", "postgres"]);
  expect(() => parseNames(",")).toThrow(/name/);
});

test("counts are whole, threads between 1 and 64, width 0 means no end", () => {
  expect(parseCount("0")).toBe(0);
  expect(() => parseCount("1e3")).toThrow(/whole number/);
  expect(parseThreads("64")).toBe(64);
  for (const bad of ["0", "65", "two"]) expect(() => parseThreads(bad)).toThrow();
  expect([parseWidth("80"), parseWidth("0")]).toEqual([80, Infinity]);
});

test("a tolerance is a percentage with or without its sign", () => {
  expect([parsePercent("5"), parsePercent("0.5%")]).toEqual([5, 0.5]);
  for (const bad of ["-1", "five", "5 percent", ""]) expect(() => parsePercent(bad)).toThrow(/percentage/);
});

test("a pattern is a regular expression, a control group a path from the root", () => {
  expect(parsePattern("^redis").test("redis-server")).toBe(true);
  expect(() => parsePattern("(")).toThrow(/regular expression/);
  expect(() => parseCgroup("system.slice")).toThrow(/begins with/);
});

test("memory is given in M or G, from the least to the most that the model can have", () => {
  expect([parseMemory("512M"), parseMemory("2G")]).toEqual([512 * 2 ** 20, 2 * 2 ** 30]);
  expect(parseMemory(`${MODEL_MEMORY_BYTES_MIN / 2 ** 20}M`)).toBe(MODEL_MEMORY_BYTES_MIN);
  expect(parseMemory(`${MODEL_MEMORY_BYTES_MAX / 2 ** 30}G`)).toBe(MODEL_MEMORY_BYTES_MAX);
  for (const bad of ["15M", "17G", "512", "512k", "1.5G", "-1G", "lots", ""]) {
    expect(() => parseMemory(bad)).toThrow(/from 16M to 16G/);
  }
});
