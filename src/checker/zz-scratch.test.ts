import { test } from "vitest";
import { writeFileSync } from "node:fs";
import { elaborate } from "./elaborate.ts";
import { symmetries } from "./symmetries.ts";
import { FOLIO_TEXT } from "./programs/folio.ts";
import * as all from "../schemes/index.ts";
const mods = import.meta.glob("./programs/*.ts", { eager: true }) as Record<string, Record<string, string>>;
test("x", () => {
  const schemes = (all as any).schemes ?? (all as any).SCHEMES ?? Object.values(all).find((x: any) => Array.isArray(x) && x[0]?.steps !== undefined);
  const out: string[] = [Object.keys(all).join(" ")];
  for (const s of schemes as any[]) for (const [file, mod] of Object.entries(mods)) for (const [k, text] of Object.entries(mod)) {
    if (typeof text !== "string" || ["FOLIO_TEXT","ENTRIES_TEXT"].includes(k)) continue;
    const t0 = performance.now();
    try {
      const m = elaborate({ name: "x", texts: [{ name: "folio", text: FOLIO_TEXT }, { name: "entries", text: (mods["./programs/entries.ts"] as any).ENTRIES_TEXT }, { name: s.id, text: s.steps }, { name: k, text }], constants: {MMS:3} });
      const t1 = performance.now();
      const sy = symmetries(m);
      out.push(`${s.id} ${k} ok ${(t1-t0).toFixed(0)} ms threads ${m.threads.map((t) => `${t.name}:${t.instructions.length}/${t.registers.length}/${t.registers.filter(r => r.min===-128||r.max===127).map(r=>r.name)}`).join(" ")} vars ${m.variables.length} ordered ${m.sets.map((x) => x.orderedBy ?? "")} perms ${sy.permutations.length} ${sy.leftOut.map(x=>x.reason)} props ${m.properties.map(p=>p.when+" "+p.name)}`);
    } catch (e) { out.push(`${s.id} ${k} FAIL ${(e as Error).name === "StepsError" ? (e as Error).message : (e as Error).stack}`); }
  }
  writeFileSync("/tmp/p2/out", out.join("\n"));
});
