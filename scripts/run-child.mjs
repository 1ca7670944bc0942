/**
 * Runs a child process in our place: it gets our terminal, the signals we get, and its end becomes ours.
 *
 * Plain JavaScript without dependencies, like everything that `npm start` and `npm test` need before an install.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];
/** A terminal sends these to the whole foreground group: the child has them already. */
const SENT_BY_TERMINAL = new Set(["SIGINT", "SIGQUIT"]);

/**
 * How a child ended: `code` as a shell would print it (128 + number if a signal ended it), and that signal if any.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import("node:child_process").SpawnOptions} [options]
 * @returns {Promise<{ code: number, signal: NodeJS.Signals | null }>}
 */
export async function runChild(command, args, options = {}) {
  const child = spawn(command, args, { stdio: "inherit", ...options });
  const forward = (signal) => {
    if (process.stdin.isTTY && SENT_BY_TERMINAL.has(signal)) return;
    child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        resolve({ code: code ?? 128 + (constants.signals[signal] ?? 0), signal });
      });
    });
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}

/** Ends this process as the child ended: by the same signal, or with the same code. */
export function endLike({ code, signal }) {
  if (signal !== null) process.kill(process.pid, signal);
  process.exitCode = code;
}

/**
 * How to call npm: the very npm that called us if one did, else the one in PATH.
 *
 * @returns {[command: string, args: string[]]}
 */
export function npmCommand(...args) {
  const cli = process.env.npm_execpath;
  return cli !== undefined && /\.c?js$/.test(cli) ? [process.execPath, [cli, ...args]] : ["npm", args];
}
