/**
 * The C functions behind the commands that are more than one system call, each used only by programs that need it.
 *
 * Each function returns what the system call returned, with errno, or cannot("...") where this machine lacks what the
 * command is about. The order of the list is the order in the program.
 */
import type { CommandBody } from "./command.ts";

/** A piece of C and the commands that use it. */
export interface CPiece {
  readonly usedBy: (command: CommandBody) => boolean;
  readonly text: string;
}

function kinds(...names: readonly CommandBody["kind"][]): CPiece["usedBy"] {
  return ({ kind }) => names.includes(kind);
}

export function touchesKsm(command: CommandBody): boolean {
  if (command.kind === "ksmscan") return true;
  return command.kind === "madvise" && (command.advice === "mergeable" || command.advice === "unmergeable");
}

export function touchesHugetlb(command: CommandBody): boolean {
  return (
    (command.kind === "memfd" && command.hugetlb) || (command.kind === "mmap" && command.flags.includes("hugetlb"))
  );
}

function isGuard(command: CommandBody): boolean {
  return command.kind === "madvise" && (command.advice === "guard_install" || command.advice === "guard_remove");
}

/** Opened files have numbers from here on, so that none is in the way. */
const DESCRIPTORS = String.raw`
#define FILE_NUMBER(k) (200 + (k))

static __attribute__((unused)) long keep_file(int fd, int number)
{
	if (fd < 0 || dup2(fd, FILE_NUMBER(number)) < 0)
		return -1;
	return close(fd);
}
`;

const TMPFS = String.raw`
/* A tmpfs of its own, huge=always, that no path leads to: it is gone when the last process is. */
static int tmpfs = -1;

static void make_tmpfs(void)
{
	int context = syscall(SYS_fsopen, "tmpfs", 0);

	if (context < 0)
		return;
	syscall(SYS_fsconfig, context, 1 /* FSCONFIG_SET_STRING */, "size", "64m", 0);
	if (!syscall(SYS_fsconfig, context, 1, "huge", "always", 0) &&
	    !syscall(SYS_fsconfig, context, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0))
		tmpfs = syscall(SYS_fsmount, context, 0, 0);
	close(context);
}

static long open_in_tmpfs(int number, const char *name, int read_only, long size)
{
	if (tmpfs < 0)
		return cannot("there is no tmpfs with huge=always");
	if (keep_file(openat(tmpfs, name, read_only ? O_RDONLY : O_RDWR | O_CREAT, 0755), number))
		return -1;
	return size >= 0 && !read_only ? ftruncate(FILE_NUMBER(number), size) : 0;
}
`;

const DEBUGFS = String.raw`
/* debugfs, mounted or not. */
static int open_debugfs(const char *name)
{
	int context = syscall(SYS_fsopen, "debugfs", 0), root = -1, fd;

	if (context < 0)
		return -1;
	if (!syscall(SYS_fsconfig, context, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0))
		root = syscall(SYS_fsmount, context, 0, 0);
	close(context);
	fd = openat(root, name, O_RDWR);
	close(root);
	return fd;
}
`;

const HUGETLB = String.raw`
static int has_huge_pages(void)
{
	static char text[8192];
	char *free_pages;

	read_text("/proc/meminfo", text, sizeof text);
	free_pages = strstr(text, "HugePages_Total:");
	return free_pages && atol(free_pages + 16) >= 8;
}
`;

const TOUCH = String.raw`
/* A pure store of eight bytes at every step. */
static __attribute__((unused)) long write_pages(unsigned long address, unsigned long length, unsigned long step)
{
	uint64_t stamp = (uint64_t)getpid() << 32;

	for (unsigned long at = address; at < address + length; at += step)
		*(volatile uint64_t *)at = stamp | (uint32_t)(at >> 12);
	return 0;
}

static __attribute__((unused)) long read_pages(unsigned long address, unsigned long length, unsigned long step)
{
	for (unsigned long at = address; at < address + length; at += step)
		(void)*(volatile unsigned char *)at;
	return 0;
}
`;

