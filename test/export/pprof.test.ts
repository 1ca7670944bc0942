/**
 * Profiles and stacks: read by a published pprof reader, and both the same sums as the report.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { afterAll, expect, test } from "vitest";
import type { CaptureReport } from "../../src/study/index.ts";
import { makeTestDirectory } from "../captured-child.ts";
import { SAMPLE, exported } from "./reading.ts";

const directory = makeTestDirectory();
afterAll(() => directory.remove());

/** A profile in plain words: a stack from the outside in, labels, values by type. */
interface ReadSample {
  readonly stack: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly values: Readonly<Record<string, number>>;
}

async function profileOf(scheme: string): Promise<{ readonly profile: Profile; readonly samples: ReadSample[] }> {
  const path = join(directory.path, `${scheme}.pb.gz`);
  await exported(SAMPLE, "--format", "pprof", "--scheme", scheme, "-o", path);
  const profile = Profile.decode(gunzipSync(readFileSync(path)));
  const text = (index: number | bigint): string => profile.stringTable.strings[Number(index)];
  const functions = new Map(profile.function.map(({ id, name }) => [Number(id), text(name)]));
  const locations = new Map(profile.location.map(({ id, line }) => [Number(id), Number(line[0].functionId)]));
  const types = profile.sampleType.map(({ type, unit }) => `${text(type)}/${text(unit)}`);
  const samples = profile.sample.map(({ locationId, value, label }) => ({
    stack: locationId
      .map((id) => functions.get(locations.get(Number(id)) ?? 0) ?? "?")
      .reverse()
      .join(";"),
    labels: Object.fromEntries(
      label.map(({ key, str, num }) => [text(key), Number(str) === 0 ? Number(num) : text(str)]),
    ),
    values: Object.fromEntries(types.map((type, index) => [type, Number(value[index])])),
  }));
  return { profile, samples };
}

async function report(): Promise<CaptureReport> {
  return JSON.parse(await exported(SAMPLE, "--format", "json")) as CaptureReport;
}

test("a profile's samples of a process add up to its Rss, Uss and, but for bytes lost to rounding, Pss", async () => {
  const { samples, profile } = await profileOf("mm-owner");
  const text = (index: number | bigint): string => profile.stringTable.strings[Number(index)];
  expect(text(profile.defaultSampleType)).toBe("pss");
  const { processes, machine } = await report();
  expect(Number(BigInt(profile.timeNanos) / 1_000_000n)).toBe(machine.beganAtMs);
  for (const process of processes.filter(({ state }) => state === "complete")) {
    const own = samples.filter(({ labels }) => labels.pid === process.pid);
    const sum = (type: string): number => own.reduce((total, { values }) => total + values[type], 0);
    const { pssBytes, ussBytes } = process.schemes["mm-owner"];
    expect(sum("rss/bytes")).toBe(process.rssBytes);
    expect(sum("uss/bytes")).toBe(ussBytes.most);
    expect(pssBytes - sum("pss/bytes")).toBeGreaterThanOrEqual(0);
    expect(pssBytes - sum("pss/bytes")).toBeLessThanOrEqual(own.length);
    for (const { labels } of own) {
      expect(labels).toEqual({ pid: process.pid, program: process.name, cgroup: process.cgroup, scheme: "mm-owner" });
    }
  }
});

test("profiles of two schemes have the same stacks, and differ where the schemes do", async () => {
  const own = await profileOf("page");
  const other = await profileOf("mm-owner");
  expect(other.samples.map(({ stack }) => stack)).toEqual(own.samples.map(({ stack }) => stack));
  const pss = ({ samples }: { readonly samples: ReadSample[] }): number[] =>
    samples.map(({ values }) => values["pss/bytes"]);
  expect(pss(other)).not.toEqual(pss(own));
  const orders = new Set(own.samples.map(({ stack }) => stack.split(";").at(-1)));
  expect(orders).toContain("order-0");
  expect(orders).toContain("order-9");
});

test("collapsed stacks are the profile's, line by line", async () => {
  const { samples } = await profileOf("page");
  for (const value of ["rss", "pss", "uss"]) {
    const lines = (await exported(SAMPLE, "--format", "stacks", "--value", value)).trimEnd().split("\n");
    const expected = samples.filter(({ values }) => values[`${value}/bytes`] > 0);
    expect(lines).toEqual(expected.map(({ stack, values }) => `${stack} ${values[`${value}/bytes`]}`));
    for (const line of lines) expect(line).toMatch(/^[^;]+;[^;]+;[0-9]+;[^;]+;order-[0-9]+ [0-9]+$/);
  }
});
