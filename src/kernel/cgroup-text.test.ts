import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { memoryCgroup, memoryCgroupPath, parseCgroupText } from "./cgroup-text.ts";
import { ProcTextError } from "./proc-error.ts";

const HYBRID = `9:name=systemd:/
8:pids:/
4:memory:/process_api/4ded86
1:cpu,cpuacct:/
0::/unified
`;

test("a v2 path is taken where no v1 hierarchy has the memory controller", () => {
  expect(memoryCgroupPath(parseCgroupText("0::/user.slice/app\n"))).toBe("/user.slice/app");
  expect(memoryCgroupPath(parseCgroupText("2:cpu:/a\n0::/b\n"))).toBe("/b");
});

test("v1's memory hierarchy is taken before v2", () => {
  const memberships = parseCgroupText(HYBRID);
  expect(memoryCgroup(memberships)).toEqual({ hierarchy: 4, controllers: ["memory"], path: "/process_api/4ded86" });
  expect(memberships.map((one) => one.controllers)).toContainEqual(["cpu", "cpuacct"]);
});

test("memory mounted together with other controllers is found", () => {
  expect(memoryCgroupPath(parseCgroupText("3:cpu,memory:/both\n0::/\n"))).toBe("/both");
});

test("a path keeps its colons, spaces, backslashes and the suffix of a deleted group", () => {
  for (const path of ["/a:b::c", "/a b", "/dev-disk-by\\x2duuid.swap", "/gone (deleted)", "/1:memory:/x", ""]) {
    expect(memoryCgroupPath(parseCgroupText(`0::${path}\n`))).toBe(path);
  }
});

test("a process in no hierarchy has no memory group", () => {
  expect(memoryCgroupPath(parseCgroupText(""))).toBeUndefined();
  expect(memoryCgroupPath(parseCgroupText("2:cpu:/a\n"))).toBeUndefined();
});

test("a named hierarchy called memory is not the memory controller's", () => {
  expect(memoryCgroupPath(parseCgroupText("5:name=memory:/wrong\n0::/right\n"))).toBe("/right");
});

test("a line that is not number:controllers:path is refused with its number", () => {
  for (const line of ["", "0:/", "x::/", ":memory:/", "-1::/"]) {
    expect(() => parseCgroupText(`0::/\n${line}\n0::/\n`)).toThrow(ProcTextError);
    expect(() => parseCgroupText(`0::/\n${line}\n0::/\n`)).toThrow(/^Line 2 of cgroup/);
  }
});

test.skipIf(!existsSync("/proc/self/cgroup"))("this process has a memory group with an absolute path", () => {
  const text = readFileSync("/proc/self/cgroup", "utf8");
  const memberships = parseCgroupText(text);
  const lines = memberships.map(
    ({ hierarchy, controllers, path }) => `${hierarchy}:${controllers.join(",")}:${path}\n`,
  );
  expect(lines.join("")).toBe(text);
});
