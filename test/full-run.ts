/**
 * When may a test that needs something of the machine be left out?
 *
 * On a developer's machine a test that needs root, a Debian package or a feature of the kernel is skipped, with the
 * reason, if the machine lacks it. In the full run (environment variable FOLIOMETER_FULL=1, as .ci/run sets it) the
 * same lack is a failure: a machine that is said to be complete and is not must not look like a passed run.
 *
 * One kind of skip stays a skip in the full run too, `skipAlways`: what no package supplies, such as a feature that
 * the running kernel does not have, or a laboratory of other kernels that is not beside the checkout.
 *
 * Every function here takes the test's context, because the reason belongs to the test and is printed with its name.
 *
 * @example
 * test("kpagecount of every frame agrees with the capture", (ctx) => {
 *   requireRoot(ctx);
 *   requireFile(ctx, "/proc/kpagecount");
 *   ...
 * });
 */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "vitest";

/** Whether this is the full run, in which nothing that a package or root could supply may be missing. */
export function isFullRun(): boolean {
  return process.env.FOLIOMETER_FULL === "1";
}

/** Ends the test as skipped for this reason; in the full run as failed. */
export function skipOrFail(ctx: TestContext, reason: string): never {
  if (isFullRun()) throw new Error(`the full run (FOLIOMETER_FULL=1) may skip nothing, but ${reason}`);
  return ctx.skip(reason);
}

/** Ends the test as skipped, also in the full run: only for what no package and no right can supply. */
export function skipAlways(ctx: TestContext, reason: string): never {
  return ctx.skip(reason);
}

/** Goes on only as root. */
export function requireRoot(ctx: TestContext): void {
  if (process.geteuid?.() !== 0) skipOrFail(ctx, "this test needs root");
}

/** Goes on only if this program can be run; returns its path. */
export function requireCommand(ctx: TestContext, name: string): string {
  return findCommand(name) ?? skipOrFail(ctx, `there is no command ${name}`);
}

/** Goes on only if this file or folder can be read. */
export function requireFile(ctx: TestContext, path: string): void {
  if (!existsSync(path)) skipOrFail(ctx, `there is no ${path}`);
  try {
    accessSync(path, constants.R_OK);
  } catch {
    skipOrFail(ctx, `${path} cannot be read`);
  }
}

/** Where a command is, looked up in PATH and then in the folders of root's commands, which PATH may lack. */
function findCommand(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  for (const folder of folders) {
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}
