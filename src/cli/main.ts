#!/usr/bin/env node
/**
 * The program `foliometer`.
 */
import { setFlagsFromString } from "node:v8";

// A report runs for a second, in which inlining costs more compilation than it saves: 20 % of all CPU time, measured
// (docs/performance.md). Set before any other module is loaded; the library leaves its host's engine alone.
setFlagsFromString("--no-turbo-inlining");

const { runProgram } = await import("./program.ts");
await runProgram(process.argv);
