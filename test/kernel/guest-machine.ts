/**
 * A guest with another kernel, in which Foliometer itself runs.
 *
 * The kernels and a file system with BusyBox are those of the laboratory beside the checkout, which stays there. What is
 * added, as a second archive behind the laboratory's, is this Node with its libraries, dist/ with the packages it needs,
 * a program that maps memory, and the session that uses them. QEMU emulates the processor, so nothing of this machine's
 * own kernel is asked for. A guest ends by itself; if it does not, it is ended after GUEST_LIMIT_MS.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestContext } from "vitest";
import { z } from "zod";
import { requireCommand, requireFile, skipAlways } from "../full-run.ts";
import { CpioArchive, padded } from "./cpio-archive.ts";
import type { GuestAccount } from "./guest-account.ts";

/** The kernels: with a mapcount in every page, and without. */
export const KERNELS = ["page", "nopage"] as const;
export type KernelName = (typeof KERNELS)[number];

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const LABORATORY = join(PROJECT, "..", "shared", "kernel-lab");
const QEMU = "qemu-system-x86_64";
const GUEST_LIMIT_MS = 120_000;
/** The guest's own alarm, should nobody be left to end it. */
const GUEST_LIMIT_SECONDS = GUEST_LIMIT_MS / 1000;
const CONSOLE_SHOWN = 3000;

const INIT = `#!/bin/sh
export PATH=/bin:/foliometer/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
(sleep ${GUEST_LIMIT_SECONDS}; reboot -f) &
stty -F /dev/ttyS1 raw -echo
node /foliometer/guest-session.mjs
reboot -f
`;

/** Addresses are not random, so that both kernels' processes have the same pages. */
const COMMAND_LINE = "console=ttyS0 quiet nokaslr norandmaps panic=-1 reboot=t rdinit=/foliometer/init";

const Package = z.object({
  dependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
});

/** Goes on only where guests can be built and run. */
export function requireLaboratory(ctx: TestContext): void {
  if (process.arch !== "x64") skipAlways(ctx, `the laboratory's kernels are for x64, this is ${process.arch}`);
  if (!existsSync(LABORATORY)) skipAlways(ctx, "there is no laboratory of other kernels beside the checkout");
  requireCommand(ctx, QEMU);
  requireCommand(ctx, "gcc");
  requireFile(ctx, join(PROJECT, "dist/study/index.js"));
}

/** Boots all kernels, side by side, and returns what they said. */
export async function askGuests(): Promise<Record<KernelName, GuestAccount>> {
  const folder = mkdtempSync(join(tmpdir(), "foliometer-guest-"));
  try {
    const initramfs = join(folder, "initramfs");
    writeFileSync(initramfs, buildInitramfs(folder));
    const [page, nopage] = await Promise.all([
      askGuest("page", folder, initramfs),
      askGuest("nopage", folder, initramfs),
    ]);
    return { page, nopage };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function buildInitramfs(folder: string): Buffer {
  const archive = new CpioArchive();
  archive.addFile("foliometer/init", Buffer.from(INIT), { isProgram: true });
  archive.copyFile(process.execPath, "foliometer/bin/node");
  for (const library of librariesOf(process.execPath)) archive.copyFile(library, library.slice(1));
  archive.copyFile(join(PROJECT, "package.json"), "foliometer/package.json");
  archive.copyTree(join(PROJECT, "dist"), "foliometer/dist");
  for (const name of packagesOf(PROJECT)) {
    archive.copyTree(join(PROJECT, "node_modules", name), `foliometer/node_modules/${name}`);
  }
  archive.copyFile(compileTarget(folder), "foliometer/target");
  archive.copyFile(fileURLToPath(new URL("guest-session.mjs", import.meta.url)), "foliometer/guest-session.mjs");
  const options = readFileSync(join(LABORATORY, "images/kernel.config"), "utf8");
  for (const [kernel, option] of [
    ["page", "CONFIG_PAGE_MAPCOUNT"],
    ["nopage", "CONFIG_NO_PAGE_MAPCOUNT"],
  ] as const) {
    archive.addFile(`foliometer/config-${kernel}`, Buffer.from(`${options}${option}=y\n`), { isProgram: false });
  }
  return Buffer.concat([padded(readFileSync(join(LABORATORY, "images/base.cpio.gz"))), archive.finish()]);
}

/** Shared libraries and the loader of a program; none if it is linked statically. */
function librariesOf(program: string): string[] {
  const { stdout } = spawnSync("ldd", [program], { encoding: "utf8" });
  return Array.from(stdout.matchAll(/(?<path>\/\S+) \(0x/g), ({ groups }) => groups?.path ?? "");
}

/** The packages that the one in `folder` needs at run time, and those that they need, as far as they are installed. */
function packagesOf(folder: string, found: Set<string> = new Set()): Set<string> {
  const { dependencies, optionalDependencies } = Package.parse(
    JSON.parse(readFileSync(join(folder, "package.json"), "utf8")),
  );
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const installed = join(PROJECT, "node_modules", name);
    if (found.has(name) || !existsSync(installed)) continue;
    found.add(name);
    packagesOf(installed, found);
  }
  return found;
}

function compileTarget(folder: string): string {
  const path = join(folder, "target");
  const source = fileURLToPath(new URL("../live/target.c", import.meta.url));
  const { status, stderr } = spawnSync("gcc", ["-O1", "-static", "-o", path, source], { encoding: "utf8" });
  if (status !== 0) throw new Error(`target.c does not compile: ${stderr}`);
  return path;
}

async function askGuest(kernel: KernelName, folder: string, initramfs: string): Promise<GuestAccount> {
  const terminal = join(folder, `console-${kernel}`);
  const answer = join(folder, `answer-${kernel}`);
  const image = join(LABORATORY, `images/bzImage-${kernel}`);
  const machine = ["-accel", "tcg", "-machine", "pc", "-m", "1G", "-smp", "1", "-nodefaults", "-no-user-config"];
  const boot = ["-kernel", image, "-initrd", initramfs, "-append", `${COMMAND_LINE} FOLIOMETER_KERNEL=${kernel}`];
  const ends = ["-display", "none", "-no-reboot", "-serial", `file:${terminal}`, "-serial", `file:${answer}`];
  const guest = spawn(QEMU, [...machine, ...boot, ...ends], {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: GUEST_LIMIT_MS,
    killSignal: "SIGKILL",
  });
  let errors = "";
  guest.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  await new Promise<void>((resolve, reject) => guest.once("close", () => resolve()).once("error", reject));
  return parseAccount(kernel, readText(answer), `${errors}${readText(terminal)}`.slice(-CONSOLE_SHOWN));
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function parseAccount(kernel: KernelName, answer: string, shown: string): GuestAccount {
  if (!answer.endsWith("\n")) throw new Error(`the guest with kernel ${kernel} did not finish; its console:\n${shown}`);
  const said = JSON.parse(answer) as GuestAccount | { readonly failure: string };
  if ("failure" in said) throw new Error(`the session failed on kernel ${kernel}: ${said.failure}\n${shown}`);
  return said;
}
