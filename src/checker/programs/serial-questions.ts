/**
 * One thread after another operation, without end: all that a scheme's state can come to, and what it then answers.
 *
 * Nothing overlaps, so every answer can be held against the truth itself: `one_sided`: NO is never said while somebody else
 * maps the folio; `exact`: nor YES while nobody does. `exact` is broken where the state depends on history: two
 * owner slots, and a third address space that outlives both owners (kernel-facts 2.5, "1 stuck").
 */
export const SERIAL_QUESTIONS_TEXT = `
const ANONYMOUS = 0
const SPLITS = 0
const COUNTS_ENTRIES = 1            # 0: mappings() counts VMAs or tables

ghost latest_answer: -1..3 = -1

thread alone {
  loop {
    choose {
      op map {
        pick m in mm
        pick v in area
        pick b in 0..PAGES * PAGES where isBatch(b)
        map_batch(m, v, batchFirst(b), batchPages(b))
      }
    } or {
      op unmap {
        pick m in mm
        pick v in area
        pick b in 0..PAGES * PAGES where isBatch(b)
        unmap_batch(m, v, batchFirst(b), batchPages(b))
      }
    } or {
      if PMDS {
        op map_huge {
          pick m in mm
          pick v in area
          map_huge(m, v)
        }
      }
    } or {
      if PMDS {
        op unmap_huge {
          pick m in mm
          pick v in area
          unmap_huge(m, v)
        }
      }
    } or {
      if SPLITS {
        op split_huge {
          pick m in mm
          pick v in area
          split_huge(m, v)
        }
      }
    } or {
      op ask {
        pick m in mm
        pick v in area
        pick p in page
        lock_tables(m, v, tableOf(p))
        let there = entries_in(m, v, p, 1)
        let huge = is_huge(m, v)
        if there + huge > 0 {
          let r = others(m, v)
          ghost latest_answer = r
          assert one_sided: r != NO || exclusiveTo(m)
          assert exact: r != YES || !exclusiveTo(m)
          let any = mapped()
          assert mapped: any == YES || any == UNKNOWN
          let n = mappings()
          assert mappings: n == NO_COUNT || !COUNTS_ENTRIES || n == entries()
          let some = partial()
          assert partial: some == UNKNOWN || some == (pagesMapped() < PAGES)
        }
        unlock_tables(m, v, tableOf(p))
        ghost latest_answer = -1
      }
    }
  }
}

sometimes answered_no: latest_answer == NO
sometimes answered_yes: latest_answer == YES
sometimes mapped_by_all: mappers() == MMS
`;
