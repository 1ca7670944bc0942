/**
 * The C program that measures what JavaScript cannot: what page faults, fork, unmapping and page tables take in the kernel.
 *
 * It changes no setting, needs no privilege and is gone within seconds. It stays on one processor and counts that processor's
 * time alone, so what else runs there is not in the figures, but for what it takes from the caches. Every timing is printed
 * as `timing REPETITION NAME NANOSECONDS`, in nanoseconds for each page, entry, table or whatever the name is about:
 *
 *     zero-...      read faults map the zero page: nothing is allocated, zeroed or counted, there are only entries
 *     sparse-...    the same with one page in every 2 MiB: as many tables as entries
 *     look...       mincore: walks page tables and changes nothing
 *     scan-...      /proc/self/pagemap is read
 *     anon-..., shared-unmap, reuse-fault, cow-fault    small anonymous folios, alone and shared with a child
 *     huge-fault, split, batch-...    folios of 2 MiB, by a PMD entry and then by PTEs, where the kernel gives them
 *     vma           one more VMA in the interval tree of a file that a hole is punched into
 *     loop, atomic, load, store, lock, line-...    what instruction-loops.ts measures in JavaScript
 *
 * Arguments: repetitions (one more is made, the first, to warm up), operations, lines, pages, tables, folios; lines and
 * tables are powers of two.
 */

