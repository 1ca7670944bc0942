/**
 * What processes map as a pprof profile: a sample a path, with rss, pss and uss in bytes, of one scheme.
 *
 * Two profiles of one capture, each of its scheme, are compared by `pprof -diff_base`. Functions are what the path goes
 * through (order of the folios innermost, control group outermost), labels say pid, program, cgroup and scheme. Readers
 * expect the profile compressed with gzip, which is left to whoever writes the file. Field numbers: proto/profile.proto
 * of the pprof project.
 */
import type { StackReport } from "../study/index.ts";
import type { ExportHistory } from "./export-csv.ts";
import { stackBytes, stackFrames } from "./export-stacks.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/** Fields of Profile. */
const PROFILE = {
  sampleType: 1,
  sample: 2,
  location: 4,
  function: 5,
  stringTable: 6,
  timeNanos: 9,
  comment: 13,
  defaultSampleType: 14,
} as const;

/** Texts and functions, each once; index 0 of the texts is the empty one, ids of functions begin at 1. */
class Names {
  private readonly indexOf = new Map<string, number>([["", 0]]);

  index(text: string): number {
    const known = this.indexOf.get(text);
    if (known !== undefined) return known;
    this.indexOf.set(text, this.indexOf.size);
    return this.indexOf.size - 1;
  }

  list(): Iterable<string> {
    return this.indexOf.keys();
  }
}

/** The profile, not compressed. O(stacks). */
export function formatPprof(report: StackReport, { history }: { readonly history: ExportHistory }): Uint8Array {
  const writer = new ProtobufWriter();
  const texts = new Names();
  const functions = new Names();
  for (const type of ["rss", "pss", "uss"]) {
    writer.message(PROFILE.sampleType, () => {
      writer.number(1, texts.index(type));
      writer.number(2, texts.index("bytes"));
    });
  }
  for (const stack of report.stacks) {
    const { pid, name, cgroup } = stack.process;
    const values = (["rss", "pss", "uss"] as const).map((value) => stackBytes(stack, value, history));
    writer.message(PROFILE.sample, () => {
      // Innermost first.
      writer.packed(
        1,
        stackFrames(stack)
          .map((frame) => functions.index(frame))
          .reverse(),
      );
      writer.packed(2, values);
      writeLabel(writer, texts.index("pid"), { number: pid });
      for (const [key, text] of [
        ["program", name],
        ["cgroup", cgroup],
        ["scheme", report.scheme],
      ] as const) {
        writeLabel(writer, texts.index(key), { text: texts.index(text) });
      }
    });
  }
  writeFunctions(writer, functions, texts);
  writer.product(PROFILE.timeNanos, Math.round(report.beganAtMs), 1_000_000);
  writer.packed(PROFILE.comment, [texts.index(`scheme ${report.scheme}, Linux ${report.kernelRelease}`)]);
  writer.number(PROFILE.defaultSampleType, texts.index("pss"));
  for (const text of texts.list()) writer.text(PROFILE.stringTable, text);
  return writer.finish();
}

function writeLabel(
  writer: ProtobufWriter,
  key: number,
  value: { readonly text: number } | { readonly number: number },
): void {
  writer.message(3, () => {
    writer.number(1, key);
    if ("text" in value) writer.number(2, value.text);
    else writer.number(3, value.number);
  });
}

/** A location for each function, of the same id: there are no addresses. */
function writeFunctions(writer: ProtobufWriter, functions: Names, texts: Names): void {
  let id = 0;
  for (const name of functions.list()) {
    if (id > 0) {
      writer.message(PROFILE.location, () => {
        writer.number(1, id);
        writer.message(4, () => writer.number(1, id));
      });
      writer.message(PROFILE.function, () => {
        writer.number(1, id);
        writer.number(2, texts.index(name));
        writer.number(3, texts.index(name));
      });
    }
    id++;
  }
}
