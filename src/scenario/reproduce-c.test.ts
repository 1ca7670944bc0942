/**
 * The C program of a scenario: it compiles without a warning, it holds the scenario, and nothing gets out of its comments.
 */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { requireCommand } from "../../test/full-run.ts";
import { scenarioOf } from "./parse-scenario.ts";
import { type ReproduceOptions, reproduceAsC } from "./reproduce-c.ts";

function programOf(text: string, options: ReproduceOptions = {}, file = "t.scn"): string {
  return reproduceAsC(scenarioOf(text, file), options);
}

/** Every command in every form. */
const EVERYTHING = `
thp 64kB madvise
shmthp 2048kB always
sys /proc/sys/vm/overcommit_memory 1
baseline
sleep 1
swapon /dev/ram1
spawn P
P mmap a 0x200000000 2M rw anon,priv
P mmap b 0x210000000 64k rx anon,shared,pop,locked,noreserve
P mmap c 0x220000000 2M rw anon,priv,hugetlb,fixed
P mmap d 0x230000000 4k n anon,droppable
P memfd 0 2M
P memfd 1 2M hugetlb
P open 2 /tmpfs/f 64k
P open 3 /tmpfs/f 0 ro
P open 4 /mnt/f
P mmap e 0x240000000 64k r shared fd=0 off=4k
P touch @a 2M w
P touch @a 4k r 64
P fill @a 4k 0x41
P peek @a
P mprotect @a 4k r
P mremap @b 4k 8k
P mremap @b 4k 4k 0x300000000
P mremap @b 4k 4k 0x300001000 dontunmap
P madvise @a 4k dontneed
P madvise @a 4k mergeable
P madvise @a 4k guard_install
P madvise @a 4k hwpoison
P mlock @a 4k
P mlock_onfault @a 4k
P munlock @a 4k
P close 2
P ftruncate 0 1M
P fallocate 0 0 4k
P fallocate 0 0 4k punch
P fsync 0
P fadvise 0
P pwrite 0 0 64k 4k
P pread 0 0 64k
P uring 0 @a 4k
P unuring 0
P guppin @a 4k w
P gupunpin
P vmsplice 1 @a 4k
P unvmsplice 1
P uffdwp @a 4k
P unuffdwp @a 4k
P migrate @a 4k 1
P node 0
P prctl 67 1
P fork C
C munmap @a 4k
ksmscan 2
split P @a 2M 2
dump 1_all
dump 2_P P
C exit
P fork C
dump 3_PC P C
swapoff /dev/ram1
`;

for (const [what, text] of [
  ["with every command", EVERYTHING],
  ["that is empty", ""],
  ["without a dump", "spawn P"],
  ["without a process", "dump 1"],
]) {
  test(`gcc has nothing to say about the program of a scenario ${what}`, (ctx) => {
    const gcc = requireCommand(ctx, "gcc");
    for (const timeCommands of [false, true]) {
      const args = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-x", "c", "-o", "/dev/null", "-"];
      const { status, stderr } = spawnSync(gcc, args, { input: programOf(text, { timeCommands }), encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    }
  });
}

test("main() is the scenario, a system call a command", () => {
  const main = programOf(
    "thp 64kB madvise\nspawn P\nP mmap a 0x200000000 2M rw anon,priv\nP fork C\nC munmap @a+1M 1M\ndump 1 C\nC exit",
  ).split("int main")[1];
  expect(main).toContain(`
	spawn(proc1_P, 2, "spawn P");
	if (turn(proc1_P, 3, "P mmap a 0x200000000 2M rw anon,priv"))
		result((long)mmap((void *)0x200000000UL, 0x200000UL, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED_NOREPLACE, -1, 0));
	if (turn(proc1_P, 4, "P fork C"))
		fork_as(proc2_C);
	if (turn(proc2_C, 5, "C munmap 0x200100000 1M"))
		result(munmap((void *)0x200100000UL, 0x100000UL));
	dump(6, "1", 1UL << proc2_C);
	if (turn(proc2_C, 7, "C exit"))
		leave();
`);
});

test("a name that is used again is another process", () => {
  const main = programOf("spawn P\nP fork C\nC exit\nP fork C\nC exit").split("int main")[1];
  expect([...main.matchAll(/turn\((\w+), \d+, "C exit"/g)].map(([, who]) => who)).toEqual(["proc2_C", "proc3_C"]);
});

test("a program has only what its scenario needs", () => {
  expect(programOf("spawn P\ndump 1")).not.toMatch(/io_uring_setup|userfaultfd,|split_huge_pages|ksm\/run/);
});

test("nothing gets out of the comment or a string", () => {
  const text = '# */ int evil; /*\n# \\\n# ??/\nspawn P # \u001b[2J "\ndump 1';
  const program = programOf(text, {}, 'a*/"\n\\.scn');
  const comment = program.slice(0, program.indexOf("*/") + 2);
  expect(program.indexOf("int evil")).toBeLessThan(comment.length);
  expect(comment.trimEnd().split("\n").at(-1)).toBe(" */");
  expect(program).not.toContain("\u001b");
});
