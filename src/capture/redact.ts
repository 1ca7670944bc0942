/**
 * Rewrites a capture with pseudonyms in place of frame numbers, command lines, names and paths (`--redact`).
 *
 * No figure changes: a frame keeps its neighbours in its block of 512, its folio, its count and its kind, and a VMA its
 * place in its process. Runs that cross a block are split, because its neighbour is elsewhere now. See pseudonyms.ts and
 * frame-permutation.ts for what replaces what, and docs/capture-format.md for what stays visible.
 */
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { FolioColumns, type FolioKind, HPAGE_PMD_NR, PAGE_SIZE_BYTES, procRefusal } from "../kernel/index.ts";
import { BadCapture } from "./bad-capture.ts";
import { type CaptureFacts, type SmallFrames, sortSmall } from "./capture-facts.ts";
import { finishParts, writeFacts } from "./capture-files.ts";
import type { CapturedProcess } from "./capture.ts";
import { FramePermutation } from "./frame-permutation.ts";
import { type LoadTables, describeProblem } from "./load-runs.ts";
import type { Manifest } from "./manifest.ts";
import { MappingPart, type StoredGroup, StoredGroups, partName } from "./mapping-part.ts";
import { PartialDirectory } from "./partial-directory.ts";
import { Pseudonyms, redactionKey } from "./pseudonyms.ts";
import {
  ADDRESS_AT,
  BITS_AT,
  BLOCK_RUNS,
  FRAME_AT,
  PAGES_AT,
  RUN_PRESENT,
  RUN_SWAP,
  RunBlocks,
  STEP_AT,
  VMA_AT,
  WORDS_PER_RUN,
} from "./run-blocks.ts";
import { type StoredFiles, readStoredFiles } from "./stored-files.ts";

export interface RedactOptions {
  /** Captures redacted with one key can be compared; without it every redaction has a key of its own. */
  readonly key?: string;
}

/** Writes a redacted copy of the capture in `from` to `to`. Throws BadCapture and CannotWriteCapture. */
export async function redactCapture(
  from: string,
  to: string,
  options: RedactOptions & { readonly force?: boolean } = {},
): Promise<Manifest> {
  const partial = new PartialDirectory(to, { force: options.force === true });
  try {
    const manifest = await redactInto(from, partial.path, options);
    partial.complete();
    return manifest;
  } catch (error) {
    partial.remove();
    throw error;
  }
}

/** Writes the redacted files and their manifest into an empty directory. */
export async function redactInto(from: string, directory: string, options: RedactOptions): Promise<Manifest> {
  const stored = await readStoredFiles(from);
  const { manifest, facts } = stored;
  const key = redactionKey(options.key);
  const names = new Pseudonyms(key);
  const frames = new FramePermutation(key, facts.machine.frameCount, facts.folios);
  const groups = stored.parts.map((part, index) =>
    redactPart(from, part, join(directory, partName(index)), stored, frames),
  );
  return writeFacts(directory, redactFacts(facts, names, frames), finishParts(directory, groups), {
    createdBy: manifest.createdBy,
    wholeMachine: manifest.wholeMachine,
    withSmaps: manifest.withSmaps,
    agreement: manifest.agreement,
    cost: manifest.cost,
    notes: manifest.notes.map((note) => names.sentence(note)),
    redaction: {
      pfns: true,
      strings: true,
      keyId: createHmac("sha256", key).update("key id").digest("hex").slice(0, 12),
    },
  });
}

function redactFacts(facts: CaptureFacts, names: Pseudonyms, frames: FramePermutation): CaptureFacts {
  const { machine } = facts;
  const corrected = facts.corrections.pfn
    .map((pfn, index) => ({ pfn: frames.frame(pfn), mapcount: facts.corrections.mapcount[index] }))
    .sort((a, b) => a.pfn - b.pfn);
  return {
    machine: {
      ...machine,
      bootId: names.name("boot", machine.bootId),
      hostPseudonym: machine.hostPseudonym === null ? null : names.name("host", machine.hostPseudonym),
    },
    processes: facts.processes.map((process) => redactProcess(process, names)),
    vmas: facts.vmas.map((vma) => names.vma(vma)),
    mmOfVma: facts.mmOfVma,
    smaps: facts.smaps,
    ...redactFolios(facts, names, frames),
    small: redactSmall(facts.small, frames),
    corrections: { pfn: corrected.map(({ pfn }) => pfn), mapcount: corrected.map(({ mapcount }) => mapcount) },
    disagreements: facts.disagreements.map((pfn) => frames.frame(pfn)).sort((a, b) => a - b),
  };
}

function redactProcess(process: CapturedProcess, names: Pseudonyms): CapturedProcess {
  const { refusal } = process;
  const errno = refusal === null ? "" : refusal.code === "other" ? refusal.errno : refusal.code;
  return {
    ...process,
    userName: names.user(process.userName, process.uid),
    name: names.name("program", process.name),
    command: names.command(process.command),
    cgroup: names.cgroup(process.cgroup),
    refusal: refusal === null ? null : procRefusal(errno, names.sentence(refusal.what)),
  };
}

