/**
 * The running kernel's build configuration (the text inside /proc/config.gz), and what it decides about counting.
 *
 *     CONFIG_PAGE_MAPCOUNT=y                      "y", "m", a number or a string without its quotes
 *     # CONFIG_NO_PAGE_MAPCOUNT is not set        "n"
 *
 * Invariant: an option that the text does not name is absent, which is not "n": an older kernel may not know it.
 * Kernel: kernel-facts 0. PAGE_MAPCOUNT is exactly !NO_PAGE_MAPCOUNT, both since 6.15; every kernel before counts each
 * page, which is what PAGE_MAPCOUNT means.
 */

import { ProcTextError, quoteUntrusted } from "./proc-error.ts";

/** Option ("CONFIG_..." as printed) to value; "n" for "is not set". */
export type KernelConfig = ReadonlyMap<string, string>;

/** Which of the two ways of counting a kernel was built with; "unknown" if neither its config nor its release says. */
export type PageMapcountConfig = "page" | "nopage" | "unknown";

const FILE = "config";
const NOT_SET = /^# (CONFIG_\w+) is not set$/;
const ASSIGNED = /^(CONFIG_\w+)=(.*)$/;
const STRING = /^"((?:[^"\\]|\\.)*)"$/;

function unquote(value: string): string {
  const inner = STRING.exec(value)?.[1];
  return inner === undefined ? value : inner.replace(/\\(.)/g, "$1");
}

/** Parses the text of /proc/config.gz, already decompressed; throws `ProcTextError` for a line that is no option. */
export function parseKernelConfig(text: string): KernelConfig {
  const config = new Map<string, string>();
  text.split("\n").forEach((line, index) => {
    const assigned = ASSIGNED.exec(line);
    if (assigned?.[1] !== undefined && assigned[2] !== undefined) {
      config.set(assigned[1], unquote(assigned[2]));
      return;
    }
    const option = NOT_SET.exec(line)?.[1];
    if (option !== undefined) config.set(option, "n");
    else if (line !== "" && !line.startsWith("#")) {
      throw new ProcTextError({ file: FILE, lineNumber: index + 1 }, `no option in ${quoteUntrusted(line)}`);
    }
  });
  return config;
}

/** Whether the release, as `uname -r` prints it, is before 6.15; undefined if it is not a release. */
function isBeforePageMapcountOption(release: string | undefined): boolean | undefined {
  const match = /^([0-9]{1,4})\.([0-9]{1,4})/.exec(release ?? "");
  if (match === null) return undefined;
  const major = Number(match[1]);
  return major < 6 || (major === 6 && Number(match[2]) < 15);
}

/**
 * How the kernel counts: from its options if they say, else from its release, because kernels before 6.15 have neither
 * option and count pages.
 * @example pageMapcountConfig(undefined, "6.1.0-38-amd64") // "page"
 */
export function pageMapcountConfig(config: KernelConfig | undefined, release: string | undefined): PageMapcountConfig {
  if (config?.get("CONFIG_NO_PAGE_MAPCOUNT") === "y") return "nopage";
  if (config?.get("CONFIG_PAGE_MAPCOUNT") === "y" || config?.get("CONFIG_NO_PAGE_MAPCOUNT") === "n") return "page";
  return isBeforePageMapcountOption(release) === true ? "page" : "unknown";
}
