/** The training job behind `logweir model train` and `compare`: history from ClickHouse, cut by time, and scores on the later slice. */
import { CorrectionBook, type LabelledTemplate } from '#analysis/classification/mod.ts';
import { type Corrections, LogweirError } from '#protocol/mod.ts';
import type { Queries, TrainingHistory } from '#storage/mod.ts';

/** Labelled records of a slice below which scores would be chance. */
const recordsMin = 20;

export interface Slices {
  early: LabelledTemplate[];
  late: LabelledTemplate[];
  /** Of `late`: templates that the early slice does not have. */
  unseen: LabelledTemplate[];
  trained: { fromMs: number; toMs: number };
  scored: { fromMs: number; toMs: number };
}

/** @throws LogweirError INPUT_EMPTY where too few records carry a sender's severity */
export async function readSlices(
  queries: Queries,
  wanted: { fromMs: number | undefined; toMs: number | undefined; share: number },
  corrections: Corrections,
): Promise<Slices> {
  const extent = await queries.extent();
  const range = {
    fromMs: wanted.fromMs ?? extent?.oldestMs ?? 0,
    toMs: wanted.toMs ?? (extent?.newestMs ?? 0) + 1_000,
  };
  const history = await queries.training(range, wanted.share);
  const slices = history === null ? null : cut(history, corrections);
  const enough = (templates: LabelledTemplate[]): boolean =>
    templates.reduce((sum, { records }) => sum + records, 0) >= recordsMin;
  if (slices !== null && enough(slices.early) && enough(slices.late)) return slices;
  throw new LogweirError(
    'INPUT_EMPTY',
    `Fewer than ${recordsMin} stored records of the ${slices !== null && enough(slices.early) ? 'later' : 'earlier'} slice carry a severity of their sender.`,
    'Choose a longer time with --from, or wait for more logs; to train on a file, use "logweir train".',
  );
}

/** What a person corrected counts as the truth, whatever the sender says. */
function cut({ range, splitMs, templates }: TrainingHistory, { items }: Corrections): Slices {
  const books = new Map<string, CorrectionBook>();
  const bookOf = (service: string): CorrectionBook => {
    const known = books.get(service);
    if (known !== undefined) return known;
    const book = new CorrectionBook(items.filter((item) => item.service === '' || item.service === service));
    books.set(service, book);
    return book;
  };
  const early: LabelledTemplate[] = [];
  const late: LabelledTemplate[] = [];
  for (const one of templates) {
    const { text } = one;
    const severity = bookOf(one.service).find(one.templateId, text)?.severity || one.severity;
    if (one.early > 0) early.push({ text, severity, records: one.early });
    if (one.late > 0) late.push({ text, severity, records: one.late });
  }
  const seen = new Set(early.map(({ text }) => text));
  return {
    early,
    late,
    unseen: late.filter(({ text }) => !seen.has(text)),
    trained: { fromMs: range.fromMs, toMs: splitMs },
    scored: { fromMs: splitMs, toMs: range.toMs },
  };
}
