/**
 * The truth, asked as a scheme is: the page tables and the holders of references themselves.
 *
 * Each answer is a walk of the reverse map that ends as soon as the answer is certain. Nothing is charged: it is what the
 * world would look like to somebody who knows. "Pinned" is a pin, not a reference count that looks like one; "may reuse" is
 * that no other address space has an entry and nothing but mappings holds the folio.
 */
import { entriesOfBatch } from "../kernel/index.ts";
import { type Answer, NO, type PageTableView, type ReferenceView, YES } from "../schemes/index.ts";
import { yesIf } from "./answers.ts";
import type { Answers } from "./rule.ts";

export class TruthAnswers implements Answers {
  readonly unit = "entries";
  private readonly pageTables: PageTableView;
  private readonly references: ReferenceView;
  private readonly orderOf: (folio: number) => number;

  constructor(pageTables: PageTableView, references: ReferenceView, orderOf: (folio: number) => number) {
    this.pageTables = pageTables;
    this.references = references;
    this.orderOf = orderOf;
  }

  mapped(folio: number): Answer {
    let answer: Answer = NO;
    this.pageTables.walk(folio, () => {
      answer = YES;
      return false;
    });
    return answer;
  }

  mappings(folio: number): number {
    let entries = 0;
    this.pageTables.walk(folio, (_first, pageCount, level) => {
      entries += entriesOfBatch(pageCount, level);
      return true;
    });
    return entries;
  }

  pageMapcount(folio: number, pageIndex: number): number {
    let entries = 0;
    this.pageTables.walk(folio, (first, pageCount) => {
      if (pageIndex >= first && pageIndex < first + pageCount) entries++;
      return true;
    });
    return entries;
  }

  others(folio: number, mm: number): Answer {
    let answer: Answer = NO;
    this.pageTables.walk(folio, (_first, _pageCount, _level, _table, _vma, found) => {
      if (found !== mm) answer = YES;
      return found === mm;
    });
    return answer;
  }

  otherVmas(folio: number, vma: number): Answer {
    let answer: Answer = NO;
    this.pageTables.walk(folio, (_first, _pageCount, _level, _table, found) => {
      if (found !== vma) answer = YES;
      return found === vma;
    });
    return answer;
  }

  isMaybeMappedShared(folio: number): boolean {
    let first = -1;
    let isShared = false;
    this.pageTables.walk(folio, (_first, _pageCount, _level, _table, _vma, found) => {
      isShared = first !== -1 && found !== first;
      first = found;
      return !isShared;
    });
    return isShared;
  }

  partial(folio: number): Answer {
    const nrPages = 2 ** this.orderOf(folio);
    const isMapped = new Uint8Array(nrPages);
    let pages = 0;
    this.pageTables.walk(folio, (first, pageCount) => {
      if (pageCount === nrPages) pages = nrPages;
      else {
        for (let page = first; page < first + pageCount; page++) {
          if (isMapped[page] === 0) pages++;
          isMapped[page] = 1;
        }
      }
      return pages < nrPages;
    });
    return yesIf(pages > 0 && pages < nrPages);
  }

  canReuse(folio: number, mm: number): Answer {
    return this.references.references(folio) > 0 ? NO : yesIf(this.others(folio, mm) === NO);
  }

  stopWalk(folio: number, found: number): Answer {
    let entries = 0;
    this.pageTables.walk(folio, (_first, pageCount, level) => {
      entries += entriesOfBatch(pageCount, level);
      return entries <= found;
    });
    return yesIf(entries <= found);
  }

  extraReferences(folio: number): number {
    return this.references.references(folio) - this.references.cacheReferences(folio);
  }

  pinned(folio: number): Answer {
    return yesIf(this.references.pins(folio) > 0);
  }

  mappingReferences(folio: number): number {
    return this.mappings(folio);
  }
}
