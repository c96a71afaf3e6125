/** The training job as a function: history and corrections in, a challenger with its judgement against the champion out. */
import type { ModelScores } from '#protocol/mod.ts';
import { CorrectionBook, type CorrectionRule } from './corrections.ts';
import {
  type CategorisedTemplate,
  isBetter,
  type LabelledTemplate,
  scoreCategories,
  scoreModel,
  type TaskScores,
} from './evaluate.ts';
import type { Model } from './model.ts';
import type { SeverityLabel } from './severity-label.ts';
import { trainChallenger } from './train-challenger.ts';

/** A template of a service, the severity that its senders gave, and how often, before the split and after it. */
export interface HistoryTemplate {
  service: string;
  templateId: string;
  text: string;
  severity: SeverityLabel;
  early: number;
  late: number;
}

/** A person's word, and when it was given, ms. */
export interface DatedCorrection extends CorrectionRule {
  /** '': every service. */
  service: string;
  atMs: number;
}

export interface Slices {
  /** What is trained on. */
  early: LabelledTemplate[];
  corrections: DatedCorrection[];
  /** What is scored on. */
  late: LabelledTemplate[];
  /** Of `late`: templates that the early slice does not have. */
  unseen: LabelledTemplate[];
  categories: CategorisedTemplate[];
}

/** Fewer corrections than this are all learned: what is held back of few would be missed. */
const correctionsHeldBackFrom = 5;
/** The latest of so many is held back, to be scored on. */
const heldBackOf = 5;

/**
 * Cuts by time. What a person corrected counts as the truth, whatever the sender says; the latest corrections are
 * held back, and categories are scored on those: what people said since. Of few corrections none is held back, and the
 * later records of corrected templates are scored on, which shows at least that what people said was not unlearned.
 */
export function slicesOf(history: readonly HistoryTemplate[], corrections: readonly DatedCorrection[]): Slices {
  const byTime = corrections.toSorted((a, b) => a.atMs - b.atMs || (a.text < b.text ? -1 : 1));
  const held = byTime.length < correctionsHeldBackFrom ? 0 : Math.floor(byTime.length / heldBackOf);
  const learned = byTime.slice(0, byTime.length - held);
  const judges = held === 0 ? byTime : byTime.slice(-held);
  const [all, taught, judged] = [booksOf(byTime), booksOf(learned), booksOf(judges)];
  const early: LabelledTemplate[] = [];
  const late: LabelledTemplate[] = [];
  const categories: CategorisedTemplate[] = judges
    .filter(({ category }) => category !== '')
    .map(({ text, category }) => ({ text, category, records: 1 }));
  for (const { service, templateId, text, severity, ...records } of history) {
    // What is held back is not given away by the history either.
    const toLearn = taught(service).find(templateId, text)?.severity || severity;
    if (records.early > 0) early.push({ text, severity: toLearn, records: records.early });
    if (records.late === 0) continue;
    late.push({ text, severity: all(service).find(templateId, text)?.severity || severity, records: records.late });
    const category = judged(service).find(templateId, text)?.category ?? '';
    if (category !== '') categories.push({ text, category, records: records.late });
  }
  const seen = new Set(early.map(({ text }) => text));
  return { early, corrections: learned, late, unseen: late.filter(({ text }) => !seen.has(text)), categories };
}

/** Corrections by service. */
function booksOf(corrections: readonly DatedCorrection[]): (service: string) => CorrectionBook {
  const books = new Map<string, CorrectionBook>();
  return (service) => {
    const known = books.get(service);
    if (known !== undefined) return known;
    const book = new CorrectionBook(corrections.filter((one) => one.service === '' || one.service === service));
    books.set(service, book);
    return book;
  };
}

export interface Judgement {
  better: boolean;
  challenger: TaskScores & { unseen: ModelScores };
  champion: TaskScores & { unseen: ModelScores };
}

export function scoreTasks(model: Model, slices: Slices): Judgement['challenger'] {
  return {
    severity: scoreModel(model, slices.late),
    category: scoreCategories(model, slices.categories),
    unseen: scoreModel(model, slices.unseen),
  };
}

/** Trains a challenger on the earlier slice, and scores it and the champion on the later one. Deterministic. */
export function challenge(slices: Slices, champion: Model): Judgement & { model: Model } {
  const model = trainChallenger(slices.early, slices.corrections);
  const scores = scoreTasks(model, slices);
  const championScores = scoreTasks(champion, slices);
  return { model, better: isBetter(scores, championScores), challenger: scores, champion: championScores };
}
