/*
 * A process that notices when it is held: 4 GiB in 4 KiB pages, and a loop of
 * mmap, touch and munmap, each of which needs the mmap lock that readers of its
 * page tables take too.
 *
 *   target CPU MIB
 *
 * prints "ready" when its memory is touched. A line "MS" on stdin makes it loop
 * for so many milliseconds; it answers with one line: iterations, then p50, p99,
 * p99.9 and the maximum of an iteration in nanoseconds. It ends with its input.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define AREA (4 * PAGE)
#define SAMPLES_MAX (32u << 20)
/* A realtime loop that never sleeps is stopped by the kernel for 50 ms a second. */
#define ITERATIONS_TO_NAP 16
#define NAP_NS 20000

static uint32_t *samples;

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void iterate(void) {
  char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) fail("mmap");
  area[0] = 1;
  if (munmap(area, AREA) != 0) fail("munmap");
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void measure(uint64_t ms) {
  const struct timespec nap = {0, NAP_NS};
  uint64_t end = now_ns() + ms * 1000000u;
  uint32_t count = 0;
  for (uint64_t before = now_ns(); before < end && count < SAMPLES_MAX;) {
    iterate();
    uint64_t after = now_ns();
    uint64_t took = after - before;
    samples[count++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    if (count % ITERATIONS_TO_NAP == 0) {
      nanosleep(&nap, NULL);
      after = now_ns();
    }
    before = after;
  }
  if (count == 0) fail("no iteration");
  qsort(samples, count, sizeof *samples, by_size);
  printf("%u %u %u %u %u\n", count, samples[count / 2], samples[(uint64_t)count * 99 / 100],
         samples[(uint64_t)count * 999 / 1000], samples[count - 1]);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(atoi(argv[1]), &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) fail("sched_setaffinity");
  size_t bytes = strtoull(argv[2], NULL, 10) << 20;
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  samples = malloc(SAMPLES_MAX * sizeof *samples);
  if (memory == MAP_FAILED || samples == NULL) fail("no memory");
  if (madvise(memory, bytes, MADV_NOHUGEPAGE) != 0) fail("madvise");
  for (size_t at = 0; at < bytes; at += PAGE) memory[at] = 1;
  puts("ready");
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) measure(strtoull(line, NULL, 10));
  return 0;
}
