/*
 * A process that reserves 16 TiB and uses next to nothing of it, as runtimes
 * and sanitizers do: 1 GiB of neighbouring pages, then 100,000 pages with great
 * holes between them, all in one VMA of 4 KiB pages. A reader that walks virtual
 * pages takes half a minute for it. Prints "ready" when the pages are there and
 * then waits for a signal.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define RESERVED_BYTES (16ULL << 40)
#define DENSE_BYTES (1ULL << 30)
#define ISOLATED_PAGES 100000ULL
#define PAGE_BYTES 4096ULL

int main(void)
{
	uint64_t step = (RESERVED_BYTES - DENSE_BYTES) / ISOLATED_PAGES / PAGE_BYTES * PAGE_BYTES;
	volatile char *base = mmap(NULL, RESERVED_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED) {
		perror("sparse: mmap of 16 TiB");
		return 1;
	}
	if (madvise((void *)base, RESERVED_BYTES, MADV_NOHUGEPAGE))
		perror("sparse: MADV_NOHUGEPAGE");
	for (uint64_t offset = 0; offset < DENSE_BYTES; offset += PAGE_BYTES)
		base[offset] = 1;
	for (uint64_t page = 0; page < ISOLATED_PAGES; page++)
		base[DENSE_BYTES + step / 2 / PAGE_BYTES * PAGE_BYTES + page * step] = 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
