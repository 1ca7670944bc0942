/**
 * Adds to package-lock.json the optional platform packages that npm left out when it wrote the file. Run it after
 * every change of a dependency: `npm install --save-exact NAME && node scripts/complete-lock.mjs`.
 *
 * Tools with a native part name one optional package for each platform. Where the registry (a mirror, say) does not
 * serve the package of a foreign platform, `npm install` writes the lock file without it, and then `npm ci` refuses
 * that very file on every machine ("Missing: ... from lock file"). An entry needs no more than the exact version and
 * the platform, which these packages carry in their names: npm skips foreign platforms without asking for them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const lockPath = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const SYSTEMS = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const PROCESSORS = ["arm", "arm64", "ia32", "ppc64", "riscv64", "s390x", "x64"];

/** The platform in a name such as @oxlint/binding-linux-arm64-musl, or undefined if it tells none. */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = SYSTEMS.find((system) => words.includes(system));
  const cpu = PROCESSORS.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.some((word) => word.startsWith("musl")) ? "musl" : "glibc";
  return { ...(os === "linux" && { libc: [libc] }), os: [os], cpu: [cpu] };
}

/** Whether a package that lies at `path` finds `name` in its own node_modules or in one above. */
function isLocked(packages, path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    if (packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === "") return false;
  }
}

const lock = JSON.parse(readFileSync(lockPath, "utf8"));
const added = [];
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(lock.packages, path, name)) continue;
    const platform = platformOf(name);
    if (platform === undefined || !/^\d/.test(version)) {
      console.error(`${name} ${version}: which platform is it for? Add it to package-lock.json by hand.`);
      process.exitCode = 1;
      continue;
    }
    const { libc, os, cpu } = platform;
    const dev = entry.dev === true ? { dev: true } : {};
    lock.packages[`node_modules/${name}`] = { version, cpu, ...dev, ...(libc && { libc }), optional: true, os };
    added.push(name);
  }
}
if (added.length > 0) {
  lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, "en")));
  writeFileSync(lockPath, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(`${added.length} optional platform packages added to package-lock.json`);
