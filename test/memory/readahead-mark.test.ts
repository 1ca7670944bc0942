/**
 * Readahead's mark (PG_readahead, the bit of PG_reclaim) and those who write to the page that carries it.
 */
import { expect, test } from "vitest";
import { runScenario, scenarioOf } from "../../src/scenario/index.ts";

/** Pages of P's first mapping that are mapped at the last dump. */
function mappedPages(text: string): number[] {
  const { record } = runScenario(scenarioOf(`${text}dump end\n`, "mark.scn"), { config: "page", schemes: [] });
  const runs = record.steps.at(-1)?.dump.processes.P.pagemap ?? [];
  return runs
    .filter(({ base, flags }) => base === "0x200000000" && flags.startsWith("P"))
    .flatMap(({ page, n }) => Array.from({ length: n }, (_, i) => page + i));
}

// A fault on page 0 reads 32 pages around and marks the one that is 8 from the end of the window: page 24, the file's last.
const MARKED = `
spawn P
P open 0 /mnt/marked 100k
P fsync 0
P mmap a 0x200000000 100k r priv fd=0
P touch @a 4k r
`;

test("a write to the file leaves the mark where it is, and fault-around passes the page by (Linux 6.18.15, both kernels)", () => {
  const written = `${MARKED}P pwrite 0 16k 88k 256k\n`;
  expect(mappedPages(`${written}P touch @a+64k 4k r\n`).at(-1)).toBe(23);
});

test("a fault on the page itself takes the mark away and maps it", () => {
  expect(mappedPages(`${MARKED}P pwrite 0 16k 88k 256k\nP touch @a+96k 4k r\n`).at(-1)).toBe(24);
});
