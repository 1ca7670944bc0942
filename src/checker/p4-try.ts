import { checkMachine } from "./explore.ts";
import { elaborate } from "./elaborate.ts";
import { exploreReference } from "./reference-explore.ts";
const TEXT = `
const MMS = 5
const MOST = 6
set mm MMS
word total: 0..MMS*MOST
word owner0: mm?
word owner1: mm?
word count0: 0..MOST
word count1: 0..MOST
word shared: bool
lock large

procedure add(m) {
  lock large
  let t = add total, 1
  let a = load owner0
  if a == m { let c = add count0, 1 } else {
    let b = load owner1
    if b == m { let d = add count1, 1 } else {
      if a == none {
        store owner0 = m
        store count0 = 1
        if t != 1 { store shared = 1 }
      } else { if b == none {
        store owner1 = m
        store count1 = 1
        store shared = 1
      } }
    }
  }
  unlock large
}
procedure remove(m) {
  lock large
  let t = add total, -1
  let a = load owner0
  let left = 0
  if a == m {
    left = add count0, -1
    if left == 0 { store owner0 = none }
  } else {
    let b = load owner1
    if b == m {
      left = add count1, -1
      if left == 0 { store owner1 = none }
    }
  }
  if left == 0 {
    let x = load count0
    let y = load count1
    if x == t || y == t { store shared = 0 }
  }
  unlock large
}
thread mapper[m in mm] {
  let n: 0..MOST = 0
  loop {
    pick what in 0..2 where what == 0 ? n < MOST : n > 0
    if what == 0 { add(m)  
 n = n + 1 } else { remove(m)
 n = n - 1 }
  }
}
`;
const constants = { MMS: Number(process.argv[2] ?? 2), MOST: Number(process.argv[3] ?? 2) };
const machine = elaborate({ name: "two slots", texts: [{ name: "t", text: TEXT }], constants });
if (process.argv[4] === "ref") { const t=performance.now(); const r = exploreReference(machine); console.log("reference", r.states, r.transitions, r.depth, performance.now()-t|0); }
for (const o of [{ symmetry: false, partialOrderReduction: false }, { symmetry: false }, {symmetry: false, search: "depth-first"}, {}] as const) {
  if (constants.MMS > 3 && "partialOrderReduction" in o) continue;
  for (let i = 0; i < (constants.MMS > 3 && "search" in o ? 1 : 2); i++) {
  const cpu0 = process.cpuUsage().user+process.cpuUsage().system; const t = performance.now();
  const r = checkMachine(machine, {...o, properties: ["deadlock", "below-zero"]});
  const ms = performance.now() - t; const cpu = (process.cpuUsage().user+process.cpuUsage().system-cpu0)/1000;
  console.log(JSON.stringify(o), r.coverage, r.figures.states, r.figures.transitions, r.figures.depth, r.figures.bytes, r.figures.stateWords, ms | 0, "ms", cpu|0, "ms cpu", (r.figures.states / cpu / 1000).toFixed(2), "M/s", r.properties.map(p => p.name + ":" + p.outcome).join(" "));
  }
}
