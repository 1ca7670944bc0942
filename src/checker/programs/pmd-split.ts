/**
 * A reader without locks while a PMD entry is split into PTEs: how often is this page mapped?
 *
 * Every address space maps the whole folio by a PMD, and splitting one changes nothing about how often a page is mapped: the
 * answer is MMS before, after and between. kpagecount, smaps of another process and reclaim read it without any lock of
 * the splitter (kernel-facts 6.5, "snapshots are not atomic across the folio"). `never_too_low` is the dangerous side:
 * a page shared by two that is said to be mapped once; `never_unmapped` is its worst: a page that is mapped throughout and
 * said to be mapped not at all. With ZAPS the number does change, and READS is 0. What the counts are when nobody is at work is the scheme's own `counts`.
 */
export const PMD_SPLIT_TEXT = `
const ANONYMOUS = 1
const SPLITTERS = 1
const READS = 1
const SPLIT_FIRST = 0               # 1: the first address space has PTEs from the beginning
const ZAPS = 0                      # it zaps so many pages
ghost right: bool
ghost splits: 0..16

initially {
  for i in 0..MMS { map_huge(element(mm, i), 0) }
  if SPLIT_FIRST { split_huge(element(mm, 0), 0) }
}

thread splitter * SPLITTERS {
  op split {
    pick m in mm
    ghost splits = splits + 1
    split_huge(m, 0)
    ghost splits = splits - 1
  }
}

thread reader {
  repeat READS {
    op read {
      pick p in page
      let n = pageMapcount(p)
      assert never_unmapped: n == NO_COUNT || n >= 1
      assert never_too_low: n == NO_COUNT || n >= MMS
      assert never_too_high: n == NO_COUNT || n <= MMS
      ghost right = n == MMS && splits > 0
    }
  }
}

thread zapper {
  repeat ZAPS {
    op dontneed {
      pick q in page
      unmap_batch(element(mm, 0), 0, q, 1)
    }
  }
}

sometimes right_while_splitting: right == 1
sometimes split: any(m in mm: !pmd[m][0])
`;
