import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ProcTextError } from "./proc-error.ts";
import { parseStatusText } from "./status-text.ts";

const PROCESS = `Name:	cat
Umask:	0022
State:	R (running)
Tgid:	5595
Ngid:	0
Pid:	5596
PPid:	5583
Uid:	1000	0	0	0
Groups:	 
Kthread:	0
VmPeak:	    3060 kB
VmSize:	    3060 kB
VmLck:	      16 kB
VmRSS:	    1696 kB
RssAnon:	     112 kB
RssFile:	    1580 kB
RssShmem:	       4 kB
VmPTE:	      44 kB
VmSwap:	       8 kB
HugetlbPages:	    2048 kB
Threads:	3
`;

const KERNEL_THREAD = `Name:	kworker/0:1H-kblockd
State:	I (idle)
Tgid:	7
Pid:	7
PPid:	2
Uid:	0	0	0	0
Kthread:	1
Threads:	1
`;

const withName = (name: string): string => PROCESS.replace("Name:\tcat", () => `Name:\t${name}`);

test("a process's ids, state and sizes are read", () => {
  expect(parseStatusText(PROCESS)).toEqual({
    name: "cat",
    pid: 5596,
    tgid: 5595,
    ppid: 5583,
    uid: 1000,
    state: "R",
    threads: 3,
    kthread: false,
    vmSizeKb: 3060,
    vmLckKb: 16,
    vmRssKb: 1696,
    rssAnonKb: 112,
    rssFileKb: 1580,
    rssShmemKb: 4,
    vmPteKb: 44,
    vmSwapKb: 8,
    hugetlbPagesKb: 2048,
  });
});

test("a kernel thread has no sizes, which is not 0", () => {
  const status = parseStatusText(KERNEL_THREAD);
  expect(status).toMatchObject({ name: "kworker/0:1H-kblockd", kthread: true, state: "I" });
  expect(status.vmSizeKb).toBeUndefined();
  expect(status.rssAnonKb).toBeUndefined();
  expect(status.hugetlbPagesKb).toBeUndefined();
});

test("a kernel that does not say Kthread leaves it open", () => {
  expect(parseStatusText(PROCESS.replace("Kthread:\t0\n", "")).kthread).toBeUndefined();
});

test("newline and backslash in a name are decoded, everything else is as printed", () => {
  const cases: readonly (readonly [printed: string, name: string])[] = [
    ["a\\nUid:\\t0", "a\nUid:\\t0"],
    ["\\\\n", "\\n"],
    ["\\\\\\n", "\\\n"],
    ["x\\", "x\\"],
    [" (sd-pam) ", " (sd-pam) "],
    ["a:\tb", "a:\tb"],
    ["", ""],
  ];
  for (const [printed, name] of cases) expect(parseStatusText(withName(printed)).name).toBe(name);
});

test("a missing line, a line without a label and a value that is no number are refused", () => {
  expect(() => parseStatusText(PROCESS.replace(/^Pid:.*\n/m, ""))).toThrow(/Pid is missing/);
  expect(() => parseStatusText(PROCESS.replace("Pid:\t5596", "Pid:\tx"))).toThrow(/Line 6 of status: Pid is "x"/);
  expect(() => parseStatusText(PROCESS.replace("112 kB", "112 MB"))).toThrow(/RssAnon is/);
  expect(() => parseStatusText("hello\n")).toThrow(ProcTextError);
  expect(() => parseStatusText("")).toThrow(ProcTextError);
});

test.skipIf(!existsSync("/proc/self/status"))("this process's status names this process", () => {
  const status = parseStatusText(readFileSync("/proc/self/status", "utf8"));
  expect(status).toMatchObject({ tgid: process.pid, ppid: process.ppid, uid: process.getuid?.() });
  expect(status.threads).toBeGreaterThan(1);
  expect(status.rssAnonKb! + status.rssFileKb! + status.rssShmemKb!).toBe(status.vmRssKb);
});
