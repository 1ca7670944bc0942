/**
 * Workers of a data loader in Python: what they only read, they write, because reading an object counts a reference.
 *
 *     parent    ================================   the data set: objects in anonymous memory, refcounts beside them
 *     worker 1  ==w=====w==w=======w=====w==w===   a batch is some objects drawn at random
 *     worker 2  w===w=======w===w=====w=======w=
 *
 * Over an epoch the workers together touch everything and each of them copies its share, page by page: folios are shared by
 * all, and each worker's holes lie elsewhere. When the workers end, the parent has everything to itself again.
 */
import { PAGE_KB, fillFolios, folioSizeParameter, useFolios } from "./anonymous-folios.ts";
import { drawIndex } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

function* epoch(values: WorkloadValues, random: Random, number: number): Generator<string> {
  const { folioKb, folios, workers, batches, batchItems } = values;
  const names = Array.from({ length: workers }, (_, index) => `w${number}_${index + 1}`);
  for (const name of names) yield `loader fork ${name}`;
  const pages = (folios * folioKb) / PAGE_KB;
  for (let batch = 0; batch < batches; batch++) {
    const name = names[batch % names.length];
    for (let item = 0; item < batchItems; item++)
      yield `${name} touch @data+${drawIndex(random, pages) * PAGE_KB}k 4k w`;
    // The parent takes the batch and drops it: it counts references, too.
    yield `loader touch @data+${drawIndex(random, pages) * PAGE_KB}k 4k w`;
  }
  yield `dump epoch${number}_read`;
  for (const name of names) yield `${name} exit`;
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, folios, epochs } = values;
  yield useFolios(folioKb);
  yield "spawn loader";
  yield* fillFolios({ process: "loader", name: "data", address: 0x2_0000_0000, sizeKb: folios * folioKb });
  for (let number = 1; number <= epochs; number++) yield* epoch(values, random, number);
  yield `loader touch @data ${folios * folioKb}k w ${folioKb}k`;
  yield "dump workers_gone";
}

export const dataLoader: ScenarioWorkload = {
  kind: "scenario",
  id: "data-loader",
  title: "data-loader workers that count references in the parent's memory",
  about:
    "A parent fills memory with objects and forks workers for each epoch; a worker that reads an object writes the page where " +
    "its reference count is, and so copies it. Items are drawn at random for each batch; after an epoch the workers exit and " +
    "the next epoch forks new ones, which is what a loader without persistent workers does. That memory of the parent is " +
    "replicated in the workers this way, seen with 8 workers, is the source; the size of the data and of batches is a guess.",
  source: "PyTorch issue 13246",
  parameters: {
    folioKb: folioSizeParameter(64, "malloc's memory under mTHP."),
    folios: { about: "folios of data", default: 384, min: 1, max: 65_536 },
    workers: { about: "workers of an epoch", default: 8, min: 1, max: 1024 },
    epochs: { about: "epochs, each with workers of its own", default: 2, min: 1, max: 256 },
    batches: { about: "batches of an epoch, read by the workers in turn", default: 96, min: 1, max: 65_536 },
    batchItems: { about: "objects of a batch", default: 16, min: 1, max: 4096 },
  },
  memoryBytes: ({ folioKb, folios, batches, batchItems, epochs }) =>
    1024 * (folios * folioKb + batches * (batchItems + epochs) * PAGE_KB + folios * PAGE_KB),
  lines,
};
