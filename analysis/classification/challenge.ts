/** The training job as a function: history and corrections in, a challenger with its judgement against the champion out. */
import type { ModelScores } from '#protocol/mod.ts';
import { Classifier } from './classifier.ts';
import { classificationDefaults } from './config.ts';
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
 * Cuts by time. What a person corrected counts as the truth, whatever the sender says, for every template that the
 * correction holds for; what was overruled later counts for nothing. The latest corrections are
 * held back, and categories are scored on those: what people said since. Of few corrections none is held back, and the
 * later records of corrected templates are scored on, which shows at least that what people said was not unlearned.
 */
export function slicesOf(history: readonly HistoryTemplate[], corrections: readonly DatedCorrection[]): Slices {
  const byTime = corrections.toSorted((a, b) => a.atMs - b.atMs || (a.text < b.text ? -1 : 1));
  const held = byTime.length < correctionsHeldBackFrom ? 0 : Math.floor(byTime.length / heldBackOf);
  const taught = booksOf(byTime.slice(0, byTime.length - held));
  const judged = booksOf(held === 0 ? byTime : byTime.slice(-held));
  const all = booksOf(byTime);
  const learned = byTime.slice(0, byTime.length - held).flatMap((one) => standing(one, taught));
  const judges = (held === 0 ? byTime : byTime.slice(-held)).flatMap((one) => standing(one, judged));
  const early: LabelledTemplate[] = [];
  const late: LabelledTemplate[] = [];
  const categories: CategorisedTemplate[] = judges
    .filter(({ category }) => category !== '')
    .map(({ text, category }) => ({ text, category, records: 1 }));
  for (const { service, templateId, text, severity, ...records } of history) {
    // What is held back is not given away by the history either.
    const said = taught(service).find(templateId, text);
    if (records.early > 0)
      early.push({
        text,
        severity: said?.severity || severity,
        category: said?.category ?? '',
        records: records.early,
      });
    if (records.late === 0) continue;
    late.push({ text, severity: all(service).find(templateId, text)?.severity || severity, records: records.late });
    const category = judged(service).find(templateId, text)?.category ?? '';
    if (category !== '') categories.push({ text, category, records: records.late });
  }
  const seen = new Set(early.map(({ text }) => text));
  return { early, corrections: learned, late, unseen: late.filter(({ text }) => !seen.has(text)), categories };
}

/** What of a correction still holds: who said otherwise later is right. */
function standing(one: DatedCorrection, books: (service: string) => CorrectionBook): DatedCorrection[] {
  const said = books(one.service).find(one.templateId, one.text);
  const severity = said?.severity === one.severity ? one.severity : '';
  const category = said?.category === one.category ? one.category : '';
  return severity === '' && category === '' ? [] : [{ ...one, severity, category }];
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
  /** Share of what people said of messages that the challenger says too, of the corrections that it was trained on. */
  kept: number;
  challenger: TaskScores & { unseen: ModelScores };
  champion: TaskScores & { unseen: ModelScores };
}

/** A challenger that does not say what it was told is no better, however little the champion knows of it. */
const keptMin = 0.9;

/** Where services are told differently of the same message, one model cannot say both: that is no fault of it. */
function keptOf(model: Model, corrections: readonly DatedCorrection[]): number {
  const classifier = new Classifier(classificationDefaults, model);
  let [asked, kept] = [0, 0];
  for (const { text, ...said } of corrections) {
    const answer = classifier.classify(text);
    for (const question of ['severity', 'category'] as const) {
      const truth = said[question];
      if (truth === '' || corrections.some((one) => one.text === text && !['', truth].includes(one[question])))
        continue;
      asked++;
      if (answer[question] === truth) kept++;
    }
  }
  return asked === 0 ? 1 : kept / asked;
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
  const kept = keptOf(model, slices.corrections);
  const better = kept >= keptMin && isBetter(scores, championScores);
  return { model, better, kept, challenger: scores, champion: championScores };
}
