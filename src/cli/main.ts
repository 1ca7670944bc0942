#!/usr/bin/env node
/**
 * The program `foliometer`.
 */
import { setFlagsFromString } from "node:v8";

// The program runs for a second and holds tables outside the engine's heap. Measured (docs/performance.md): without
// inlining, which costs more compilation than it saves, 20 % less CPU time; with a small heap 40 MB less memory at the
// same speed. Set before any other module is loaded; the library leaves its host's engine alone.
for (const flag of ["--no-turbo-inlining", "--optimize-for-size", "--max-semi-space-size=2"]) setFlagsFromString(flag);

const { runProgram } = await import("./program.ts");
await runProgram(process.argv);
