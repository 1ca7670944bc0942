/**
 * The simplest histories in which a scan has much to walk: one folio, and ever more address spaces that may map it.
 *
 * What a reverse map walk looks at grows with the VMAs of the folio's anon_vma or file and with nothing else, so the witness
 * of a slow scan is the smallest member of one of two families: anonymous memory that every child maps; and a file that every
 * address space had mapped and all but the first or the last child have let go of, so that a walk passes by their VMAs.
 */

/** Children of the members tried, ascending. */
export const FAMILY_SIZES: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/** The scenarios with so many children. */
export function scanFamilies(children: number): readonly string[] {
  const names = Array.from({ length: children }, (_, child) => `C${child + 1}`);
  const forks = names.map((name) => `P fork ${name}`);
  const [, ...others] = names;
  return [
    [
      "thp 64kB madvise",
      "spawn P",
      "P mmap a 0x200000000 64k rw anon,priv",
      "P madvise @a 64k hugepage",
      "P touch @a 64k w",
      ...forks,
    ],
    [
      "shmthp 64kB always",
      "spawn P",
      "P memfd 3 64k",
      "P mmap a 0x200000000 64k rw shared fd=3",
      ...forks,
      "P touch @a 64k w",
      ...names.map((name) => `${name} touch @a 64k r`),
      ...others.map((name) => `${name} madvise @a 64k dontneed`),
      "P madvise @a 64k dontneed",
      `C${children} touch @a 64k r`,
      ...(children > 1 ? ["C1 madvise @a 64k dontneed"] : []),
    ],
  ].map((lines) => `${lines.join("\n")}\n`);
}
