/**
 * Android's zygote: one parent that lives as long as the machine, and apps forked from it that write a part of every folio.
 *
 *     folio of the zygote    [ .  .  .  .  .  .  .  . ]
 *     app 1 has              [ .  w  .  .  .  w  .  . ]     w: its own copy, the folio's page is no longer mapped by it
 *     app 2 has              [ .  .  .  w  .  .  .  w ]
 *
 * Every folio is mapped by many address spaces, by each of them in part; a page's own count and the folio's average differ.
 * When apps die in random order the zygote stays, and what was written everywhere is mapped by nobody but it.
 */
import { PAGE_KB, fillFolios, folioSizeParameter, useFolios } from "./anonymous-folios.ts";
import { drawDistinct, shareOf, shuffled } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

function* startApp(values: WorkloadValues, random: Random, name: string): Generator<string> {
  const { folioKb, folios, cowPercent, ownKb } = values;
  yield `Z fork ${name}`;
  const pages = folioKb / PAGE_KB;
  for (const page of drawDistinct(random, shareOf(pages, cowPercent), pages)) {
    const at = page * PAGE_KB;
    yield `${name} touch @heap+${at}k ${folios * folioKb - at}k w ${folioKb}k`;
  }
  yield `${name} mmap own_${name} 0x600000000 ${ownKb}k rw anon,priv`;
  yield `${name} touch @own_${name} ${ownKb}k w`;
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, folios, apps, restarts } = values;
  yield useFolios(folioKb);
  yield "spawn Z";
  yield* fillFolios({ process: "Z", name: "heap", address: 0x2_0000_0000, sizeKb: folios * folioKb });
  const alive: string[] = [];
  let started = 0;
  for (; started < apps; started++) {
    alive.push(`app${started + 1}`);
    yield* startApp(values, random, `app${started + 1}`);
  }
  yield "dump all_apps_run";
  // The machine is full: for a new app an old one is killed.
  for (let restart = 0; restart < restarts; restart++, started++) {
    const victim = shuffled(random, alive)[0];
    yield `${victim} exit`;
    alive.splice(alive.indexOf(victim), 1, `app${started + 1}`);
    yield* startApp(values, random, `app${started + 1}`);
  }
  const order = shuffled(random, alive);
  for (const name of order.slice(1)) yield `${name} exit`;
  yield "dump last_app";
  yield `${order[0]} exit`;
  yield `Z touch @heap ${folios * folioKb}k w ${folioKb}k`;
  yield "dump zygote_alone";
}

export const zygote: ScenarioWorkload = {
  kind: "scenario",
  id: "zygote",
  title: "apps forked from a zygote, each writing a part of every folio",
  about:
    "A long-lived parent forks apps; each writes the same share of the pages of every folio, at places of its own, and has " +
    "some memory for itself. Apps die in random order and new ones take their place. The heap is that of the one published " +
    "example, a zygote with Rss 36,168 kB. That example's zygote has 7,552 of them for itself (Uss), about a fifth, which is " +
    "the default share written; the number of apps and their own memory are guesses.",
  source: "literature 5 (zygote example; synthetic traces)",
  parameters: {
    folioKb: folioSizeParameter(64, "Devices with large anonymous folios use 16 or 64."),
    folios: { about: "folios of the zygote's heap", default: 565, min: 1, max: 65_536 },
    apps: { about: "apps alive at once", default: 8, min: 1, max: 1024 },
    restarts: { about: "apps killed and replaced by a new one", default: 4, min: 0, max: 4096 },
    cowPercent: { about: "share of each folio's pages that an app writes, in percent", default: 20, min: 1, max: 100 },
    ownKb: { about: "KiB of memory of an app's own", default: 256, min: 4, max: 1_048_576 },
  },
  memoryBytes: ({ folioKb, folios, apps, cowPercent, ownKb }) =>
    1024 *
    (folios * folioKb +
      (apps + 1) * (ownKb + PAGE_KB + folios * PAGE_KB * (1 + shareOf(folioKb / PAGE_KB, cowPercent)))),
  lines,
};
