/**
 * The C functions that print the state at a dump, as the kernel has it: what /proc says, hardly changed.
 *
 *     dump 1_thp
 *     meminfo AnonPages 3924
 *     test_kB AnonPages 2048 Mapped 0
 *     vmstat thp_fault_alloc +1
 *     mthp 2048kB nr_anon +1 nr_anon_partially_mapped +0 split +0 split_deferred +0
 *     ksm pages_shared 0 pages_sharing 0 pages_unshared 0 ksm_zero_pages 0
 *     process P
 *     200000000-200200000 rw-p 00000000 00:00 0             smaps, of the tests' addresses
 *     Rss:                2048 kB
 *     numa_maps 200000000 default anon=512 ...
 *     pagemap 0x200000000 512 0x8180000000000e00 +1 huge    entries, the first one, how they go on
 *     folio 0xe00 512
 *     count 0 511 1                                         kpagecount of the pages first to last
 *     flags 0 511 0x406800                                  kpageflags
 *     end 1_thp
 *
 * The counters are c-counters.ts'. parse-reproduction.ts reads all this.
 */
export const C_DUMP = String.raw`
/* ---- folios, each told once a dump */

static uint64_t folio_heads[FOLIOS_MAX];
static int folios;

/* 1 if the head is new. */
static int remember(uint64_t head)
{
	static int slots[FOLIOS_MAX * 2];
	uint64_t slot = head * 0x9e3779b97f4a7c15UL >> 43;

	if (head == (uint64_t)-1) {
		memset(slots, 0, sizeof slots);
		folios = 0;
		return 0;
	}
	for (; slots[slot]; slot = (slot + 1) & (FOLIOS_MAX * 2 - 1)) {
		if (folio_heads[slots[slot] - 1] == head)
			return 0;
	}
	if (folios == FOLIOS_MAX)
		stop("too many folios for a dump");
	folio_heads[folios++] = head;
	slots[slot] = folios;
	return 1;
}

static void dump_runs(const char *what, uint64_t head, int pages, uint64_t (*value_of)(uint64_t), const char *format)
{
	for (int first = 0; first < pages;) {
		uint64_t value = value_of(head + first);
		int last = first;

		while (last + 1 < pages && value_of(head + last + 1) == value)
			last++;
		printf("%s %d %d ", what, first, last);
		printf(format, value);
		printf("\n");
		first = last + 1;
	}
}

static void dump_folio(uint64_t frame)
{
	uint64_t head = frame;
	int pages = 1;

	if (flags_of(frame) >> FLAG_ZERO & 1) {
		if (remember(frame))
			printf("zero %#lx\n", frame);
		return;
	}
	while (flags_of(head) >> FLAG_TAIL & 1)
		head--;
	if (!remember(head))
		return;
	while (flags_of(head + pages) >> FLAG_TAIL & 1)
		pages++;
	printf("folio %#lx %d\n", head, pages);
	dump_runs("count", head, pages, count_of, "%ld");
	dump_runs("flags", head, pages, flags_of, "%#lx");
}

/* ---- processes */

static void dump_entries(int pagemap, unsigned long start, unsigned long end)
{
	static uint64_t entries[512], ranges[1024][3];
	static char huge[512];

	for (unsigned long at = start; at < end; at += sizeof entries / 8 * 4096) {
		long pages = (end - at) / 4096 < 512 ? (end - at) / 4096 : 512;
		unsigned long from = at;
		int found = find_ranges(pagemap, &from, at + pages * 4096, PAGE_IS_HUGE, ranges, 1024);

		if (pread(pagemap, entries, pages * 8, at / 4096 * 8) != pages * 8)
			stop("pagemap ends too early");
		for (long i = 0; i < pages; i++) {
			huge[i] = 0;
			for (int r = 0; r < found; r++)
				huge[i] |= at + i * 4096 >= ranges[r][0] && at + i * 4096 < ranges[r][1];
		}
		for (long i = 0; i < pages;) {
			long next = i + 1;
			uint64_t step = next < pages ? entries[next] - entries[i] : 0;

			if (step > 1 && step != 32)
				step = 0;
			while (next < pages && entries[next] - entries[next - 1] == step && huge[next] == huge[i])
				next++;
			if (entries[i])
				printf("pagemap %#lx %ld %#lx +%ld%s\n", at + i * 4096, next - i, entries[i], step, huge[i] ? " huge" : "");
			for (long k = i; k < next; k++) {
				if (entries[k] & ENTRY_PRESENT)
					dump_folio(entries[k] & ENTRY_FRAME);
			}
			i = next;
		}
	}
}

static int is_ours(const char *line, unsigned long *start, unsigned long *end)
{
	return sscanf(line, "%lx-%lx", start, end) == 2 && *start >= WINDOW_FIRST && *start < WINDOW_END;
}

static void dump_process(int who)
{
	static unsigned long starts[4096], ends[4096];
	char path[64], fdinfo[512], *line, *rest;
	unsigned long start, end;
	int vmas = 0, ours = 0, pid, pagemap;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", process[who].pidfd);
	read_text(path, fdinfo, sizeof fdinfo);
	line = strstr(fdinfo, "Pid:");
	pid = line ? atoi(line + 4) : -1;
	printf("process %s\n", names[who]);
	snprintf(path, sizeof path, "/proc/%d/smaps", pid);
	read_text(path, text, sizeof text);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (isxdigit(line[0]) && sscanf(line, "%lx-%lx", &start, &end) == 2) {
			ours = is_ours(line, &start, &end) && vmas < 4096;
			if (ours) {
				starts[vmas] = start;
				ends[vmas++] = end;
			}
		}
		if (ours)
			printf("%s\n", line);
	}
	snprintf(path, sizeof path, "/proc/%d/numa_maps", pid);
	read_text(path, text, sizeof text);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		start = strtoul(line, NULL, 16);
		if (start >= WINDOW_FIRST && start < WINDOW_END)
			printf("numa_maps %s\n", line);
	}
	snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < vmas; i++)
		dump_entries(pagemap, starts[i], ends[i]);
	close(pagemap);
}

#define EVERYBODY (~0UL)

static __attribute__((unused)) void dump(int line, const char *label, unsigned long who)
{
	line_now = line;
	if (me != SUPERVISOR)
		return;
	printf("dump %s\n", label);
	dump_counters();
	remember(-1);
	flags_of(-1);
	for (int i = 0; i < PROCESSES; i++) {
		if (who >> i & 1 && process[i].pidfd)
			dump_process(i);
	}
	printf("end %s\n", label);
	fflush(stdout);
}
`;
