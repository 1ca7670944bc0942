/** Archives made of these headers, read by GNU tar. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { requireCommand } from "../../test/full-run.ts";
import { type TarEntry, formatTarHeader, tarEnd, tarPadding } from "./tar-writer.ts";

const ENTRY: TarEntry = { name: "7/smaps", kind: "file", sizeBytes: 0, uid: 0, userName: "root", modifiedSeconds: 0 };

test("names, owners, sizes, times and contents are what tar lists and prints", (ctx) => {
  const files = [
    { uid: 0, userName: "root", text: "" },
    { uid: 1000, userName: "a user", text: "x".repeat(512) },
    { uid: 2_097_151, userName: "", text: "y".repeat(513) },
    // Beyond octal digits, and a name that does not fit.
    { uid: 4_000_000_000, userName: "n".repeat(40), text: "z" },
  ];
  const parts: Uint8Array[] = [];
  for (const [index, { uid, userName, text }] of files.entries()) {
    const owner = { uid, userName, modifiedSeconds: 1_700_000_000.9 };
    parts.push(formatTarHeader({ name: `${index}`, kind: "directory", sizeBytes: 0, ...owner }));
    parts.push(formatTarHeader({ name: `${index}/smaps`, kind: "file", sizeBytes: text.length, ...owner }));
    parts.push(Buffer.from(text), tarPadding(text.length));
  }
  const input = Buffer.concat([...parts, tarEnd()]);
  const run = (...args: readonly string[]): string => {
    const { stdout, stderr, status } = spawnSync(requireCommand(ctx, "tar"), [...args, "-f", "-"], {
      input,
      encoding: "utf8",
      env: { ...process.env, TZ: "UTC" },
    });
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    return stdout;
  };
  const listed = run("-tv", "--numeric-owner", "--full-time").trimEnd().split("\n");
  expect(listed.map((line) => line.replace(/ +/g, " "))).toEqual(
    files.flatMap(({ uid, text }, index) => [
      `drwxr-xr-x ${uid}/0 0 2023-11-14 22:13:20 ${index}/`,
      `-rw-r--r-- ${uid}/0 ${text.length} 2023-11-14 22:13:20 ${index}/smaps`,
    ]),
  );
  expect(run("-xO")).toBe(files.map(({ text }) => text).join(""));
  expect(run("-tv").split("\n")[3]).toContain(" a user/0 ");
});

test("names and sizes that the format cannot hold are bugs", () => {
  expect(() => formatTarHeader({ ...ENTRY, name: "x".repeat(101) })).toThrow(/no tar name/);
  expect(() => formatTarHeader({ ...ENTRY, name: "é" })).toThrow(/no tar name/);
  expect(() => formatTarHeader({ ...ENTRY, sizeBytes: 2 ** 33 })).toThrow(/too large/);
});
