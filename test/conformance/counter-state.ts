/**
 * What a counter keeps, copied out and put back: its typed arrays, however deep they lie.
 *
 * A search that tries every next event from a state has to come back to it. What the context gives and what is computed once
 * and for all (secret weights, sub-ids) is no state. Invariant: put back, a counter answers as it did.
 */
import type { Counter } from "../../src/schemes/index.ts";

const NO_STATE = new Set(["context", "orders", "references", "meter", "pageTables", "weights", "subIds", "masks"]);

type Column = Int32Array | Uint8Array | Float64Array;

/** The columns of a counter by their paths: "slots.entries". */
export function columnsOf(counter: Counter): ReadonlyMap<string, Column> {
  const columns = new Map<string, Column>();
  collect(counter, "", columns);
  return columns;
}

function collect(owner: object, path: string, columns: Map<string, Column>): void {
  for (const [name, value] of Object.entries(owner) as [string, unknown][]) {
    const inner = path === "" ? name : `${path}.${name}`;
    // A view of references is no state, a column of them is.
    if (value instanceof Int32Array || value instanceof Uint8Array || value instanceof Float64Array) {
      columns.set(inner, value);
    } else if (typeof value === "object" && value !== null && !NO_STATE.has(name)) collect(value, inner, columns);
  }
}

/** The values of all columns, one after the other. */
export function readState(columns: ReadonlyMap<string, Column>): Float64Array {
  let length = 0;
  for (const column of columns.values()) length += column.length;
  const values = new Float64Array(length);
  let at = 0;
  for (const column of columns.values()) {
    values.set(column, at);
    at += column.length;
  }
  return values;
}

/** Puts back what `readState` has read. */
export function writeState(columns: ReadonlyMap<string, Column>, values: Float64Array): void {
  let at = 0;
  for (const column of columns.values()) {
    for (let index = 0; index < column.length; index++) column[index] = values[at + index];
    at += column.length;
  }
}
