/**
 * What every C program of a scenario begins with: turn-taking, a guardian, settings.
 *
 *     front ---- what was started: passes signals on, ends as the guardian does
 *        `- guardian ---- saves the settings, waits, kills whoever is left, puts the settings back
 *             `- supervisor ---- walks through main(), gives the turn, prints answers and dumps
 *                  |- P ---- walks through the same main() and does what is P's when the turn is given to it
 *                  `- ...
 *
 * All processes run the same straight main(), so that it reads as the scenario does. Invariant: at any time at most one
 * of them runs, the others wait in turn(); when the supervisor is gone, however that came about, so are the others. The
 * guardian has a session of its own: what kills a terminal, a process group or the front kills it not, but is its sign to
 * end the run (prctl(2), PR_SET_PDEATHSIG). Only who kills the guardian itself leaves settings changed.
 */

/** Includes, names and turns. Expects `enum process` with PROCESSES and SUPERVISOR, and `names`. */
export const C_TURNS = String.raw`
static struct {
	int pidfd;	/* 0: not there yet, or gone */
	int go[2];	/* a byte: your turn */
	int done[2];	/* struct reply: what came of it */
} process[PROCESSES + 1];
static int me = SUPERVISOR;
static int supervised[2];	/* the supervisor alone holds the writing end */
static int line_now;
static const char *reason_now;	/* why the running command cannot be done on this machine */
static struct timespec started;

struct reply {
	long value;
	int error, child, leaving;
	long elapsed_ns;
	char reason[120];
};

static long elapsed_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - started.tv_sec) * 1000000000L + now.tv_nsec - started.tv_nsec;
}

static __attribute__((unused)) long cannot(const char *reason)
{
	reason_now = reason;
	return -1;
}

/* The supervisor's way out when the scenario cannot go on here. */
static void stop(const char *reason)
{
	printf("\ncannot: line %d: %s\n", line_now, reason);
	fflush(stdout);
	exit(3);
}

static void finish_line(long nanoseconds)
{
	printf("\n");
	if (TIME_COMMANDS)
		printf("  elapsed_ns %ld\n", nanoseconds);
	if (fflush(stdout)) {
		perror("the answers cannot be written");
		exit(3);
	}
}

static void wait_for_end(int who)
{
	struct pollfd end = { process[who].pidfd, POLLIN, 0 };

	while (poll(&end, 1, -1) < 0)
		;
	close(process[who].pidfd);
	process[who].pidfd = 0;
}

/* Gives the turn to a process and prints what came of it. */
static void supervise(int who, const char *text)
{
	struct reply r;
	struct pollfd either[2] = { { process[who].done[0], POLLIN, 0 }, { process[who].pidfd, POLLIN, 0 } };

	printf("> %s ", text);
	fflush(stdout);
	if (!process[who].pidfd) {
		printf("!! no process\n");
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &started);
	if (write(process[who].go[1], "", 1) != 1)
		stop("the process does not listen");
	while (poll(either, 2, -1) < 0)
		;
	if (!(either[0].revents & POLLIN) || read(process[who].done[0], &r, sizeof r) != sizeof r) {
		wait_for_end(who);
		printf("!! %s died\n= %#lx %s\n", names[who], -1UL, strerror(ESRCH));
		return;
	}
	if (r.reason[0])
		stop(r.reason);
	if (r.leaving) {
		wait_for_end(who);
		r.elapsed_ns = elapsed_ns();
	}
	if (r.child >= 0) {
		if (r.value > 0)
			process[r.child].pidfd = syscall(SYS_pidfd_open, r.value, 0);
		printf("= pid %ld mm_id 0", r.value);
	} else {
		printf("= %#lx%s%s", r.value, r.error ? " " : "", r.error ? strerror(r.error) : "");
	}
	finish_line(r.elapsed_ns);
}

/* In the process itself: waits for its turn, then 1. In all others 0; the supervisor sees to it that the turn is had. */
static __attribute__((unused)) int turn(int who, int line, const char *text)
{
	line_now = line;
	if (me == who) {
		struct pollfd either[2] = { { process[who].go[0], POLLIN, 0 }, { supervised[0], POLLIN, 0 } };
		char byte;

		while (poll(either, 2, -1) < 0)
			;
		if (!(either[0].revents & POLLIN) || read(process[who].go[0], &byte, 1) != 1)
			_exit(0);
		reason_now = NULL;
		errno = 0;
		clock_gettime(CLOCK_MONOTONIC, &started);
		return 1;
	}
	if (me == SUPERVISOR)
		supervise(who, text);
	return 0;
}

static void answer(struct reply r)
{
	if (reason_now)
		snprintf(r.reason, sizeof r.reason, "%s", reason_now);
	if (write(process[me].done[1], &r, sizeof r) != sizeof r)
		_exit(1);
}

static __attribute__((unused)) void result(long value)
{
	int error = value == -1 ? errno : 0;

	answer((struct reply){ .value = value, .error = error, .child = -1, .elapsed_ns = elapsed_ns() });
}

/* The child goes on behind this, waiting for its own turns. */
static __attribute__((unused)) void fork_as(int child)
{
	pid_t pid = fork();

	if (pid == 0) {
		me = child;
		return;
	}
	answer((struct reply){ .value = pid, .error = errno, .child = child, .elapsed_ns = elapsed_ns() });
}

static __attribute__((unused)) void leave(void)
{
	answer((struct reply){ .leaving = 1, .child = -1 });
	_exit(0);
}

/* A process that has nothing more to do keeps its memory until the supervisor has seen it all. */
static void wait_for_supervisor(void)
{
	struct pollfd end = { supervised[0], POLLIN, 0 };

	while (poll(&end, 1, -1) < 0)
		;
	_exit(0);
}

static __attribute__((unused)) void spawn(int who, int line, const char *text)
{
	pid_t pid;

	line_now = line;
	if (me != SUPERVISOR)
		return;
	printf("> %s ", text);
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &started);
	pid = fork();
	if (pid == 0) {
		me = who;
		close(supervised[1]);
		return;
	}
	if (pid > 0)
		process[who].pidfd = syscall(SYS_pidfd_open, pid, 0);
	printf("= pid %d mm_id 0", pid);
	finish_line(elapsed_ns());
}

/* 1 in the supervisor, which runs the machine's own commands. */
static __attribute__((unused)) int machine(int line, const char *text)
{
	line_now = line;
	if (me != SUPERVISOR)
		return 0;
	printf("> %s ", text);
	fflush(stdout);
	errno = 0;
	clock_gettime(CLOCK_MONOTONIC, &started);
	return 1;
}
`;

