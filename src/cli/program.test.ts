import { expect, test } from "vitest";
import { SORT_KEYS } from "../report/index.ts";
import { buildProgram } from "./program.ts";
import { SORT_WORDS } from "./report.ts";

test("the sort keys on the command line are those that the report knows", () => {
  expect(SORT_WORDS).toEqual(SORT_KEYS);
});

test("every command has a description, examples, and options with a sentence each", async () => {
  for (const command of (await buildProgram()).commands) {
    expect(command.description()).not.toBe("");
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    expect(help).toContain("Examples:\n  foliometer");
    for (const { description } of command.options) expect(description).not.toBe("");
  }
});

test("every option in an example of --help exists", async () => {
  const program = await buildProgram();
  for (const command of program.commands) {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    const known = new Set(
      program.commands
        .flatMap((parent) => [parent, ...parent.commands])
        .flatMap(({ options }) => options.map(({ long }) => long)),
    );
    const examples = help.slice(help.indexOf("Examples:"));
    for (const [option] of examples.matchAll(/--[a-z-]+/g)) expect(known).toContain(option);
  }
});

test("a command that is named is all that is loaded, and the same as among all others", async () => {
  for (const whole of (await buildProgram()).commands) {
    const { commands } = await buildProgram(whole.name());
    expect(commands.map((command) => command.name())).toEqual([whole.name()]);
    expect(commands[0].helpInformation()).toBe(whole.helpInformation());
  }
});
