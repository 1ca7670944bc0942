/**
 * What a test of the copy-on-write plan is made of: lines of the scenario language, and looks between them.
 *
 * A look compares what somebody sees (a process through its entries, a pipe, a pin) with what was seen before or with what
 * was written. Looks and the one step that the language has no word for (a pin taken the fast way) become comments when a
 * test is printed, so that the text runs on a real kernel as it is.
 */

/** Who looks, and at what. */
export type CowViewer =
  | { readonly by: "process"; readonly process: string; readonly at: string; readonly lengthBytes: number }
  /** The pages that vmsplice put into the pipe of that number. */
  | { readonly by: "pipe"; readonly process: string; readonly id: number }
  /** The pages of the registered buffer of that number. */
  | { readonly by: "ring"; readonly process: string; readonly id: number; readonly lengthBytes: number }
  /** The pages that gup_test has pinned. */
  | { readonly by: "gup" };

export type CowStep =
  | { readonly kind: "run"; readonly line: string }
  /** A read-only long-term pin by get_user_pages_fast: `P guppin` that tries the tables first. */
  | { readonly kind: "pinFast"; readonly process: string; readonly at: string; readonly lengthBytes: number }
  /** The range must be on swap now, or the test cannot be made here. */
  | { readonly kind: "needSwap"; readonly process: string; readonly at: string; readonly lengthBytes: number }
  /** Remembers what the process sees. */
  | { readonly kind: "remember"; readonly viewer: CowViewer }
  /** The viewer must see what was remembered: page by page, as far as it sees at all. */
  | { readonly kind: "seesOld"; readonly viewer: CowViewer; readonly claim: string }
  /** The viewer must see pages filled with this byte. */
  | { readonly kind: "seesByte"; readonly viewer: CowViewer; readonly byte: number; readonly claim: string };

/** A line of the scenario. */
export function run(line: string): CowStep {
  return { kind: "run", line };
}

/** A process's view of a range. */
export function processSees(process: string, at: string, lengthBytes: number): CowViewer {
  return { by: "process", process, at, lengthBytes };
}

/** A size as the language writes it: whole KiB or MiB. */
export function sizeWord(bytes: number): string {
  return bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}M` : `${bytes / 2 ** 10}k`;
}

/** The step as a line of a scenario; what the language cannot say is a comment. */
export function formatCowStep(step: CowStep): string {
  switch (step.kind) {
    case "run":
      return step.line;
    case "pinFast":
      return `${step.process} guppin ${step.at} ${sizeWord(step.lengthBytes)}   # by gup-fast, for which the language has no word`;
    case "needSwap":
      return `# ${step.process} ${step.at} ${sizeWord(step.lengthBytes)} must be on swap now`;
    case "remember":
      return `# remember what ${formatViewer(step.viewer)} sees`;
    case "seesOld":
      return `# ${formatViewer(step.viewer)} must see what was remembered: ${step.claim}`;
    case "seesByte":
      return `# ${formatViewer(step.viewer)} must see 0x${step.byte.toString(16)}: ${step.claim}`;
  }
}

/** Who looks, in words. */
export function formatViewer(viewer: CowViewer): string {
  switch (viewer.by) {
    case "process":
      return `${viewer.process} at ${viewer.at} ${sizeWord(viewer.lengthBytes)}`;
    case "pipe":
      return `${viewer.process}'s pipe ${viewer.id}`;
    case "ring":
      return `${viewer.process}'s registered buffer ${viewer.id}`;
    case "gup":
      return "the pin of gup_test";
  }
}