/** Settings and the guardian. Expects the lists `conditions` and `kept` and `swaps`. */
export const C_GUARDIAN = String.raw`
struct setting {
	const char *path;
	const char *value;	/* NULL: left as it is until the scenario changes it */
	char before[64];
};

static int read_text(const char *path, char *text, int size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), used = 0, got;

	text[0] = 0;
	if (fd < 0)
		return -1;
	while ((got = read(fd, text + used, size - 1 - used)) > 0)
		used += got;
	close(fd);
	text[used] = 0;
	return used;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error;
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return written < 0 ? -1 : 0;
}

/* "always [madvise] never" is set to madvise. */
static void read_choice(const char *path, char *value, int size)
{
	char text[256], *begin, *end;

	if (read_text(path, text, sizeof text) < 0)
		text[0] = 0;
	text[strcspn(text, "\n")] = 0;
	begin = strchr(text, '[');
	end = begin ? strchr(begin, ']') : NULL;
	if (end) {
		*end = 0;
		begin++;
	} else {
		begin = text;
	}
	snprintf(value, size, "%s", begin);
}

#include "settings"
static void put_back(void)
{
	for (int i = SETTINGS - 1; i >= 0; i--) {
		char now[64];

		if (!settings[i].before[0])
			continue;
		read_choice(settings[i].path, now, sizeof now);
		if (strcmp(now, settings[i].before) && write_text(settings[i].path, settings[i].before))
			fprintf(stderr, "cannot put back %s to %s: %s\n", settings[i].path, settings[i].before, strerror(errno));
	}
}

/* Until a child has ended, 0, or a signal asks for the end, its number. */
static int wait_for_child(pid_t child, const sigset_t *awaited, int *status)
{
	for (;;) {
		int signal = sigwaitinfo(awaited, NULL);

		if (signal == SIGCHLD && waitpid(child, status, WNOHANG) == child)
			return 0;
		if (signal > 0 && signal != SIGCHLD)
			return signal;
	}
}

static __attribute__((noreturn)) void guard(pid_t supervisor, const sigset_t *awaited)
{
	int status = 0;
	int interrupted_by = wait_for_child(supervisor, awaited, &status);

	kill(-supervisor, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	leave_swap();
	put_back();
	if (interrupted_by)
		_exit(128 + interrupted_by);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
}

static __attribute__((noreturn)) void stay_in_front(pid_t guardian, const sigset_t *awaited)
{
	int status = 0, signal;

	while ((signal = wait_for_child(guardian, awaited, &status)))
		kill(guardian, signal);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
}

static pid_t fork_or_end(void)
{
	pid_t child = fork();

	if (child < 0) {
		perror("fork");
		_exit(3);
	}
	return child;
}

/* Returns in the supervisor only; the front and the guardian end in here. */
static void begin(void)
{
	static const int ways_out[] = { SIGINT, SIGTERM, SIGHUP, SIGCHLD };
	sigset_t awaited, before;
	pid_t front = getpid(), child;

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (geteuid() != 0) {
		fprintf(stderr, "this program must be run by root\n");
		exit(3);
	}
	sigemptyset(&awaited);
	for (unsigned i = 0; i < sizeof ways_out / sizeof *ways_out; i++)
		sigaddset(&awaited, ways_out[i]);
	sigprocmask(SIG_BLOCK, &awaited, &before);
	child = fork_or_end();
	if (child)
		stay_in_front(child, &awaited);
	setsid();
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != front)
		_exit(3);
	for (int i = 0; i < SETTINGS; i++)
		read_choice(settings[i].path, settings[i].before, sizeof settings[i].before);
	child = fork_or_end();
	if (child) {
		setpgid(child, child);
		guard(child, &awaited);
	}
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGCHLD, SIG_IGN);
}

/* The same conditions for every run; what cannot be set is said, and taken as it is. */
static void set_conditions(void)
{
	cpu_set_t one;
	cpu_set_t allowed;

	for (int i = 0; i < SETTINGS; i++) {
		if (settings[i].value && settings[i].before[0] && write_text(settings[i].path, settings[i].value))
			printf("note: %s cannot be set to %s: %s\n", settings[i].path, settings[i].value, strerror(errno));
	}
	/* One processor: its batches of folios on the way to the LRU can be drained. */
	sched_getaffinity(0, sizeof allowed, &allowed);
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed)) {
			CPU_SET(cpu, &one);
			break;
		}
	}
	sched_setaffinity(0, sizeof one, &one);
}

static void make_pipes(void)
{
	int failed = pipe(supervised);

	for (int i = PROCESSES - 1; i >= 0; i--)
		failed |= pipe(process[i].go) | pipe(process[i].done);
	if (failed)
		stop("there are no pipes");
}
`;
