/**
 * Sees to it that node_modules holds what package-lock.json asks for, so that `npm start` and `npm test` work on a
 * fresh clone with nothing but Node and npm.
 *
 * npm leaves a copy of what it installed in node_modules/.package-lock.json. The two are compared package by package,
 * not by time: times say nothing in a copied or freshly checked-out tree. Optional packages may be missing: most of
 * them are for other platforms, and one that fails to install must not keep the rest from running.
 *
 * Also a program: `node scripts/ensure-installed.mjs` installs and ends.
 */
import { spawn } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { npmCommand } from "./run-child.mjs";

export const projectRoot = fileURLToPath(new URL("..", import.meta.url));

/** A refusal with one clear sentence; whoever catches it prints the sentence and no stack. */
export class InstallError extends Error {}

/** Installs the locked dependencies unless they are there. Throws an InstallError if that fails. */
export async function ensureInstalled() {
  checkNodeVersion();
  if (isInstalled()) return;
  process.stderr.write("installing dependencies...\n");
  const { code, output } = await runNpmCi();
  if (code !== 0) throw new InstallError(`npm ci failed with code ${code}:\n${output}`);
}

function checkNodeVersion() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new InstallError(`Foliometer needs Node 20.19 or later; this is Node ${process.versions.node}`);
  }
}

/** Whether every package of the lock file that is not optional is in node_modules in the locked version. */
export function isInstalled(root = projectRoot) {
  const wanted = readPackages(join(root, "package-lock.json"));
  const present = readPackages(join(root, "node_modules", ".package-lock.json"));
  if (wanted === undefined) throw new InstallError("package-lock.json is missing or damaged");
  if (present === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "" || entry.optional === true || entry.devOptional === true) return true;
    return present[path]?.version === entry.version && present[path]?.integrity === entry.integrity;
  });
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** Development packages are named because NODE_ENV=production would leave them out, and the build needs them. */
async function runNpmCi() {
  const [command, args] = npmCommand("ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund");
  const child = spawn(command, args, { cwd: projectRoot, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text) => (output += text));
  }
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new InstallError(`cannot run ${command}: ${error.message}`)));
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    await ensureInstalled();
  } catch (error) {
    if (!(error instanceof InstallError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