const FILE_CALLS = String.raw`
static __attribute__((unused)) long write_file(int fd, long offset, long length, long chunk)
{
	static char buffer[2 << 20];

	memset(buffer, 0x5a, length < chunk ? length : chunk);
	for (long at = 0; at < length;) {
		ssize_t written = pwrite(fd, buffer, length - at < chunk ? length - at : chunk, offset + at);

		if (written <= 0)
			return -1;
		at += written;
	}
	return length;
}

static __attribute__((unused)) long read_file(int fd, long offset, long length)
{
	static char buffer[1 << 16];

	for (long at = 0; at < length; at += sizeof buffer) {
		if (pread(fd, buffer, sizeof buffer, offset + at) < 0)
			return -1;
	}
	return length;
}
`;

const URING = String.raw`
static int rings[16];

/* Registered buffers are pinned: FOLL_PIN | FOLL_LONGTERM | FOLL_WRITE. */
static long register_buffer(int id, unsigned long address, unsigned long length)
{
	struct io_uring_params parameters = { 0 };
	struct iovec buffer = { (void *)address, length };
	int fd = syscall(SYS_io_uring_setup, 1, &parameters);

	if (fd < 0)
		return cannot("there is no io_uring, or kernel.io_uring_disabled forbids it");
	rings[id] = fd;
	return syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &buffer, 1);
}

static __attribute__((unused)) long unregister_buffer(int id)
{
	int result = syscall(SYS_io_uring_register, rings[id], IORING_UNREGISTER_BUFFERS, NULL, 0);

	close(rings[id]);
	return result;
}
`;

const VMSPLICE = String.raw`
static int splices[16][2];

/* The pipe holds plain references: FOLL_GET. */
static long splice_pages(int id, unsigned long address, unsigned long length)
{
	struct iovec pages = { (void *)address, length };

	if (pipe(splices[id]))
		return -1;
	fcntl(splices[id][1], F_SETPIPE_SZ, 1 << 20);
	return vmsplice(splices[id][1], &pages, 1, SPLICE_F_NONBLOCK);
}

static __attribute__((unused)) long drop_splice(int id)
{
	close(splices[id][0]);
	return close(splices[id][1]);
}
`;

const GUP_TEST = String.raw`
static int gup_test = -1;

static __attribute__((unused)) long pin_pages(unsigned long address, unsigned long length, int write)
{
	struct {
		uint64_t address, size;
		uint32_t flags;
	} pin = { address, length, write };

	if (gup_test < 0)
		gup_test = open_debugfs("gup_test");
	if (gup_test < 0)
		return cannot("debugfs has no gup_test (CONFIG_GUP_TEST)");
	return ioctl(gup_test, _IOC(_IOC_WRITE, 'g', 7, sizeof pin), &pin);
}

static __attribute__((unused)) long unpin_pages(void)
{
	int result = ioctl(gup_test, _IO('g', 8));

	close(gup_test);
	gup_test = -1;
	return result;
}
`;

const UFFD = String.raw`
static int uffd = -1;

static long write_protect(unsigned long address, unsigned long length, int protect)
{
	struct uffdio_register range = { .range = { address, length }, .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect wp = { .range = { address, length }, .mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };

	if (uffd < 0) {
		struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };

		uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1 /* UFFD_USER_MODE_ONLY */);
		if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
			return cannot("there is no userfaultfd with write protection");
	}
	if (protect && ioctl(uffd, UFFDIO_REGISTER, &range))
		return -1;
	return ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
}
`;

const NODES = String.raw`
static int has_node(int node)
{
	char path[64];

	snprintf(path, sizeof path, "/sys/devices/system/node/node%d", node);
	return !access(path, F_OK);
}

/* Page by page; the number that is on the node now. */
static __attribute__((unused)) long migrate(unsigned long address, unsigned long length, int node)
{
	long there = 0;

	if (!has_node(node))
		return cannot("this machine has no such NUMA node");
	for (unsigned long at = address; at < address + length; at += 4096) {
		void *page = (void *)at;
		int status = -1;

		if (syscall(SYS_move_pages, 0, 1L, &page, &node, &status, 2 /* MPOL_MF_MOVE */) < 0)
			return -1;
		there += status == node;
	}
	return there;
}

static __attribute__((unused)) long bind_to(int node)
{
	unsigned long mask = 1UL << node;

	if (!has_node(node))
		return cannot("this machine has no such NUMA node");
	return syscall(SYS_set_mempolicy, 2 /* MPOL_BIND */, &mask, 64L);
}
`;

