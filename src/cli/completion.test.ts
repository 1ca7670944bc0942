import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { requireCommand } from "../../test/full-run.ts";
import { SCHEMES } from "../schemes/index.ts";
import { formatCompletion } from "./completion.ts";
import { buildProgram } from "./program.ts";

const WHOLE = await buildProgram();

/** What bash offers for a command line whose last word is being typed. */
function offer(bash: string, ...words: string[]): string[] {
  const ids = SCHEMES.map(({ id }) => id);
  const script = `${formatCompletion(WHOLE, "bash", ids)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _foliometer
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync(bash, ["--norc", "-c", script], { encoding: "utf8", cwd: "/proc/self/attr" })
    .split("\n")
    .filter((word) => word !== "");
}

test("bash offers commands and the default command's options first", (ctx) => {
  const bash = requireCommand(ctx, "bash");
  expect(offer(bash, "foliometer", "c")).toEqual(expect.arrayContaining(["capture", "completion", "cow"]));
  expect(offer(bash, "foliometer", "--js")).toEqual(["--json", "--json-schema"]);
});

test("bash offers a command's own options and the choices of an option", (ctx) => {
  const bash = requireCommand(ctx, "bash");
  expect(offer(bash, "foliometer", "capture", "--red")).toEqual(["--redact", "--redact-key"]);
  expect(offer(bash, "foliometer", "report", "--sort", "d")).toEqual(["dpss", "duss"]);
  expect(offer(bash, "foliometer", "completion", "")).toContain("fish");
});

test("bash completes what compares, calibrates and tests copy-on-write", (ctx) => {
  const bash = requireCommand(ctx, "bash");
  expect(offer(bash, "foliometer", "co")).toEqual(["compare", "cow", "completion"]);
  expect(offer(bash, "foliometer", "ca")).toEqual(["capture", "calibrate"]);
  // A workload, a capture or, here, a scenario: the current directory has files and no directory.
  expect(offer(bash, "foliometer", "compare", "curr")).toEqual(["current"]);
  expect(offer(bash, "foliometer", "compare", "--th")).toEqual(["--then", "--threads"]);
  expect(offer(bash, "foliometer", "compare", "--config", "n")).toEqual(["nopage"]);
  expect(offer(bash, "foliometer", "cow", "--rule", "")).toEqual(
    expect.arrayContaining(["mapcount", "page-count", "exclusive", "large-reuse"]),
  );
  expect(offer(bash, "foliometer", "workloads", "s")).toContain("show");
});

test("bash completes a check: schemes, files in the step language, its options and their choices", (ctx) => {
  const bash = requireCommand(ctx, "bash");
  expect(offer(bash, "foliometer", "che")).toEqual(["check"]);
  expect(offer(bash, "foliometer", "check", "mapped")).toEqual(["mapped-pages"]);
  // A system of one's own: the current directory has files and no directory.
  expect(offer(bash, "foliometer", "check", "curr")).toEqual(["current"]);
  expect(offer(bash, "foliometer", "check", "--memory", "")).toEqual(["sc", "tso"]);
  expect(offer(bash, "foliometer", "run", "--memory", "s")).not.toContain("sc");
  expect(offer(bash, "foliometer", "check", "vma", "--gr")).toEqual(["--graph", "--graph-states"]);
  expect(offer(bash, "foliometer", "check", "--search", "d")).toEqual(["depth-first"]);
});

test("every command and every long option is in every script", () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const script = formatCompletion(WHOLE, shell);
    for (const command of WHOLE.commands) {
      expect(script).toContain(command.name());
      for (const { long } of command.options)
        expect(script).toContain(shell === "fish" ? `-l ${long?.slice(2)}` : long);
    }
  }
});
