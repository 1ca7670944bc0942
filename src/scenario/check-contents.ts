/**
 * Is a scenario safe on contents? Under the rules of any era, and with any scheme deciding in the kernel's place.
 */
import { Unsupported } from "../memory/index.ts";
import type { Scenario } from "./command.ts";
import { ContentsOracle, UnsafeContents } from "./contents-oracle.ts";
import { type MachineOptions, createCountedMachine } from "./counted-machine.ts";
import { runCommand } from "./model-commands.ts";
import { ModelRun } from "./model-run.ts";

/** What came of it: nothing wrong, something seen that must not be, or the model stopped before the end. */
export type ContentsCheck =
  | { readonly kind: "safe" }
  | { readonly kind: "unsafe"; readonly error: UnsafeContents }
  | { readonly kind: "uncovered"; readonly line: number; readonly reason: string };

/**
 * Runs a scenario and checks contents after every command.
 * @example checkContentsOf(scenario, { config: "page", cowRule: "mapcount" }).kind // "unsafe"
 */
export function checkContentsOf(scenario: Scenario, options: MachineOptions): ContentsCheck {
  const run = new ModelRun(createCountedMachine(options));
  const oracle = new ContentsOracle(run);
  for (const command of scenario.commands) {
    if (command.kind === "dump" || command.kind === "baseline") continue;
    try {
      const before = oracle.before(command);
      oracle.after(command, before, runCommand(run, command));
    } catch (error) {
      if (error instanceof UnsafeContents) return { kind: "unsafe", error };
      if (error instanceof Unsupported) return { kind: "uncovered", line: command.line, reason: error.message };
      throw error;
    }
  }
  return { kind: "safe" };
}
