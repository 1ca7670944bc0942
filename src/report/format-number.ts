/**
 * All formatting of numbers for people. One kB is 1024 bytes, as in /proc; a size is floored to kB, as the kernel does.
 *
 * Invariant: differences and sums are taken of the printed kB and not of the bytes behind them, so that whoever adds up
 * a printed column gets the printed sum (kernel-facts 3.3: the kernel truncates every figure once, when it prints it).
 */

/** Two ends of a figure, in whatever unit. */
interface Ends {
  readonly least: number;
  readonly most: number;
}

const BYTES_PER_KB = 1024;
const MS_PER_SECOND = 1000;
const SECONDS_PER_MINUTE = 60;

/** Whole kB of a size. */
export function kbOf(bytes: number): number {
  return Math.floor(bytes / BYTES_PER_KB);
}

/** An integer with a comma every three digits: 1,234,567. */
export function formatCount(count: number): string {
  const digits = Math.abs(count).toString();
  if (digits.length <= 3) return count.toString();
  let text = digits.slice(-3);
  for (let end = digits.length - 3; end > 0; end -= 3) text = `${digits.slice(Math.max(0, end - 3), end)},${text}`;
  return count < 0 ? `-${text}` : text;
}

/** A size in kB without its unit, which stands in the header. */
export function formatKb(bytes: number): string {
  return formatCount(kbOf(bytes));
}

/** A difference: +1,234, -1,234 or 0. */
export function formatDifference(difference: number): string {
  return difference > 0 ? `+${formatCount(difference)}` : formatCount(difference);
}

/** A difference in percent of `base`: +1.5%, -99.5%, 0%; "new" where the base is zero and the difference is not. */
export function formatPercentChange(difference: number, base: number): string {
  if (difference === 0) return "0%";
  if (base === 0) return "new";
  const percent = (difference / base) * 100;
  const sign = percent > 0 ? "+" : "-";
  return `${sign}${digitsOfPercent(Math.abs(percent))}%`;
}

/** A part in percent of the whole: 12.3%. */
export function formatShare(part: number, whole: number): string {
  return whole === 0 ? "0%" : `${digitsOfPercent((part / whole) * 100)}%`;
}

/** One decimal, none from a thousand on. A share below 0.05 is not zero and does not look like it. */
function digitsOfPercent(percent: number): string {
  if (percent >= 999.95) return formatCount(Math.round(percent));
  return percent > 0 && percent < 0.05 ? "0.0" : percent.toFixed(1).replace(/^100\.0$/, "100");
}

/** Two ends as `least..most`, or one figure where they are equal. */
export function formatRange(range: Ends, formatOne: (value: number) => string): string {
  if (range.least === range.most) return formatOne(range.least);
  return `${formatOne(range.least)}..${formatOne(range.most)}`;
}

/** A duration in the unit that reads best: 850 ms, 1.24 s, 2 min 5 s. */
export function formatDuration(elapsedMs: number): string {
  if (elapsedMs < MS_PER_SECOND) return `${Math.round(elapsedMs)} ms`;
  const seconds = elapsedMs / MS_PER_SECOND;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < SECONDS_PER_MINUTE - 0.05) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${formatCount(Math.floor(whole / SECONDS_PER_MINUTE))} min ${whole % SECONDS_PER_MINUTE} s`;
}

/** A size with its own unit, for single figures in sentences: 512 bytes, 64 KiB, 2.1 GiB. */
export function formatSize(bytes: number): string {
  const units = ["KiB", "MiB", "GiB", "TiB"];
  if (bytes < BYTES_PER_KB) return `${bytes} bytes`;
  let value = bytes / BYTES_PER_KB;
  let unit = 0;
  while (value >= BYTES_PER_KB && unit < units.length - 1) {
    value /= BYTES_PER_KB;
    unit++;
  }
  return `${Number.isInteger(value) || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A point in time, in UTC to the second: 2025-11-21 08:43:12 UTC. */
export function formatTime(atMs: number): string {
  if (!Number.isFinite(atMs) || Math.abs(atMs) > 8.64e15) return "at an unknown time";
  return `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "1 process", "2 processes". */
export function formatQuantity(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A price in nanoseconds without its unit, to three digits: 0.07, 5.09, 36.6, 1,204. */
export function formatNanoseconds(ns: number): string {
  if (ns === 0) return "0";
  if (ns >= 99.95) return formatCount(Math.round(ns));
  return ns.toFixed(ns >= 9.995 ? 1 : 2);
}
