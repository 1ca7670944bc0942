/*
 * A process that maps what it is told to. Tests of the running machine look at it while it waits for the next line.
 *
 * One command a line on stdin, one answer a line on stdout: "ok ..." or "error ...". While it waits it stands still: no
 * heap, no buffered stream, no thread, and linked statically, so that no other program maps its pages. Areas have names,
 * which forked children inherit; offsets and counts are pages. A child obeys too: "> K COMMAND" goes to the K-th child.
 * Everything ends with its parent (PR_SET_PDEATHSIG), stopped or not.
 *
 *     map NAME KIND PAGES              anon, huge (asks for huge pages), reserve, shared, hugetlb; aligned to 2 MiB
 *     memfd NAME PAGES | open NAME PATH
 *     mapfd NAME FILE OFFSET PAGES private|shared
 *     read|write NAME FROM COUNT [STRIDE] | fill NAME FROM COUNT WORD
 *     advise NAME FROM COUNT ADVICE | protect NAME FROM COUNT PROT | lock|unmap NAME FROM COUNT
 *     move NAME FROM COUNT NEWNAME | stripes NAME
 *     fork | share | zombie | execute | busy fork|map|spawn | where NAME | exit
 *
 * "target keep PATH VALUE..." holds switches of the machine, each at its VALUE ("+N": that much more), until stdin ends,
 * however its parent ended, and then puts back what it found, the last first. The lock on each PATH keeps others who do
 * the same waiting. "target lock PATH" holds such a lock alone.
 * "target nap" ends soon by itself. "target again" executes itself without pause: always the same pid, never the same
 * address space for long.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, HUGE = 2 << 20, LINE_MAX_BYTES = 4096, NAP_US = 2000, STAY_US = 400000, STAY_ROUNDS = 64, PLACES = 32, WORDS = 8, SWITCHES = 64 };

struct area {
  char name[16];
  char *start;
  size_t pages;
};
struct file {
  char name[16];
  int fd;
};
struct child {
  int to, from;
};
struct kept {
  int fd, changed;
  char before[64];
};

static struct area areas[PLACES];
static struct file files[PLACES];
static struct child children[PLACES];
static int child_count;

static void say(const char *format, ...) {
  char text[LINE_MAX_BYTES];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(text, sizeof text, format, values);
  va_end(values);
  if (write(1, text, length) != length) _exit(3);
}

/* A line without its newline; 0 at the end of the stream. */
static int read_line(int fd, char *line) {
  int length = 0;
  for (char c; read(fd, &c, 1) == 1;) {
    if (c == '\n') {
      line[length] = 0;
      return 1;
    }
    if (length < LINE_MAX_BYTES - 1) line[length++] = c;
  }
  return 0;
}

static struct area *area_named(const char *name, int create) {
  for (int i = 0; i < PLACES; i++)
    if (strcmp(areas[i].name, name) == 0) return &areas[i];
  for (int i = 0; create && i < PLACES; i++)
    if (areas[i].name[0] == 0) {
      strncpy(areas[i].name, name, sizeof areas[i].name - 1);
      return &areas[i];
    }
  return NULL;
}

static struct file *file_named(const char *name, int create) {
  for (int i = 0; i < PLACES; i++)
    if (strcmp(files[i].name, name) == 0) return &files[i];
  for (int i = 0; create && i < PLACES; i++)
    if (files[i].name[0] == 0) {
      strncpy(files[i].name, name, sizeof files[i].name - 1);
      return &files[i];
    }
  return NULL;
}

