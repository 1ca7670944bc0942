import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { pageMapcountConfig, parseKernelConfig } from "./kernel-config-text.ts";
import { ProcTextError } from "./proc-error.ts";

const config = (...lines: readonly string[]): ReturnType<typeof parseKernelConfig> =>
  parseKernelConfig(lines.join("\n"));

test("assigned options, strings and options that are not set are read; comments are not options", () => {
  const text = `#
# Automatically generated file; DO NOT EDIT.
#
CONFIG_KSM=y
CONFIG_EXT4_FS=m
CONFIG_NR_CPUS=64
CONFIG_BASE=0x1000
CONFIG_LOCALVERSION="-a \\"b\\" \\\\ c=d"
CONFIG_EMPTY=""
# CONFIG_MEM_SOFT_DIRTY is not set
# CONFIG_FOO is not set here
# end of Memory
`;
  expect(Object.fromEntries(parseKernelConfig(text))).toEqual({
    CONFIG_KSM: "y",
    CONFIG_EXT4_FS: "m",
    CONFIG_NR_CPUS: "64",
    CONFIG_BASE: "0x1000",
    CONFIG_LOCALVERSION: '-a "b" \\ c=d',
    CONFIG_EMPTY: "",
    CONFIG_MEM_SOFT_DIRTY: "n",
  });
});

test("a line that is no option is refused with its number", () => {
  expect(() => config("CONFIG_A=y", "<html>")).toThrow(ProcTextError);
  expect(() => config("CONFIG_A=y", "<html>")).toThrow(/^Line 2 of config/);
});

test("the options decide before the release does", () => {
  expect(pageMapcountConfig(config("CONFIG_NO_PAGE_MAPCOUNT=y"), "6.1.0")).toBe("nopage");
  expect(pageMapcountConfig(config("CONFIG_PAGE_MAPCOUNT=y"), undefined)).toBe("page");
  expect(pageMapcountConfig(config("# CONFIG_NO_PAGE_MAPCOUNT is not set"), "7.3.4")).toBe("page");
});

test("a kernel before 6.15 knows neither option and counts pages", () => {
  for (const old of ["6.14.11", "6.1.0-38-amd64", "5.10.0", "4.19", "6.14-rc3"]) {
    expect(pageMapcountConfig(config("CONFIG_KSM=y"), old)).toBe("page");
    expect(pageMapcountConfig(undefined, old)).toBe("page");
  }
});

test("from 6.15 on the release alone decides nothing", () => {
  for (const newer of ["6.15.0", "6.18.44-fc", "7.0.1", "10.2", "", "unknown", undefined]) {
    expect(pageMapcountConfig(undefined, newer)).toBe("unknown");
    expect(pageMapcountConfig(config("CONFIG_KSM=y"), newer)).toBe("unknown");
  }
});

test.skipIf(!existsSync("/proc/config.gz"))("this kernel's configuration is read and decides", () => {
  const running = parseKernelConfig(gunzipSync(readFileSync("/proc/config.gz")).toString("utf8"));
  expect(running.size).toBeGreaterThan(500);
  expect(pageMapcountConfig(running, release())).not.toBe("unknown");
});
