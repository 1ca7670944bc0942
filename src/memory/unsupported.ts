/**
 * The model refuses what it does not cover; it never guesses.
 */

/** Thrown by an operation that the model does not have, in a state that it cannot follow. Names both. */
export class Unsupported extends Error {
  /** What was asked, in the words of the scenario language where it has them. */
  readonly operation: string;

  constructor(operation: string, reason: string) {
    super(`the model does not cover ${operation}: ${reason}`);
    this.name = "Unsupported";
    this.operation = operation;
  }
}