/** The same folios under other heads, ascending again. */
function redactFolios(
  { folios, folioFlags, folioCgroups }: CaptureFacts,
  names: Pseudonyms,
  frames: FramePermutation,
): Pick<CaptureFacts, "folios" | "folioFlags" | "folioCgroups"> {
  const heads = Float64Array.from(folios.headPfn.subarray(0, folios.count), (pfn) => frames.frame(pfn));
  const order = Array.from(heads.keys()).sort((a, b) => heads[a] - heads[b]);
  const moved = new FolioColumns(Math.max(1, folios.count));
  const cgroups = new Map<number, string>();
  for (const from of order) {
    const exclusive = folios.headExclusive[from] === 1;
    const row = moved.append(heads[from], folios.order[from], folios.kind[from] as FolioKind, exclusive);
    moved.entries[row] = folios.entries[from];
    moved.pmdEntries[row] = folios.pmdEntries[from];
    moved.mappedPages[row] = folios.mappedPages[from];
    moved.mmCount[row] = folios.mmCount[from];
    moved.pagesMapped[row] = folios.pagesMapped[from];
    moved.mappedOutside[row] = folios.mappedOutside[from];
    moved.observed[row] = folios.observed[from];
    const group = folioCgroups.get(from);
    if (group !== undefined) cgroups.set(row, names.cgroup(group));
  }
  return {
    folios: moved,
    folioCgroups: cgroups,
    folioFlags: {
      low: Int32Array.from(order, (from) => folioFlags.low[from]),
      high: Int32Array.from(order, (from) => folioFlags.high[from]),
    },
  };
}

function redactSmall(small: SmallFrames, frames: FramePermutation): SmallFrames {
  const moved = { pfn: [], frames: [], kind: [], flagsLow: [], flagsHigh: [] } as {
    [K in keyof SmallFrames]: number[];
  };
  for (const [index, first] of small.pfn.entries()) {
    const end = first + small.frames[index];
    for (let pfn = first; pfn < end;) {
      const behind = Math.min(end, (Math.floor(pfn / HPAGE_PMD_NR) + 1) * HPAGE_PMD_NR);
      moved.pfn.push(frames.frame(pfn));
      moved.frames.push(behind - pfn);
      moved.kind.push(small.kind[index]);
      moved.flagsLow.push(small.flagsLow[index]);
      moved.flagsHigh.push(small.flagsHigh[index]);
      pfn = behind;
    }
  }
  return sortSmall(moved);
}

/** Copies the runs of a part under their new frames; returns the row groups of the new file. */
function redactPart(
  from: string,
  groups: readonly StoredGroup[],
  path: string,
  { facts }: StoredFiles,
  frames: FramePermutation,
): readonly StoredGroup[] {
  const tables: LoadTables = {
    mmOfVma: facts.mmOfVma,
    mmAlive: new Uint8Array(0),
    startPage: Float64Array.from(facts.vmas, ({ startPage }) => startPage),
    endPage: Float64Array.from(facts.vmas, ({ endPage }) => endPage),
  };
  const store = new StoredGroups();
  const part = new MappingPart(path);
  const runs = new RunBlocks(part, { memoryBlocks: 0, saveEveryBlock: true });
  const block = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
  try {
    for (const group of groups) {
      store.load(store.addGroup(group), block);
      for (let at = 0; at < group.rows; at++) {
        const problem = describeProblem(block, at, tables);
        if (problem !== undefined) throw new BadCapture("damaged", from, `has a run with ${problem}`);
        redactRun(block, at, runs, frames, facts.machine.frameCount);
      }
    }
    runs.finish();
    return part.finish();
  } finally {
    store.close();
    part.close();
  }
}

/** Appends run `at` under its new frames, in as many pieces as it touches blocks. */
function redactRun(block: Int32Array, at: number, runs: RunBlocks, frames: FramePermutation, frameCount: number): void {
  const bits = block[BITS_AT + at];
  const pages = block[PAGES_AT + at];
  const step = block[STEP_AT + at];
  const low = block[FRAME_AT + 2 * at];
  const high = block[FRAME_AT + 2 * at + 1];
  const present = (bits & RUN_PRESENT) !== 0;
  const first = present ? (low >>> 0) + (high >>> 0) * 2 ** 32 : low >>> 5;
  // One unit of the run's step: a frame, or a swap slot, which lies above five bits of type.
  const direction = Math.sign(step);
  const inside =
    present && high === 0 && (direction < 0 ? first : first + Math.abs(direction) * (pages - 1)) < frameCount;
  const isMarker = !present && (bits & RUN_SWAP) === 0 && low === 0 && high === 0;
  for (let done = 0; done < pages;) {
    const value = first + direction * done;
    const inBlock = ((value % HPAGE_PMD_NR) + HPAGE_PMD_NR) % HPAGE_PMD_NR;
    const room = direction === 0 ? pages : direction > 0 ? HPAGE_PMD_NR - inBlock : inBlock + 1;
    const count = Math.min(pages - done, room);
    let newLow = low;
    let newHigh = high;
    if (present) {
      const frame = inside ? frames.frame(value) : frames.outsideFrame(value);
      newLow = frame | 0;
      newHigh = Math.floor(frame / 2 ** 32);
    } else if (!isMarker) {
      newLow = frames.swapWord((low + direction * done * 32) | 0);
    }
    const addressLow = block[ADDRESS_AT + 2 * at];
    const address = (addressLow >>> 0) + done * PAGE_SIZE_BYTES;
    const addressHigh = block[ADDRESS_AT + 2 * at + 1] + (address >= 2 ** 32 ? 1 : 0);
    runs.append(block[VMA_AT + at], address | 0, addressHigh, newLow, newHigh, count, step, bits);
    done += count;
  }
}
