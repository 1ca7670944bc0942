/**
 * `npm start`: installs and builds what is missing, then runs the command line with the arguments behind `--`.
 *
 * Without arguments it does the main job: a report of this machine, or of the sample capture where the machine
 * cannot be read, and a report that is incomplete is success. Otherwise exit code and signals pass through; on stdout is nothing but what the command prints.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled, InstallError, projectRoot } from "./ensure-installed.mjs";
import { endLike, npmCommand, runChild } from "./run-child.mjs";

const MAIN_JOB = ["report", "--or-sample"];
/** The command's exit code for "done, but some processes could not be read". */
const EXIT_INCOMPLETE = 3;
const entry = join(projectRoot, "dist", "cli", "main.js");

/** The newest change below a folder; a folder's own time tells of files that came and went. */
function newestChangeMs(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestChangeMs(join(path, name))));
}

function isBuilt() {
  const builtMs = statSync(entry, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
  const sources = ["src", "tsconfig.json", "package-lock.json"];
  return sources.every((name) => newestChangeMs(join(projectRoot, name)) <= builtMs);
}

/** What the build says goes to stderr: stdout belongs to the command. */
async function build() {
  process.stderr.write("building...\n");
  const [command, args] = npmCommand("run", "--silent", "build");
  return runChild(command, args, { cwd: projectRoot, stdio: ["ignore", 2, 2] });
}

async function start(args) {
  await ensureInstalled();
  if (!isBuilt()) {
    const built = await build();
    if (built.code !== 0) return built;
  }
  // npm moves to the package's folder; paths in the arguments mean the folder where the user stands.
  const cwd = process.env.INIT_CWD ?? process.cwd();
  if (args.length > 0) return runChild(process.execPath, [entry, ...args], { cwd });
  const ended = await runChild(process.execPath, [entry, ...MAIN_JOB], { cwd });
  // The report is on the screen and says what it lacks; npm's own error text below it would say nothing more.
  return ended.code === EXIT_INCOMPLETE ? { ...ended, code: 0 } : ended;
}

try {
  endLike(await start(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof InstallError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
