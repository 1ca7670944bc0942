/*
 * The floor: the time below which no capture of this machine can go, because
 * the kernel needs it to write the answers. It reads what a capture must read
 * and decodes nothing.
 *
 *   floor --plan-machine PLAN     writes a plan of everything mapped now
 *   floor PLAN [BUFFER_BYTES]     reads what the plan says, and times that
 *
 * A plan has two kinds of line, in units of one 8-byte entry:
 *   pagemap PID START_PAGE PAGE_COUNT
 *   kpageflags START_PFN COUNT
 * Both forms print one line of JSON on stdout. Making the plan is not timed,
 * and neither is reading it back.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ENTRY_BYTES 8
#define DEFAULT_BUFFER_BYTES (256 * 1024)
#define MAX_BUFFER_BYTES (64 * 1024 * 1024)
#define WINDOW_PFNS 512
#define MAX_VMA_BYTES (1ULL << 40)
#define PM_PRESENT (1ULL << 63)
#define PM_PFN_MASK ((1ULL << 55) - 1)

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *must_realloc(void *old, size_t bytes)
{
	void *new = realloc(old, bytes);

	if (!new)
		die("realloc");
	return new;
}

static double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int open_pagemap(int pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- reading a plan ---------------------------------------------------- */

struct part {
	int pid; /* 0: kpageflags */
	uint64_t start;
	uint64_t count;
};

struct tally {
	uint64_t bytes;
	uint64_t failed;
};

static struct part *read_plan(const char *path, size_t *count)
{
	struct part *parts = NULL;
	size_t capacity = 0, n = 0;
	char line[128];
	FILE *file = fopen(path, "re");

	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file)) {
		struct part part = { 0 };

		if (sscanf(line, "pagemap %d %lu %lu", &part.pid, &part.start, &part.count) != 3) {
			part.pid = 0;
			if (sscanf(line, "kpageflags %lu %lu", &part.start, &part.count) != 2) {
				fprintf(stderr, "floor: not a line of a plan: %s", line);
				exit(1);
			}
		}
		if (n == capacity) {
			capacity = capacity ? capacity * 2 : 4096;
			parts = must_realloc(parts, capacity * sizeof(*parts));
		}
		parts[n++] = part;
	}
	fclose(file);
	*count = n;
	return parts;
}

static void read_part(int fd, const struct part *part, char *buffer, size_t buffer_bytes, struct tally *tally)
{
	uint64_t offset = part->start * ENTRY_BYTES;
	uint64_t left = part->count * ENTRY_BYTES;

	while (left) {
		ssize_t got = pread(fd, buffer, left < buffer_bytes ? left : buffer_bytes, offset);

		/* 0 is a process that has ended, or the end of physical memory. */
		if (got <= 0) {
			tally->failed++;
			return;
		}
		tally->bytes += got;
		offset += got;
		left -= got;
	}
}

static int run_plan(const char *path, size_t buffer_bytes)
{
	size_t count;
	struct part *parts = read_plan(path, &count);
	struct tally pagemap = { 0 }, flags = { 0 };
	char *buffer = aligned_alloc(4096, buffer_bytes);
	int fd = -1, fd_pid = -1;
	double seconds[2] = { 0, 0 }, began, total;

	if (!buffer)
		die("aligned_alloc");
	/* Its pages exist before the clock starts, as a long-lived reader's would. */
	memset(buffer, 0, buffer_bytes);

	total = began = now_seconds();
	for (size_t i = 0; i < count; i++) {
		const struct part *part = &parts[i];

		if (part->pid != fd_pid) {
			double at = now_seconds();

			seconds[fd_pid == 0] += at - began;
			began = at;
			if (fd >= 0)
				close(fd);
			fd_pid = part->pid;
			fd = fd_pid ? open_pagemap(fd_pid) : open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
		}
		if (fd < 0)
			(part->pid ? &pagemap : &flags)->failed++;
		else
			read_part(fd, part, buffer, buffer_bytes, part->pid ? &pagemap : &flags);
	}
	seconds[fd_pid == 0] += now_seconds() - began;
	total = now_seconds() - total;

	printf("{\"bufferBytes\":%zu,\"pagemapBytes\":%lu,\"kpageflagsBytes\":%lu,"
	       "\"pagemapSeconds\":%.6f,\"kpageflagsSeconds\":%.6f,\"totalSeconds\":%.6f,"
	       "\"failedPagemapReads\":%lu,\"failedKpageflagsReads\":%lu}\n",
	       buffer_bytes, pagemap.bytes, flags.bytes, seconds[0], seconds[1], total, pagemap.failed, flags.failed);
	free(buffer);
	free(parts);
	return 0;
}

/* ---- making a plan ----------------------------------------------------- */

struct census {
	uint64_t processes, refused, vmas, too_large, virtualPages, presentEntries;
};

static uint8_t *windows; /* one byte for each 512 PFNs: does it hold a mapped one? */
static uint64_t window_count;

