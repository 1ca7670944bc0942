/**
 * The C program of a scenario compiled and run, in a temporary directory that is gone afterwards however that came about.
 *
 * The program puts back every setting that it has changed; it does so also when it is told to end, so it is told
 * (SIGTERM) and not killed.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Reproduction,
  type ReproduceOptions,
  type Scenario,
  parseReproduction,
  reproduceAsC,
} from "../scenario/index.ts";
import { CannotVerify } from "./exit-codes.ts";

/** Bytes that the program may print; a dump of 4 GiB in small pages is less. */
const OUTPUT_BYTES_MAX = 2 ** 29;

/** Compiles and runs it. Throws CannotVerify with a sentence. */
export async function runReproduction(scenario: Scenario, options: ReproduceOptions = {}): Promise<Reproduction> {
  if (process.geteuid?.() !== 0) {
    throw new CannotVerify(
      "Running a scenario on this kernel needs root: settings of memory management are changed and put back.",
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "foliometer-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const program = compile(folder, reproduceAsC(scenario, options));
    return parseReproduction(await outputOf(program));
  } finally {
    process.off("exit", remove);
    remove();
  }
}

function compile(folder: string, text: string): string {
  const [source, program] = [join(folder, "reproduction.c"), join(folder, "reproduction")];
  writeFileSync(source, text);
  const { status, error, stderr } = spawnSync("gcc", ["-O2", "-o", program, source], { encoding: "utf8" });
  if (error !== undefined) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new CannotVerify(
      code === "ENOENT" ? "There is no gcc; on Debian: apt-get install gcc libc6-dev." : `gcc does not start: ${code}.`,
    );
  }
  if (status !== 0) {
    throw new CannotVerify(
      `gcc cannot compile the program (are libc6-dev and linux-libc-dev there?): ${stderr.split("\n")[0]}`,
    );
  }
  return program;
}

async function outputOf(program: string): Promise<string> {
  const child = spawn(program, { stdio: ["ignore", "pipe", "pipe"] });
  const end = (): void => {
    child.kill("SIGTERM");
  };
  process.once("exit", end);
  const chunks: Buffer[] = [];
  let bytes = 0;
  let complaints = "";
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > OUTPUT_BYTES_MAX) end();
    else chunks.push(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => (complaints += chunk.toString("utf8")));
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve(status));
    });
    const output = Buffer.concat(chunks).toString("utf8");
    if (bytes > OUTPUT_BYTES_MAX) throw new CannotVerify("The program printed more than a scenario can mean.");
    // 3: it has said in its output what cannot be done here.
    if (code !== 0 && !(code === 3 && output !== "")) {
      throw new CannotVerify(
        `The program ended with ${code ?? "a signal"}: ${complaints.trim() || "it said nothing"}.`,
      );
    }
    return output;
  } finally {
    process.off("exit", end);
  }
}
