/**
 * The C functions that read frames and counters: kpageflags, kpagecount, meminfo, vmstat and the settings' statistics.
 *
 * AnonPages and Mapped of the tests alone are the machine's less the pages that all processes map outside of the tests'
 * addresses: marked in a bitmap of frames, so that each counts once. They are printed only if nothing moved meanwhile, and
 * if without a test the rest was zero: a container does not see all programs.
 */
export const C_COUNTERS = String.raw`
#define WINDOW_FIRST 0x100000000UL
#define WINDOW_END 0x7000000000UL
#define ENTRY_FRAME ((1UL << 55) - 1)
#define ENTRY_PRESENT (1UL << 63)
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_HUGE (1 << 6)
#define FLAG_ANON 12
#define FLAG_TAIL 16
#define FLAG_HUGETLB 17
#define FLAG_ZERO 24
#define FOLIOS_MAX (1 << 20)

static char text[1 << 21];
static int kpagecount = -1, kpageflags = -1;

/* kpageflags, one block at a time. */
static uint64_t flags_of(uint64_t frame)
{
	static uint64_t block[512], block_at = -1;

	if (frame == (uint64_t)-1) {
		block_at = -1;
		return 0;
	}
	if (frame >> 9 != block_at) {
		block_at = frame >> 9;
		memset(block, 0, sizeof block);
		if (pread(kpageflags, block, sizeof block, block_at << 12) <= 0)
			block_at = -1;
	}
	return block[frame & 511];
}

static uint64_t count_of(uint64_t frame)
{
	uint64_t count = 0;

	return pread(kpagecount, &count, 8, frame * 8) == 8 ? count : 0;
}

struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, all, any, wanted;
};

/* PAGEMAP_SCAN from *start on, which moves on to where the kernel stopped; -1 if the kernel has no such thing. */
static int find_ranges(int pagemap, unsigned long *start, unsigned long end, uint64_t category, uint64_t (*ranges)[3],
		       int most)
{
	struct scan scan = { .size = sizeof scan, .start = *start, .end = end, .vec = (uint64_t)ranges, .vec_len = most,
			     .any = category, .wanted = category };
	int found = ioctl(pagemap, _IOWR('f', 16, struct scan), &scan);

	if (found >= 0)
		*start = scan.walk_end > *start ? scan.walk_end : end;
	return found;
}

/* ---- what of the machine's memory is not the tests' */

static unsigned char seen[1 << 23];	/* a bit a frame: 256 GiB */

struct mapped {
	long anon, file;
	int complete;
};

static void mark_page(uint64_t frame, struct mapped *mapped)
{
	if (frame >> 3 >= sizeof seen)
		mapped->complete = 0;
	else
		seen[frame >> 3] |= 1 << (frame & 7);
}

/* In order of frames, so that kpageflags is read a block at a time. */
static void count_marked(struct mapped *mapped)
{
	for (uint64_t byte = 0; byte < sizeof seen; byte++) {
		for (int bit = 0; seen[byte] >> bit; bit++) {
			uint64_t flags;

			if (!(seen[byte] >> bit & 1))
				continue;
			flags = flags_of(byte * 8 + bit);
			if (flags >> FLAG_ZERO & 1 || flags >> FLAG_HUGETLB & 1)
				continue;
			if (flags >> FLAG_ANON & 1)
				mapped->anon++;
			else
				mapped->file++;
		}
	}
}

static void mark_entries(int pagemap, unsigned long start, unsigned long end, struct mapped *mapped)
{
	static uint64_t entries[4096];

	for (unsigned long at = start; at < end; at += sizeof entries / 8 * 4096) {
		long wanted = (end - at) / 4096 < sizeof entries / 8 ? (end - at) / 4096 : sizeof entries / 8;
		long got = pread(pagemap, entries, wanted * 8, at / 4096 * 8) / 8;

		for (long i = 0; i < got; i++) {
			if (entries[i] & ENTRY_PRESENT)
				mark_page(entries[i] & ENTRY_FRAME, mapped);
		}
	}
}

/* Terabytes may be reserved and empty: the kernel is asked first where anything is. */
static void mark_range(int pagemap, unsigned long start, unsigned long end, struct mapped *mapped)
{
	static uint64_t ranges[1024][3];

	while (start < end) {
		int found = find_ranges(pagemap, &start, end, PAGE_IS_PRESENT, ranges, 1024);

		if (found < 0) {
			mark_entries(pagemap, start, end, mapped);
			return;
		}
		for (int i = 0; i < found; i++)
			mark_entries(pagemap, ranges[i][0], ranges[i][1], mapped);
	}
}

static void mark_process(const char *pid, struct mapped *mapped)
{
	static char maps[1 << 21];
	char path[64], *line, *rest;
	int pagemap;

	snprintf(path, sizeof path, "/proc/%.16s/maps", pid);
	if (read_text(path, maps, sizeof maps) <= 0)
		return;
	snprintf(path, sizeof path, "/proc/%.16s/pagemap", pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return;
	for (line = strtok_r(maps, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || start >> 47 || (start >= WINDOW_FIRST && start < WINDOW_END))
			continue;
		mark_range(pagemap, start, end, mapped);
	}
	close(pagemap);
}

static struct mapped count_others(void)
{
	struct mapped mapped = { 0, 0, 1 };
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	memset(seen, 0, sizeof seen);
	flags_of(-1);
	while (processes && (entry = readdir(processes))) {
		if (isdigit(entry->d_name[0]))
			mark_process(entry->d_name, &mapped);
	}
	if (processes)
		closedir(processes);
	count_marked(&mapped);
	return mapped;
}

static long field(const char *key, long missing)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (!strncmp(line, key, length) && (line[length] == ':' || line[length] == ' '))
			return atol(line + length + 1);
	}
	return missing;
}

/* Batches of this processor into the LRU, its differences into the counters. */
static void drain(void)
{
	static char page[8192];
	char nothing[64];

	mlock((void *)(((unsigned long)page + 4095) & ~4095UL), 4096);
	munlock((void *)(((unsigned long)page + 4095) & ~4095UL), 4096);
	read_text("/proc/sys/vm/stat_refresh", nothing, sizeof nothing);
}

/* AnonPages and Mapped without the others' pages; 0 if they do not hold still. */
static int test_memory(long *anon_kB, long *mapped_kB)
{
	struct mapped before = count_others();

	for (int tries = 0; tries < 3; tries++) {
		struct mapped after;

		drain();
		read_text("/proc/meminfo", text, sizeof text);
		after = count_others();
		if (before.complete && before.anon == after.anon && before.file == after.file) {
			*anon_kB = field("AnonPages", 0) - after.anon * 4;
			*mapped_kB = field("Mapped", 0) - after.file * 4;
			return 1;
		}
		before = after;
	}
	return 0;
}

/* ---- counters, as differences from the baseline */

static const char *const meminfo_keys[] = { "AnonPages", "Mapped", "Shmem", "AnonHugePages", "ShmemHugePages",
	"ShmemPmdMapped", "FileHugePages", "FilePmdMapped", "SwapCached", "Mlocked", "Unevictable", "HugePages_Free",
	"HugePages_Rsvd" };
static const char *const vmstat_keys[] = { "nr_anon_transparent_hugepages", "nr_foll_pin_acquired", "nr_foll_pin_released",
	"thp_fault_alloc", "thp_collapse_alloc", "thp_split_page", "thp_split_page_failed", "thp_deferred_split_page",
	"thp_underused_split_page", "thp_split_pmd", "thp_zero_page_alloc", "thp_file_alloc", "thp_file_mapped", "thp_swpout",
	"pswpout", "pswpin", "pgmigrate_success", "thp_migration_success", "thp_migration_split", "cow_ksm", "ksm_swpin_copy",
	"unevictable_pgs_mlocked" };
static const char *const mthp_keys[] = { "nr_anon", "nr_anon_partially_mapped", "split", "split_deferred" };
static const char *const ksm_keys[] = { "pages_shared", "pages_sharing", "pages_unshared", "ksm_zero_pages" };
#define COUNT(list) (int)(sizeof list / sizeof *list)
static long vmstat_base[COUNT(vmstat_keys)], mthp_base[10][COUNT(mthp_keys)], ksm_base[COUNT(ksm_keys)];
static int base_known;

static long number_in(const char *path)
{
	char value[32];

	return read_text(path, value, sizeof value) > 0 ? atol(value) : 0;
}

static long mthp_value(int order, int key)
{
	char path[128];

	snprintf(path, sizeof path, "/sys/kernel/mm/transparent_hugepage/hugepages-%dkB/stats/%s", 4 << order, mthp_keys[key]);
	return number_in(path);
}

static long ksm_value(int key)
{
	char path[64];

	snprintf(path, sizeof path, "/sys/kernel/mm/ksm/%s", ksm_keys[key]);
	return number_in(path);
}

static void take_baseline(void)
{
	long anon_kB, mapped_kB;

	kpagecount = kpagecount < 0 ? open("/proc/kpagecount", O_RDONLY | O_CLOEXEC) : kpagecount;
	kpageflags = kpageflags < 0 ? open("/proc/kpageflags", O_RDONLY | O_CLOEXEC) : kpageflags;
	if (kpagecount < 0 || kpageflags < 0)
		stop("/proc/kpagecount and /proc/kpageflags cannot be read (CONFIG_PROC_PAGE_MONITOR)");
	base_known = test_memory(&anon_kB, &mapped_kB) && !anon_kB && !mapped_kB;
	if (!base_known)
		printf("note: AnonPages and Mapped of the tests alone are not known here: there are programs that are not seen\n");
	read_text("/proc/vmstat", text, sizeof text);
	for (int i = 0; i < COUNT(vmstat_keys); i++)
		vmstat_base[i] = field(vmstat_keys[i], 0);
	for (int i = 0; i < COUNT(ksm_keys); i++)
		ksm_base[i] = ksm_value(i);
	for (int order = 2; order <= 9; order++) {
		for (int i = 0; i < COUNT(mthp_keys); i++)
			mthp_base[order][i] = mthp_value(order, i);
	}
}

static void dump_counters(void)
{
	long anon_kB, mapped_kB;
	int known = test_memory(&anon_kB, &mapped_kB);

	for (int i = 0; i < COUNT(meminfo_keys); i++)
		printf("meminfo %s %ld\n", meminfo_keys[i], field(meminfo_keys[i], 0));
	if (base_known && known)
		printf("test_kB AnonPages %ld Mapped %ld\n", anon_kB, mapped_kB);
	read_text("/proc/vmstat", text, sizeof text);
	for (int i = 0; i < COUNT(vmstat_keys); i++) {
		long change = field(vmstat_keys[i], 0) - vmstat_base[i];

		if (change)
			printf("vmstat %s %+ld\n", vmstat_keys[i], change);
	}
	for (int order = 2; order <= 9; order++) {
		long change[COUNT(mthp_keys)];
		int any = 0;

		for (int i = 0; i < COUNT(mthp_keys); i++) {
			change[i] = mthp_value(order, i) - mthp_base[order][i];
			any |= change[i] != 0;
		}
		if (any)
			printf("mthp %dkB nr_anon %+ld nr_anon_partially_mapped %+ld split %+ld split_deferred %+ld\n", 4 << order,
			       change[0], change[1], change[2], change[3]);
	}
	printf("ksm");
	for (int i = 0; i < COUNT(ksm_keys); i++)
		printf(" %s %ld", ksm_keys[i], ksm_value(i) - ksm_base[i]);
	printf("\n");
}
`;