/* Free addresses at a multiple of 2 MiB. Nothing is mapped there. */
static char *free_place(size_t bytes) {
  char *start = mmap(NULL, bytes + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return NULL;
  munmap(start, bytes + HUGE);
  return (char *)(((unsigned long)start + HUGE - 1) & ~((unsigned long)HUGE - 1));
}

static void keep_area(const char *name, char *start, size_t pages) {
  struct area *area = area_named(name, 1);
  if (start == MAP_FAILED || area == NULL) {
    say("error %s\n", area == NULL ? "too many areas" : strerror(errno));
    return;
  }
  area->start = start;
  area->pages = pages;
  say("ok %lx\n", (unsigned long)start);
}

static void map(const char *name, const char *kind, size_t pages) {
  int flags = MAP_ANONYMOUS;
  flags |= strcmp(kind, "shared") == 0 ? MAP_SHARED : MAP_PRIVATE;
  if (strcmp(kind, "reserve") == 0) flags |= MAP_NORESERVE;
  flags |= strcmp(kind, "hugetlb") == 0 ? MAP_HUGETLB : MAP_FIXED_NOREPLACE;
  char *place = flags & MAP_HUGETLB ? NULL : free_place(pages * PAGE);
  char *start = mmap(place, pages * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (start != MAP_FAILED && !(flags & MAP_HUGETLB))
    madvise(start, pages * PAGE, strcmp(kind, "huge") == 0 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  keep_area(name, start, pages);
}

static void map_file(const char *name, const char *file, off_t offset, size_t pages, const char *how) {
  struct file *found = file_named(file, 0);
  int flags = strcmp(how, "shared") == 0 ? MAP_SHARED : MAP_PRIVATE;
  if (found == NULL) {
    say("error no file %s\n", file);
    return;
  }
  char *place = free_place(pages * PAGE);
  flags |= MAP_FIXED_NOREPLACE;
  keep_area(name, mmap(place, pages * PAGE, PROT_READ | PROT_WRITE, flags, found->fd, offset * PAGE), pages);
}

static void open_file(const char *name, int fd) {
  struct file *file = fd < 0 ? NULL : file_named(name, 1);
  if (file == NULL) {
    say("error %s\n", strerror(errno));
    return;
  }
  file->fd = fd;
  say("ok\n");
}

/* Every second page read-only: each change makes another VMA, until the kernel refuses. */
static void stripes(struct area *area) {
  size_t done = 0;
  for (size_t page = 1; page < area->pages; page += 2) {
    if (mprotect(area->start + page * PAGE, PAGE, PROT_READ) != 0) break;
    done++;
  }
  say("ok %zu\n", done);
}

static void touch(struct area *area, char **words, int count) {
  size_t from = strtoul(words[2], NULL, 0), pages = strtoul(words[3], NULL, 0);
  size_t last = count > 4 ? strtoul(words[4], NULL, 0) : 1;
  if (strcmp(words[0], "fill") == 0) {
    size_t *word = (size_t *)(area->start + from * PAGE);
    for (size_t i = 0; i < pages * PAGE / sizeof *word; i++) word[i] = last;
  } else {
    for (size_t i = 0; i < pages; i++) {
      volatile unsigned long *page = (unsigned long *)(area->start + (from + i * last) * PAGE);
      /* What is written is different everywhere, so that no two pages can be merged. */
      if (words[0][0] == 'w') *page = (unsigned long)page ^ ((unsigned long)getpid() << 48);
      else (void)*page;
    }
  }
  say("ok\n");
}

static void change(struct area *area, char **words, int count) {
  const char *verb = words[0];
  char *start = area->start + strtoul(words[2], NULL, 0) * PAGE;
  size_t bytes = strtoul(words[3], NULL, 0) * PAGE;
  int value = count > 4 ? (int)strtol(words[4], NULL, 0) : 0;
  int failed = 0;
  if (strcmp(verb, "advise") == 0) failed = madvise(start, bytes, value);
  else if (strcmp(verb, "protect") == 0) failed = mprotect(start, bytes, value);
  else if (strcmp(verb, "lock") == 0) failed = mlock(start, bytes);
  else if (strcmp(verb, "unmap") == 0) failed = munmap(start, bytes);
  else if (strcmp(verb, "move") == 0) {
    keep_area(words[4], mremap(start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, free_place(bytes)), bytes / PAGE);
    return;
  } else {
    say("error no command %s\n", verb);
    return;
  }
  if (failed) say("error %s\n", strerror(errno));
  else say("ok\n");
}

static void fork_child(void) {
  int down[2], up[2];
  if (child_count == PLACES || pipe(down) != 0 || pipe(up) != 0) {
    say("error no more children\n");
    return;
  }
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(down[0], 0);
    dup2(up[1], 1);
    for (int i = 0; i < child_count; i++) close(children[i].to), close(children[i].from);
    child_count = 0;
  } else {
    children[child_count++] = (struct child){down[1], up[0]};
  }
  close(down[0]);
  close(up[1]);
  if (pid == 0) close(down[1]), close(up[0]);
  else say("ok %d\n", pid);
}

/* Passes a command on to a child, and its answer back. */
static void relay(char *rest) {
  char answer[LINE_MAX_BYTES];
  int index = (int)strtol(rest, &rest, 10);
  if (index < 0 || index >= child_count) {
    say("error no child %d\n", index);
    return;
  }
  while (*rest == ' ') rest++;
  dprintf(children[index].to, "%s\n", rest);
  if (read_line(children[index].from, answer)) say("%s\n", answer);
  else say("ok ended\n");
}

__attribute__((noreturn)) static int wait_for_ever(void *nothing) {
  (void)nothing;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) pause();
}

/* A process in this address space that is no thread of this process. */
static void share_address_space(void) {
  static char stack[4 * PAGE] __attribute__((aligned(16)));
  int pid = clone(wait_for_ever, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  if (pid < 0) say("error %s\n", strerror(errno));
  else say("ok %d\n", pid);
}

/* Another address space under the same pid; whoever shared the old one keeps it. The next answer is the new program's. */
static void execute_again(void) {
  say("ok\n");
  execl("/proc/self/exe", "target", NULL);
}

static void leave_zombie(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  siginfo_t ended;
  waitid(P_PID, pid, &ended, WEXITED | WNOWAIT);
  say("ok %d\n", pid);
}

/* Never comes back. */
static void be_busy(const char *how) {
  int forks = strcmp(how, "fork") == 0, spawns = strcmp(how, "spawn") == 0;
  say("ok\n");
  for (unsigned round = 0;; round++) {
    if (spawns) {
      /* The child is in its parent's address space until it executes, then in one of its own. */
      if (vfork() == 0) {
        usleep(NAP_US);
        execl("/proc/self/exe", "target", "nap", NULL);
        _exit(1);
      }
      wait(NULL);
      continue;
    }
    /* One child in a while stays, so that some are there from a capture's beginning to its end. */
    int stays = forks && round % STAY_ROUNDS == 0;
    pid_t pid = forks ? fork() : 0;
    if (pid != 0) {
      if (!stays) waitpid(pid, NULL, 0);
      while (waitpid(-1, NULL, WNOHANG) > 0) continue;
      continue;
    }
    size_t bytes = (64 + round % 1000) * (size_t)PAGE;
    char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t at = 0; at < bytes; at += PAGE) start[at] = 1;
    if (stays) usleep(STAY_US);
    if (forks) _exit(0);
    munmap(start, bytes);
  }
}

static void obey(char *line) {
  char *words[WORDS] = {0};
  int count = 0;
  if (line[0] == '>') {
    relay(line + 1);
    return;
  }
  for (char *word = strtok(line, " "); word != NULL && count < WORDS; word = strtok(NULL, " ")) words[count++] = word;
  const char *verb = count > 0 ? words[0] : "";
  if (strcmp(verb, "fork") == 0) fork_child();
  else if (strcmp(verb, "share") == 0) share_address_space();
  else if (strcmp(verb, "zombie") == 0) leave_zombie();
  else if (strcmp(verb, "execute") == 0) execute_again();
  else if (strcmp(verb, "exit") == 0) _exit(0);
  else if (strcmp(verb, "busy") == 0 && count == 2) be_busy(words[1]);
  else if (strcmp(verb, "map") == 0 && count == 4) map(words[1], words[2], strtoul(words[3], NULL, 0));
  else if (strcmp(verb, "open") == 0 && count == 3) open_file(words[1], open(words[2], O_RDWR | O_CLOEXEC));
  else if (strcmp(verb, "memfd") == 0 && count == 3) {
    int fd = memfd_create("target", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, strtol(words[2], NULL, 0) * PAGE) != 0) fd = -1;
    open_file(words[1], fd);
  } else if (strcmp(verb, "mapfd") == 0 && count == 6)
    map_file(words[1], words[2], strtol(words[3], NULL, 0), strtoul(words[4], NULL, 0), words[5]);
  else {
    struct area *area = count > 1 ? area_named(words[1], 0) : NULL;
    if (area == NULL) say("error no area in this command\n");
    else if (strcmp(verb, "stripes") == 0) stripes(area);
    else if (strcmp(verb, "where") == 0) say("ok %lx\n", (unsigned long)area->start);
    else if (count < 4) say("error too few words\n");
    else if (strcmp(verb, "read") == 0 || strcmp(verb, "write") == 0 || strcmp(verb, "fill") == 0)
      touch(area, words, count);
    else change(area, words, count);
  }
}

