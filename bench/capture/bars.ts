/**
 * What the capture promises, and whether it kept it. A bar compares a figure of
 * ours with a fixed limit or with a peer's figure of the same rounds. A bar
 * whose figure is missing is neither met nor missed.
 */

import { type Sample, type Series, type Summary, figuresOf, medianRatio, summarize } from "./measure.ts";

/** The names of the commands that bars speak about. */
export const NAMES = {
  floor: "floor",
  reportNow: "report --json",
  capture: "capture -o DIR",
  reportCapture: "report DIR",
  sparse: "capture --pid SPARSE",
  smem: "smem",
  thpmaps: "thpmaps",
} as const;

type Bar =
  | {
      readonly kind: "limit";
      readonly subject: string;
      readonly figure: keyof Sample;
      readonly atMost: number;
      readonly text: string;
    }
  | {
      readonly kind: "ratio";
      readonly subject: string;
      readonly peer: string;
      readonly atMost: number;
      readonly text: string;
    };

const PEAK_RSS_BYTES = 200e6;

const BARS: readonly Bar[] = [
  { kind: "ratio", subject: NAMES.reportNow, peer: NAMES.floor, atMost: 1.5, text: "<= 1.5 x floor" },
  { kind: "ratio", subject: NAMES.capture, peer: NAMES.floor, atMost: 1.5, text: "<= 1.5 x floor" },
  { kind: "ratio", subject: NAMES.reportNow, peer: NAMES.smem, atMost: 1, text: "faster than smem" },
  { kind: "ratio", subject: NAMES.reportNow, peer: NAMES.thpmaps, atMost: 0.1, text: ">= 10 x faster" },
  { kind: "limit", subject: NAMES.reportNow, figure: "peakRssBytes", atMost: PEAK_RSS_BYTES, text: "<= 200 MB" },
  { kind: "limit", subject: NAMES.capture, figure: "peakRssBytes", atMost: PEAK_RSS_BYTES, text: "<= 200 MB" },
  { kind: "limit", subject: NAMES.reportCapture, figure: "peakRssBytes", atMost: PEAK_RSS_BYTES, text: "<= 200 MB" },
  { kind: "limit", subject: NAMES.sparse, figure: "wallSeconds", atMost: 0.5, text: "<= 0.5 s" },
];

export interface Judgement {
  readonly subject: string;
  readonly figure: keyof Sample;
  readonly ours: Summary | undefined;
  readonly peer: string | undefined;
  readonly theirs: Summary | undefined;
  readonly ratio: number | undefined;
  readonly bar: string;
  readonly met: boolean | undefined;
}

function isMet(value: number | undefined, atMost: number): boolean | undefined {
  return value === undefined ? undefined : value <= atMost;
}

function judgeBar(bar: Bar, find: (name: string) => Series | undefined): Judgement {
  const subject = find(bar.subject);
  const figure = bar.kind === "limit" ? bar.figure : "wallSeconds";
  const ours = subject === undefined ? undefined : summarize(figuresOf(subject, figure));
  const known = { subject: bar.subject, figure, ours, bar: bar.text };
  if (bar.kind === "limit") {
    return { ...known, peer: undefined, theirs: undefined, ratio: undefined, met: isMet(ours?.median, bar.atMost) };
  }
  const peer = find(bar.peer);
  const ratio = subject === undefined || peer === undefined ? undefined : medianRatio(subject, peer, figure);
  const theirs = peer === undefined ? undefined : summarize(figuresOf(peer, figure));
  return { ...known, peer: bar.peer, theirs, ratio, met: isMet(ratio, bar.atMost) };
}

/** Holds every bar against the series; a series with failed rounds meets no bar. */
export function judge(all: readonly Series[]): Judgement[] {
  const find = (name: string): Series | undefined => all.find((series) => series.name === name);
  return BARS.map((bar) => {
    const judgement = judgeBar(bar, find);
    const failed = (find(bar.subject)?.failures.length ?? 0) > 0;
    return failed ? { ...judgement, met: false } : judgement;
  });
}
