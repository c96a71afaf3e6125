import { CorrectionBook } from '#analysis/classification/mod.ts';
import type { ToldCorrection } from '#protocol/mod.ts';

/** The corrections that a partition was told of, by the service that they concern. */
export class PartitionCorrections {
  readonly items: readonly ToldCorrection[];
  private readonly books = new Map<string, CorrectionBook>();

  constructor(items: readonly ToldCorrection[] = []) {
    this.items = items;
  }

  /** Those of a service, oldest first; those of every service come before its own, which are closer. */
  rulesOf(service: string): ToldCorrection[] {
    const all = this.items.filter((item) => item.service === '');
    return service === '' ? all : [...all, ...this.items.filter((item) => item.service === service)];
  }

  bookOf(service: string): CorrectionBook {
    let book = this.books.get(service);
    if (book === undefined) {
      book = new CorrectionBook(this.rulesOf(service));
      this.books.set(service, book);
    }
    return book;
  }

  /** Those of a service that an earlier list lacks or has otherwise. */
  newFor(service: string, before: PartitionCorrections): ToldCorrection[] {
    const known = new Set(before.rulesOf(service).map(keyOf));
    return this.rulesOf(service).filter((item) => !known.has(keyOf(item)));
  }
}

const keyOf = ({ text, severity, category }: ToldCorrection): string => `${severity}\u0000${category}\u0000${text}`;
