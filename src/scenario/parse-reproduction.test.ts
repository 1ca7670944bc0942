import { expect, test } from "vitest";
import { kpageflagNames } from "./dumped-folios.ts";
import { BadReproduction, parseReproduction } from "./parse-reproduction.ts";

const OUTPUT = `note: /sys/x cannot be set to 1: Read-only file system
kernel 6.18.44
> spawn P = pid 7 mm_id 0
> P touch 0x200000000 4k w !! P died
= 0xffffffffffffffff No such process
  elapsed_ns 1234
dump 1_x
meminfo AnonPages 3924
test_kB AnonPages 2048 Mapped 4
vmstat thp_fault_alloc +1
mthp 2048kB nr_anon +1 nr_anon_partially_mapped -2 split +0 split_deferred +0
ksm pages_shared 1 pages_sharing 2 pages_unshared 3 ksm_zero_pages 4
process P
200000000-200009000 rw-p 00000000 00:00 0 
Size:                 36 kB
THPeligible:           1
VmFlags: rd wr mr 
300000000-300001000 rw-s 00000000 00:01 5                          /memfd:kref (deleted)
Rss:                   4 kB
numa_maps 200000000 default anon=1
pagemap 0x200000000 2 0x8180000000000e02 +1 huge
pagemap 0x200002000 2 0x8180000000000f00 +7
folio 0xe00 4
count 0 3 1
flags 0 0 0x40240d828
flags 1 3 0x402415828
folio 0xf00 1
count 0 0 1
flags 0 0 0x5828
folio 0xf07 1
count 0 0 1
flags 0 0 0x5828
pagemap 0x200004000 3 0x8180000000000f00 +0
pagemap 0x200007000 1 0x8080000000000001 +0
zero 0x1
pagemap 0x200008000 1 0x4000000000000020 +32
pagemap 0x300000000 1 0xa180000000000f07 +0
end 1_x
> P exit = 0
done
`;

test("the program's output becomes a recording", () => {
  const { record, ...rest } = parseReproduction(OUTPUT);
  expect(rest).toEqual({
    kernelRelease: "6.18.44",
    times: [{ command: "P touch 0x200000000 4k w !! P died", elapsedNs: 1234 }],
    notes: ["/sys/x cannot be set to 1: Read-only file system"],
    done: true,
  });
  expect(record.steps).toHaveLength(1);
  const [{ commands, dump }] = record.steps;
  expect(commands).toEqual(["spawn P = pid 7 mm_id 0", "P touch 0x200000000 4k w !! P died"]);
  expect(Object.keys(dump)).toEqual([
    "label",
    "processes",
    "folios",
    "meminfo_kB",
    "test_kB",
    "vmstat_delta",
    "mthp",
    "ksm",
  ]);
  expect(dump.processes.P.vmas).toEqual([
    {
      start: "0x200000000",
      end: "0x200009000",
      perm: "rw-p",
      name: "",
      smaps: { Size: 36, THPeligible: 1 },
      vmflags: ["rd", "wr", "mr"],
      numa_maps: "default anon=1",
    },
    {
      start: "0x300000000",
      end: "0x300001000",
      perm: "rw-s",
      name: "/memfd:kref (deleted)",
      smaps: { Rss: 4 },
      vmflags: [],
    },
  ]);
  expect(dump.processes.P.pagemap.map(({ page, n, flags, where }) => `${page} ${n} ${flags} ${where}`)).toEqual([
    "0 2 P--Xd--H F1[2-3]",
    "2 2 P--Xd--- F2..F3",
    "4 3 P--Xd--- F2[0-0]*3",
    "7 1 P---d--- ZERO",
    "8 1 -S------ swap type=0 off=0x1",
    "0 1 P-FXd--- F3[0-0]",
  ]);
  expect(dump.folios).toEqual({
    F1: {
      pages: 4,
      pfn: "0xe00",
      kpagecount: [[0, 3, 1]],
      kpageflags: [
        [0, 0, "UPTODATE,LRU,MMAP,ANON,SWAPBACKED,HEAD,THP,IDLE,OWNER_2"],
        [1, 3, "UPTODATE,LRU,MMAP,ANON,SWAPBACKED,TAIL,THP,IDLE,OWNER_2"],
      ],
    },
    "F2..F3": { kpagecount: 1, kpageflags: "UPTODATE,LRU,MMAP,ANON,SWAPBACKED", pages: 1 },
  });
  expect(dump.mthp).toEqual({ "2048kB": { nr_anon: 1, nr_anon_partially_mapped: -2, split: 0, split_deferred: 0 } });
});

test("a run that stopped is a recording of what it came to, with the reason", () => {
  const output = `${OUTPUT.slice(0, OUTPUT.indexOf("> P exit"))}> P guppin 0x200000000 4k \n\ncannot: line 9: debugfs has no gup_test\n`;
  const { record, cannot, done } = parseReproduction(output);
  expect(record.steps).toHaveLength(1);
  expect({ cannot, done }).toEqual({ cannot: { line: 9, reason: "debugfs has no gup_test" }, done: false });
  const inDump = parseReproduction("dump 1\nmeminfo AnonPages 1\ncannot: line 3: pagemap ends too early\n");
  expect(inDump.record.steps).toEqual([]);
  expect(inDump.cannot?.line).toBe(3);
});

test("a line that is none of the program's is refused with its number", () => {
  expect(() => parseReproduction("kernel 6\nhello\n")).toThrow(BadReproduction);
  expect(() => parseReproduction("dump 1\nprocess P\nhello\n")).toThrow("damaged in line 3");
});

test("names of kpageflags are those of recordings", () => {
  expect(kpageflagNames("0x1000000")).toBe("ZERO");
  expect(kpageflagNames("0x8000018000")).toBe("HEAD,TAIL,?");
  expect(kpageflagNames("0x40000000000")).toBe("");
});