const KSM_ADVICE = String.raw`
static __attribute__((unused)) long advise_ksm(unsigned long address, unsigned long length, int advice)
{
	if (access("/sys/kernel/mm/ksm/run", F_OK))
		return cannot("this kernel has no KSM");
	return madvise((void *)address, length, advice);
}
`;

const GUARD_ADVICE = String.raw`
static long advise_guard(unsigned long address, unsigned long length, int advice)
{
	static char page[8192];
	int result = madvise((void *)address, length, advice);

	if (result && errno == EINVAL &&
	    madvise((void *)(((unsigned long)page + 4095) & ~4095UL), 4096, 103 /* MADV_GUARD_REMOVE */)) {
		errno = EINVAL;
		return cannot("this kernel has no guard regions");
	}
	return result;
}
`;

const SETTING = String.raw`
static int set(const char *path, const char *value)
{
	int failed = write_text(path, value);

	if (failed && (errno == ENOENT || errno == EROFS || errno == EACCES)) {
		static char reason[160];

		snprintf(reason, sizeof reason, "%s: %s", path, strerror(errno));
		stop(reason);
	}
	return failed;
}
`;

const KSMD = String.raw`
static long full_scans(void)
{
	char text[32];

	return read_text("/sys/kernel/mm/ksm/full_scans", text, sizeof text) < 0 ? -1 : atol(text);
}

static void scan_with_ksmd(int scans)
{
	long before = full_scans();

	if (before < 0)
		stop("this kernel has no KSM");
	write_text("/sys/kernel/mm/ksm/pages_to_scan", "10000");
	write_text("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	write_text("/sys/kernel/mm/ksm/run", "1");
	for (int waited_ms = 0; waited_ms < 20000 && full_scans() < before + scans; waited_ms++)
		usleep(1000);
	write_text("/sys/kernel/mm/ksm/run", "0");
	printf("= full_scans %+ld", full_scans() - before);
}
`;

const SPLIT = String.raw`
static void split_folios(const char *range)
{
	int fd = open_debugfs("split_huge_pages"), error;
	ssize_t written;

	if (fd < 0)
		stop("debugfs has no split_huge_pages");
	written = write(fd, range, strlen(range));
	error = errno;
	close(fd);
	printf("= %d %s", written < 0 ? -1 : 0, written < 0 ? strerror(error) : "");
}

static int pid_of(int who)
{
	char path[64], text[512], *line;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", process[who].pidfd);
	read_text(path, text, sizeof text);
	line = strstr(text, "Pid:");
	return line ? atoi(line + 4) : -1;
}
`;

/** In the order in which they stand in a program. */
export const C_CALLS: readonly CPiece[] = [
  {
    usedBy: ({ kind, ...command }) =>
      ["memfd", "open", "close", "ftruncate", "fsync", "fallocate", "pwrite", "pread", "fadvise"].includes(kind) ||
      "descriptor" in command,
    text: DESCRIPTORS,
  },
  { usedBy: (command) => command.kind === "open" && command.path.startsWith("/tmpfs/"), text: TMPFS },
  { usedBy: kinds("split", "guppin", "gupunpin"), text: DEBUGFS },
  { usedBy: touchesHugetlb, text: HUGETLB },
  { usedBy: kinds("touch"), text: TOUCH },
  { usedBy: kinds("pwrite", "pread"), text: FILE_CALLS },
  { usedBy: kinds("uring"), text: URING },
  { usedBy: kinds("vmsplice"), text: VMSPLICE },
  { usedBy: kinds("guppin", "gupunpin"), text: GUP_TEST },
  { usedBy: kinds("uffdwp", "unuffdwp"), text: UFFD },
  { usedBy: kinds("migrate", "node"), text: NODES },
  { usedBy: touchesKsm, text: KSM_ADVICE },
  { usedBy: isGuard, text: GUARD_ADVICE },
  { usedBy: kinds("thp", "shmthp", "sys"), text: SETTING },
  { usedBy: kinds("ksmscan"), text: KSMD },
  { usedBy: kinds("split"), text: SPLIT },
];
