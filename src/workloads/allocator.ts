/**
 * A memory allocator in one process: what malloc and free do to large folios without anybody forking.
 *
 *     arena   [ folio                  ][ folio                  ]
 *     spans   [ in use ][ lazy ][ gone ][ in use    ][ moved away ]
 *               |          |       |                     |
 *               w          |       MADV_DONTNEED         mremap: elsewhere now, in a VMA of its own
 *                          MADV_FREE
 *
 * There is one owner throughout: every "shared" is wrong, and every folio that is partially mapped should be found. Spans
 * are at most as large as a folio and need not lie in one.
 */
import { PAGE_KB, folioSizeParameter, mapFolios, useFolios } from "./anonymous-folios.ts";
import { drawIndex, drawOne } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

/** Where moved spans go, each to a slot of its own so that it can grow there and touches no other. */
const MOVED_ADDRESS = 0x20_0000_0000;
/** KiB of a slot, in folios: a span is at most one and becomes twice as large. */
const SLOT_FOLIOS = 4;

type SpanState = "unused" | "used" | "lazy" | "gone" | "away";
interface Span {
  readonly atKb: number;
  readonly sizeKb: number;
  /** Where mremap takes it. */
  readonly awayAddress: number;
  state: SpanState;
}

/** Cuts the arena into spans of random size. */
function cutSpans(random: Random, arenaKb: number, folioKb: number): Span[] {
  const spans: Span[] = [];
  for (let atKb = 0; atKb < arenaKb;) {
    const drawn = (1 + drawIndex(random, folioKb / PAGE_KB)) * PAGE_KB;
    const sizeKb = Math.min(drawn, arenaKb - atKb);
    const awayAddress = MOVED_ADDRESS + spans.length * SLOT_FOLIOS * folioKb * 1024;
    spans.push({ atKb, sizeKb, awayAddress, state: "unused" });
    atKb += sizeKb;
  }
  return spans;
}

/** Something happens to a span that is in use: it is given back in one of three ways, or grows elsewhere. */
function release(span: Span, random: Random): string {
  const at = `@arena+${span.atKb}k ${span.sizeKb}k`;
  switch (drawOne(random, ["gone", "lazy", "away"] as const)) {
    case "gone":
      span.state = "gone";
      return `heap madvise ${at} dontneed`;
    case "lazy":
      span.state = "lazy";
      return `heap madvise ${at} free`;
    case "away":
      span.state = "away";
      return `heap mremap ${at} ${span.sizeKb * 2}k 0x${span.awayAddress.toString(16)}`;
  }
}

/** A span that was moved is freed; its old place, which is a hole now, is mapped again for the next one. */
function* comeBack(span: Span, number: number): Generator<string> {
  yield `heap munmap 0x${span.awayAddress.toString(16)} ${span.sizeKb * 2}k`;
  yield `heap mmap hole${number} @arena+${span.atKb}k ${span.sizeKb}k rw anon,priv,fixed`;
  yield `heap madvise @hole${number} ${span.sizeKb}k hugepage`;
  span.state = "gone";
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, folios, operations } = values;
  const arenaKb = folios * folioKb;
  yield useFolios(folioKb);
  yield "spawn heap";
  yield* mapFolios({ process: "heap", name: "arena", address: 0x2_0000_0000, sizeKb: arenaKb });
  const spans = cutSpans(random, arenaKb, folioKb);
  for (const span of spans) {
    yield `heap touch @arena+${span.atKb}k ${span.sizeKb}k w`;
    span.state = "used";
  }
  for (let operation = 0; operation < operations; operation++) {
    const span = drawOne(random, spans);
    if (span.state === "away") yield* comeBack(span, operation);
    else if (span.state === "used") yield release(span, random);
    else {
      span.state = "used";
      yield `heap touch @arena+${span.atKb}k ${span.sizeKb}k w`;
    }
  }
  yield "dump worked";
}

export const allocator: ScenarioWorkload = {
  kind: "scenario",
  id: "allocator",
  title: "malloc and free in one process: DONTNEED, FREE, mremap",
  about:
    "One process has an arena of large folios, cut into spans of one page to a folio's size. Spans are used, given back with " +
    "MADV_DONTNEED or MADV_FREE, or moved by mremap to a place where they can grow, as realloc does with what was mapped; " +
    "holes are mapped again. One address space that unmaps parts of folios is one of the synthetic traces of the source; " +
    "that the three ways of giving back are equally frequent is a guess, as are all sizes.",
  source: "literature 5 (synthetic traces)",
  parameters: {
    folioKb: folioSizeParameter(256, "Larger than most spans, so that spans lie in folios."),
    folios: { about: "folios of the arena", default: 192, min: 1, max: 65_536 },
    operations: {
      about: "spans used, given back or moved, after all were used once",
      default: 2500,
      min: 6,
      max: 65_536,
    },
  },
  memoryBytes: ({ folioKb, folios }) => 1024 * 3 * folios * folioKb,
  lines,
};