static void mark_window(uint64_t pfn)
{
	uint64_t window = pfn / WINDOW_PFNS;

	if (window >= window_count) {
		uint64_t grown = window + window / 2 + 1024;

		windows = must_realloc(windows, grown);
		memset(windows + window_count, 0, grown - window_count);
		window_count = grown;
	}
	windows[window] = 1;
}

static void look_at_range(int fd, uint64_t start, uint64_t count, struct census *census)
{
	static uint64_t entries[DEFAULT_BUFFER_BYTES / ENTRY_BYTES];
	uint64_t offset = start * ENTRY_BYTES, left = count * ENTRY_BYTES;

	while (left) {
		ssize_t got = pread(fd, entries, left < sizeof(entries) ? left : sizeof(entries), offset);

		if (got <= 0)
			return;
		for (ssize_t i = 0; i < got / ENTRY_BYTES; i++) {
			if (!(entries[i] & PM_PRESENT))
				continue;
			census->presentEntries++;
			if (entries[i] & PM_PFN_MASK)
				mark_window(entries[i] & PM_PFN_MASK);
		}
		offset += got;
		left -= got;
	}
}

static void plan_range(FILE *plan, int pid, int fd, uint64_t start, uint64_t end, struct census *census)
{
	uint64_t page = sysconf(_SC_PAGESIZE), count = (end - start) / page;

	if (!count)
		return;
	fprintf(plan, "pagemap %d %lu %lu\n", pid, start / page, count);
	census->virtualPages += count;
	look_at_range(fd, start / page, count, census);
}

static void plan_process(FILE *plan, int pid, struct census *census)
{
	char path[64], line[8192];
	uint64_t start, end, range_start = 0, range_end = 0, vmas = 0;
	FILE *maps;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps) {
		census->refused += errno == EACCES || errno == EPERM;
		return;
	}
	fd = open_pagemap(pid);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || strstr(line, "[vsyscall]"))
			continue;
		vmas++;
		if (fd < 0)
			continue;
		if (end - start > MAX_VMA_BYTES) {
			census->too_large++;
			continue;
		}
		if (start != range_end) {
			plan_range(plan, pid, fd, range_start, range_end, census);
			range_start = start;
		}
		range_end = end;
	}
	if (fd >= 0) {
		plan_range(plan, pid, fd, range_start, range_end, census);
		close(fd);
	}
	fclose(maps);
	/* No VMAs: a kernel thread or a zombie, which has no mm to read. */
	if (!vmas)
		return;
	if (fd < 0) {
		census->refused++;
		return;
	}
	census->vmas += vmas;
	census->processes++;
}

static uint64_t plan_windows(FILE *plan)
{
	uint64_t start = 0, mapped = 0;
	int inside = 0;

	for (uint64_t window = 0; window <= window_count; window++) {
		int marked = window < window_count && windows[window];

		mapped += marked;
		if (marked && !inside)
			start = window;
		if (!marked && inside)
			fprintf(plan, "kpageflags %lu %lu\n", start * WINDOW_PFNS, (window - start) * WINDOW_PFNS);
		inside = marked;
	}
	return mapped;
}

static int plan_machine(const char *path)
{
	struct census census = { 0 };
	uint64_t mapped_windows;
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	FILE *plan = fopen(path, "we");

	if (!proc || !plan)
		die(proc ? path : "/proc");
	while ((entry = readdir(proc))) {
		/* Itself it leaves out: it will have ended before anybody reads the plan. */
		if (isdigit(entry->d_name[0]) && atoi(entry->d_name) != getpid())
			plan_process(plan, atoi(entry->d_name), &census);
	}
	closedir(proc);
	mapped_windows = plan_windows(plan);
	if (fclose(plan))
		die(path);
	printf("{\"processes\":%lu,\"refusedProcesses\":%lu,\"vmas\":%lu,\"vmasOver1TiB\":%lu,"
	       "\"virtualPages\":%lu,\"presentEntries\":%lu,\"mappedPfnWindows\":%lu}\n",
	       census.processes, census.refused, census.vmas, census.too_large, census.virtualPages,
	       census.presentEntries, mapped_windows);
	free(windows);
	return 0;
}

int main(int argc, char **argv)
{
	size_t buffer_bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : DEFAULT_BUFFER_BYTES;

	if (argc == 3 && !strcmp(argv[1], "--plan-machine"))
		return plan_machine(argv[2]);
	if (argc < 2 || argc > 3 || buffer_bytes < 4096 || buffer_bytes % 4096 || buffer_bytes > MAX_BUFFER_BYTES) {
		fprintf(stderr, "usage: floor PLAN [BUFFER_BYTES] | floor --plan-machine PLAN\n"
				"BUFFER_BYTES is a multiple of 4096 up to 64 MiB\n");
		return 2;
	}
	return run_plan(argv[1], buffer_bytes);
}
