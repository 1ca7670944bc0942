/**
 * Which groups and pairs of a sharing report are shown, and in which order.
 *
 * A pair is shown if one of its ends was chosen: who shares with the chosen ones is the question. Groups come in the order
 * of what they share; what is left out is counted.
 */
import type { ProcessName, SharingPair, SharingReport } from "../study/index.ts";

/** The choice. */
export interface SharingSelection {
  /** Groups that have a process for which this is true; all if absent. */
  readonly wanted?: (process: ProcessName) => boolean;
  /** At most so many groups, and so many pairs. */
  readonly top: number;
}

/** What is left of the report. Groups are indexes. */
export interface SelectedSharing {
  readonly groups: readonly number[];
  readonly groupsLeftOut: readonly number[];
  /** Groups that no chosen process is in. */
  readonly groupsFiltered: readonly number[];
  readonly pairs: readonly SharingPair[];
  readonly pairsLeftOut: number;
}

/** Applies a selection. */
export function selectSharing({ groups, pairs }: SharingReport, { wanted, top }: SharingSelection): SelectedSharing {
  const isChosen = groups.map(({ processes }) => wanted === undefined || processes.some(wanted));
  const order = [...groups.keys()].toSorted(
    (a, b) =>
      groups[b].shared.bytes - groups[a].shared.bytes || groups[b].mapped.bytes - groups[a].mapped.bytes || a - b,
  );
  const chosen = order.filter((group) => isChosen[group]);
  const chosenPairs = pairs.filter(({ a, b }) => isChosen[a] || isChosen[b]);
  return {
    groups: chosen.slice(0, top),
    groupsLeftOut: chosen.slice(top),
    groupsFiltered: order.filter((group) => !isChosen[group]),
    pairs: chosenPairs.slice(0, top),
    pairsLeftOut: Math.max(0, chosenPairs.length - top),
  };
}
