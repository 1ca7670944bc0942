/**
 * Machines for the tests of the model: small ones, counted by one of the kernel's own schemes.
 */
import { type CountedMachine, type KernelConfig, createCountedMachine } from "../../src/scenario/counted-machine.ts";
import type { Memory } from "../../src/memory/memory.ts";

/** A machine of 256 MiB in two nodes that keeps contents, and everything around it. */
export function createTestCountedMachine(config: KernelConfig): CountedMachine {
  return createCountedMachine({ config, frameCount: 65_536 });
}

/** The same, the memory alone. */
export function createTestMachine(config: KernelConfig): Memory {
  return createTestCountedMachine(config).memory;
}