export const KERNEL_TIMER_PROGRAM = String.raw`#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define TABLE (512 * PAGE)
#define LINE 64

static size_t pages, tables, chase_lines, folios;
static long operations;
static int repetition;
static int has_huge = 1;
static unsigned char *answers;
static uint64_t *entries;

/* Time on a processor, without the time that others had it. */
static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
	return at.tv_sec * 1e9 + at.tv_nsec;
}

static void say(const char *name, double nanoseconds, double units)
{
	printf("timing %d %s %.5f\n", repetition, name, nanoseconds / units);
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static char *reserve(size_t bytes, int advice)
{
	/* Aligned, so that tables and huge pages begin where the region does. */
	char *all = mmap(NULL, bytes + TABLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *start;

	if (all == MAP_FAILED)
		die("mmap");
	start = (char *)(((uintptr_t)all + TABLE - 1) & ~(TABLE - 1));
	if (start > all)
		munmap(all, start - all);
	munmap(start + bytes, all + TABLE - start);
	madvise(start, bytes, advice);
	return start;
}

/* What /proc/self/pagemap takes for each page; without such a file nothing is said. */
static void time_scan(const char *name, const char *start)
{
	int file = open("/proc/self/pagemap", O_RDONLY);
	size_t bytes = pages * sizeof(uint64_t);
	double began;

	if (file < 0)
		return;
	began = now();
	if (pread(file, entries, bytes, (uintptr_t)start / PAGE * sizeof(uint64_t)) != (ssize_t)bytes)
		die("pagemap");
	say(name, now() - began, pages);
	close(file);
}

static double read_pages(const char *start, size_t count, size_t step)
{
	double began = now();

	for (size_t i = 0; i < count; i++)
		(void)*(const volatile char *)(start + i * step);
	return now() - began;
}

static double write_pages(char *start, size_t count, size_t step)
{
	double began = now();

	for (size_t i = 0; i < count; i++)
		*(volatile char *)(start + i * step) = 1;
	return now() - began;
}

static double unmap(char *start, size_t bytes)
{
	double began = now();

	if (munmap(start, bytes) != 0)
		die("munmap");
	return now() - began;
}

/* A child that waits, unmaps when told and says how long it took. */
struct child {
	pid_t pid;
	int go[2], told[2];
	double fork_ns;
};

static struct child fork_child(char *start, size_t bytes)
{
	struct child child;
	double began, took = 0;
	char byte;

	if (pipe(child.go) != 0 || pipe(child.told) != 0)
		die("pipe");
	fflush(stdout);
	began = now();
	child.pid = fork();
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(child.go[1]);
		close(child.told[0]);
		if (read(child.go[0], &byte, 1) == 1 && byte == 'u')
			took = unmap(start, bytes);
		if (write(child.told[1], &took, sizeof(took)) != sizeof(took))
			_exit(1);
		_exit(0);
	}
	child.fork_ns = now() - began;
	if (child.pid < 0)
		die("fork");
	close(child.go[0]);
	close(child.told[1]);
	return child;
}

/* 'u': unmaps first; 'x': only exits. Returns when it is gone. */
static double end_child(struct child *child, char what)
{
	double took = 0;

	if (write(child->go[1], &what, 1) != 1 || read(child->told[0], &took, sizeof(took)) != sizeof(took))
		die("child");
	waitpid(child->pid, NULL, 0);
	close(child->go[1]);
	close(child->told[0]);
	return took;
}

static double time_fork_base(void)
{
	struct child child = fork_child(NULL, 0);

	end_child(&child, 'x');
	return child.fork_ns;
}

/* Entries of the zero page: nothing is counted, allocated or freed. */
static void time_zero_pages(double fork_base)
{
	size_t bytes = pages * PAGE;
	char *start = reserve(bytes + TABLE, MADV_NOHUGEPAGE), *moved;
	struct child child;
	double began;

	/* One page of its own, or fork would not copy the tables at all. */
	write_pages(start + bytes, 1, PAGE);
	say("zero-fault", read_pages(start, pages, PAGE), pages);
	began = now();
	if (mincore(start, bytes, answers) != 0)
		die("mincore");
	say("look", now() - began, pages);
	time_scan("scan-zero", start);
	child = fork_child(start, bytes);
	say("zero-fork", child.fork_ns - fork_base, pages);
	say("zero-unmap", end_child(&child, 'u'), pages);
	/* To a place that lies one page askew in its table: entry by entry. */
	moved = reserve(bytes + 2 * TABLE, MADV_NOHUGEPAGE);
	began = now();
	if (mremap(start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, moved + PAGE) == MAP_FAILED)
		die("mremap");
	say("zero-move", now() - began, pages);
	munmap(moved, bytes + 2 * TABLE);
	munmap(start, bytes + TABLE);
}

/* One entry a table: what tables cost. */
static void time_tables(void)
{
	size_t bytes = tables * TABLE;
	char *start = reserve(bytes, MADV_NOHUGEPAGE), *bare = reserve(bytes, MADV_NOHUGEPAGE);
	size_t at = 0;
	double began;

	say("sparse-fault", read_pages(start, tables, TABLE), tables);
	/* Tables in an order that no prefetcher guesses; the number of tables is a power of two. */
	began = now();
	for (size_t i = 0; i < tables; i++) {
		at = (at * 5 + 12345) & (tables - 1);
		mincore(start + at * TABLE, PAGE, answers);
	}
	say("look-table", now() - began, tables);
	began = now();
	for (size_t i = 0; i < tables; i++)
		mincore(bare, PAGE, answers);
	say("look-nothing", now() - began, tables);
	madvise(start, bytes, MADV_DONTNEED);
	began = now();
	madvise(start, bytes, MADV_DONTNEED);
	say("empty-scan", now() - began, tables);
	read_pages(start, tables, TABLE);
	say("sparse-unmap", unmap(start, bytes), tables);
	munmap(bare, bytes);
}

static void time_anon_pages(double fork_base)
{
	size_t bytes = pages * PAGE;
	char *start = reserve(bytes, MADV_NOHUGEPAGE);
	struct child child;

	say("anon-fault", write_pages(start, pages, PAGE), pages);
	time_scan("scan-anon", start);
	child = fork_child(start, bytes);
	say("anon-fork", child.fork_ns - fork_base, pages);
	say("shared-unmap", end_child(&child, 'u'), pages);
	say("reuse-fault", write_pages(start, pages, PAGE), pages);
	child = fork_child(start, bytes);
	say("cow-fault", write_pages(start, pages, PAGE), pages);
	end_child(&child, 'x');
	say("anon-unmap", unmap(start, bytes), pages);
}

static void time_huge_pages(double fork_base)
{
	size_t bytes = folios * TABLE;
	char *start = reserve(bytes, MADV_HUGEPAGE);
	struct rusage before, after;
	struct child child;
	double first, began, took;

	getrusage(RUSAGE_SELF, &before);
	took = write_pages(start, folios, TABLE);
	write_pages(start + TABLE / 2, folios, TABLE);
	getrusage(RUSAGE_SELF, &after);
	if (after.ru_minflt - before.ru_minflt > (long)folios + (long)folios / 8) {
		has_huge = 0;
		munmap(start, bytes);
		return;
	}
	say("huge-fault", took, folios * 512.0);
	began = now();
	for (size_t i = 0; i < folios; i++)
		madvise(start + i * TABLE, PAGE, MADV_DONTNEED);
	first = now() - began;
	began = now();
	for (size_t i = 0; i < folios; i++)
		madvise(start + i * TABLE + PAGE, PAGE, MADV_DONTNEED);
	say("split", first - (now() - began), folios);
	child = fork_child(start, bytes);
	say("batch-fork", child.fork_ns - fork_base, folios * 510.0);
	say("batch-unmap", end_child(&child, 'u'), folios * 510.0);
	munmap(start, bytes);
}

/* How long a look at one more VMA takes: a hole is punched into a file that so many VMAs may map. */
static double punch(int file, int times)
{
	double began = now();

	for (int i = 0; i < times; i++)
		if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE) != 0)
			die("fallocate");
	return (now() - began) / times;
}

static void time_vmas(void)
{
	enum { VMAS = 1024, TIMES = 8 };
	static char *at[VMAS];
	int file = memfd_create("foliometer", 0);
	double one = 0;

	if (file < 0 || ftruncate(file, PAGE) != 0)
		die("memfd");
	for (int i = 0; i < VMAS; i++) {
		at[i] = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
		if (at[i] == MAP_FAILED)
			die("mmap");
		if (i == 0)
			one = punch(file, TIMES);
	}
	say("vma", punch(file, TIMES) - one, VMAS - 1);
	for (int i = 0; i < VMAS; i++)
		munmap(at[i], PAGE);
	close(file);
}

static volatile uint32_t words[16] __attribute__((aligned(64)));

#define LOOP(name, body) do { \
	double began = now(); \
	for (long i = 0; i < operations; i++) { body; } \
	say(name, now() - began, operations); \
} while (0)

/* Eight words of a line at a time: the loop around them costs next to nothing. */
#define EIGHT(name, body) do { \
	double began = now(); \
	for (long i = 0; i < operations / 8; i++) { \
		_Pragma("GCC unroll 8") \
		for (int word = 0; word < 8; word++) \
			body; \
	} \
	say(name, now() - began, operations / 8 * 8.0); \
} while (0)

static void time_instructions(void)
{
	LOOP("loop", __asm__ volatile("" ::: "memory"));
	LOOP("atomic", __atomic_fetch_add(&words[0], 1, __ATOMIC_RELAXED));
	EIGHT("load", (void)words[word]);
	EIGHT("store", words[word] = (uint32_t)i);
	LOOP("lock", __atomic_fetch_or(&words[0], 1u << 31, __ATOMIC_ACQUIRE);
	     __atomic_store_n(&words[0], 0, __ATOMIC_RELEASE));
}

static char *arena;
static uint32_t *order;

static uint64_t random_state = 88172645463325252ULL;
static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

static void make_arena(void)
{
	size_t bytes = chase_lines * LINE;

	/* lines are at least 2^20: whole tables, the order's too */
	arena = reserve(bytes, MADV_HUGEPAGE);
	order = (uint32_t *)reserve(chase_lines * sizeof(*order), MADV_HUGEPAGE);
	/* Fork would copy them, and is what is timed. */
	madvise(arena, bytes, MADV_DONTFORK);
	madvise(order, chase_lines * sizeof(*order), MADV_DONTFORK);
	for (size_t i = 0; i < chase_lines; i++)
		order[i] = i;
	for (size_t i = chase_lines - 1; i > 0; i--) {
		size_t j = random64() % (i + 1);
		uint32_t held = order[i];

		order[i] = order[j];
		order[j] = held;
	}
	for (size_t i = 0; i < chase_lines; i++)
		*(uint32_t *)(arena + (size_t)order[i] * LINE) = order[(i + 1) % chase_lines];
}

static void time_lines(void)
{
	size_t steps = chase_lines / 8, blocks = chase_lines / 512;
	uint32_t at = order[random64() % chase_lines];
	double began = now();

	for (size_t i = 0; i < steps; i++)
		at = *(volatile uint32_t *)(arena + (size_t)at * LINE);
	say("line-dependent", now() - began, steps);
	/* struct pages of large folios: 512 lines in a row, written; folios in any order. */
	began = now();
	for (size_t i = 0; i < blocks / 8; i++) {
		char *block = arena + (random64() % blocks) * 512 * LINE;

		for (size_t line = 0; line < 512; line++)
			*(volatile uint32_t *)(block + line * LINE + 48) += 1;
	}
	say("line-in-order", now() - began, blocks / 8 * 512);
	began = now();
	for (size_t i = 0; i < steps; i++)
		*(volatile uint32_t *)(arena + (size_t)order[i] * LINE + 48) += 1;
	say("line-random", now() - began, steps);
	words[1] = at;
}

int main(int argc, char **argv)
{
	cpu_set_t one;
	int repetitions;

	if (argc != 7)
		return 2;
	repetitions = atoi(argv[1]);
	operations = atol(argv[2]);
	chase_lines = atol(argv[3]);
	pages = atol(argv[4]);
	tables = atol(argv[5]);
	folios = atol(argv[6]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	answers = malloc(pages);
	entries = malloc(pages * sizeof(*entries));
	if (answers == NULL || entries == NULL)
		die("malloc");
	make_arena();
	/* The first finds caches, branches and memory of the machine cold. */
	for (repetition = 0; repetition <= repetitions; repetition++) {
		double base;

		time_instructions();
		time_lines();
		base = time_fork_base();
		say("fork-base", base, 1);
		time_zero_pages(base);
		time_tables();
		time_anon_pages(base);
		if (has_huge)
			time_huge_pages(base);
		time_vmas();
		fflush(stdout);
	}
	return 0;
}
`;