/* The word in brackets, or all of it: how a switch of sysfs prints its value. */
static void read_switch(int fd, char *value, size_t size) {
  char text[512];
  ssize_t length = pread(fd, text, sizeof text - 1, 0);
  text[length < 0 ? 0 : length] = 0;
  char *from = strchr(text, '[');
  from = from == NULL ? text : from + 1;
  from[strcspn(from, "]\n")] = 0;
  snprintf(value, size, "%s", from);
}

/* Sets a switch and remembers what it was; 0 or an error's number. */
static int set_switch(struct kept *kept, const char *path, const char *wanted) {
  char sum[64];
  kept->fd = open(path, O_RDWR);
  if (kept->fd < 0 || flock(kept->fd, LOCK_EX) != 0) return errno;
  read_switch(kept->fd, kept->before, sizeof kept->before);
  if (wanted[0] == '+') {
    snprintf(sum, sizeof sum, "%ld", strtol(kept->before, NULL, 10) + strtol(wanted + 1, NULL, 10));
    wanted = sum;
  }
  kept->changed = strcmp(kept->before, wanted) != 0;
  if (!kept->changed || pwrite(kept->fd, wanted, strlen(wanted), 0) >= 0) return 0;
  kept->changed = 0;
  return errno;
}

static int keep_switches(int count, char **words) {
  static struct kept kept[SWITCHES];
  char line[LINE_MAX_BYTES];
  int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE}, set = 0, error = count > SWITCHES ? E2BIG : 0;
  for (int i = 0; i < 4; i++) signal(signals[i], SIG_IGN);
  for (; set < count && error == 0; set++) error = set_switch(&kept[set], words[2 * set], words[2 * set + 1]);
  if (error != 0) say("error %s %s\n", set > 0 ? words[2 * set - 2] : "keep", strerror(error));
  else say("ok\n");
  while (error == 0 && read_line(0, line)) continue;
  while (set-- > 0)
    if (kept[set].changed && pwrite(kept[set].fd, kept[set].before, strlen(kept[set].before), 0) < 0) error = errno;
  return error != 0;
}

static int hold_lock(const char *path) {
  char line[LINE_MAX_BYTES];
  int fd = open(path, O_RDONLY);
  if (fd < 0 || flock(fd, LOCK_EX) != 0) say("error %s\n", strerror(errno));
  else say("ok\n");
  while (read_line(0, line)) continue;
  return 0;
}

int main(int count, char **words) {
  static char line[LINE_MAX_BYTES];
  if (count == 3 && strcmp(words[1], "lock") == 0) return hold_lock(words[2]);
  if (count > 2 && count % 2 == 0 && strcmp(words[1], "keep") == 0) return keep_switches(count / 2 - 1, words + 2);
  if (count == 2 && strcmp(words[1], "nap") == 0) return usleep(10 * NAP_US);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (count == 2 && strcmp(words[1], "again") == 0) {
    static char memory[300 * PAGE];
    for (size_t at = 0; at < sizeof memory; at += PAGE) memory[at] = 1;
    execl("/proc/self/exe", words[0], "again", NULL);
    return 1;
  }
  while (read_line(0, line)) obey(line);
  return 0;
}
