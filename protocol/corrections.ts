/**
 * Corrections of classes by people, as the cluster keeps them: one document, changed by compare-and-set, which the
 * leader tells to partitions (`ControlMessage`). Pure: the document before and what is asked give the one after.
 */
import { LogweirError } from './errors.ts';
import { partitionOf } from './partitioner.ts';

/** Severities that the classifier tells apart. */
export const correctableSeverities = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
export type CorrectableSeverity = (typeof correctableSeverities)[number];

/** What is true of a message; '' leaves the question to the classifier. */
export interface Correction {
  /** Of service and text: correcting the same again replaces it. */
  id: string;
  /** '': every service. */
  service: string;
  /** Text of a template, or a body. */
  text: string;
  /** Template that it was made for, which it follows while its text generalises; '' for a body. */
  templateId: string;
  severity: CorrectableSeverity | '';
  category: string;
  by: string;
  atMs: number;
  /** Why, in the words of whoever made it; left out by those made before it was asked. */
  why?: string;
}

/** One thing that a person did: what ClickHouse keeps for ever, and what brings corrections back. */
export interface CorrectionAct {
  kind: 'set' | 'removed';
  /** Of the document, after it: orders acts of the same ms. */
  version: number;
  atMs: number;
  by: string;
  why: string;
  /** What was set, or what held until it was removed. */
  correction: Correction;
}

export interface Corrections {
  /** Rises with every change; partitions ignore what they have. */
  version: number;
  /** Version that every partition was told. */
  published: number;
  items: Correction[];
  /** Acts that ClickHouse does not have yet, oldest first. */
  acts?: CorrectionAct[];
  /** What ClickHouse had of a cluster before this one was looked at. */
  restored?: boolean;
}

export const noCorrections: Corrections = { version: 0, published: 0, items: [] };

/** People make them by hand; a model trained with them carries on what they taught. */
export const correctionsMax = 1_000;
/** Of the whole list: it travels in one message, and every checkpoint of a partition repeats its part. */
const correctionsCharsMax = 200_000;
export const correctionTextCharsMax = 4_096;
export const categoryCharsMax = 100;
export const whyCharsMax = 500;
export const byCharsMax = 100;
/** Acts that wait for ClickHouse: storage may be away for a while, and none may be lost. */
export const actsWaitingMax = 1_000;

/** @throws LogweirError REQUEST_INVALID | LIMIT_REACHED, naming what is wrong */
export function withCorrection(before: Corrections, correction: Correction): Corrections {
  const { text, severity, category } = correction;
  const refuse = (what: string, remedy: string): never => {
    throw new LogweirError('REQUEST_INVALID', what, remedy);
  };
  if (text.trim() === '') refuse('A correction has no text.', 'Name a template, or give the body of a message.');
  if (text.length > correctionTextCharsMax)
    refuse(
      `The text of a correction has ${text.length} characters; ${correctionTextCharsMax} are allowed.`,
      'Give its first lines: they are what the classifier reads.',
    );
  if (severity === '' && category === '')
    refuse('A correction says neither severity nor category.', 'Give at least one of the two.');
  if (severity !== '' && !correctableSeverities.includes(severity))
    refuse(`"${severity}" is no severity that can be corrected to.`, `Use one of ${correctableSeverities.join(', ')}.`);
  if (category.length > categoryCharsMax)
    refuse(
      `A category has ${category.length} characters; ${categoryCharsMax} are allowed.`,
      'Choose a shorter name for it.',
    );
  for (const [name, value, most] of [
    ['reason', correction.why ?? '', whyCharsMax],
    ['name', correction.by, byCharsMax],
  ] as const)
    if (value.length > most)
      refuse(`The ${name} of a correction has ${value.length} characters; ${most} are allowed.`, 'Shorten it.');
  const known = before.items.find(({ id }) => id === correction.id);
  const { why = '', ...rest } = correction;
  const merged: Correction = {
    ...rest,
    ...(why === '' ? {} : { why }),
    severity: severity === '' ? (known?.severity ?? '') : severity,
    category: category === '' ? (known?.category ?? '') : category,
  };
  const items = [...before.items.filter(({ id }) => id !== correction.id), merged];
  const chars = items.reduce((sum, item) => sum + item.text.length + item.category.length + item.service.length, 0);
  if (items.length > correctionsMax || chars > correctionsCharsMax)
    throw new LogweirError(
      'LIMIT_REACHED',
      items.length > correctionsMax
        ? `${before.items.length} corrections hold already, which is as many as the cluster carries.`
        : `The texts of corrections have ${chars} characters together; the cluster carries ${correctionsCharsMax}.`,
      'Train a model with them ("logweir model train"), then remove those that it has learned; nothing is dropped by itself.',
    );
  const { by, atMs } = correction;
  return withAct({ ...before, items }, { kind: 'set', by, atMs, why, correction: merged });
}

/** Who does something, when, and why. */
export type Doer = Pick<CorrectionAct, 'by' | 'atMs' | 'why'>;

/** Null where there is none of that id. @throws LogweirError LIMIT_REACHED */
export function withoutCorrection(before: Corrections, id: string, doer: Doer): Corrections | null {
  const correction = before.items.find((item) => item.id === id);
  if (correction === undefined) return null;
  const items = before.items.filter((item) => item.id !== id);
  return withAct({ ...before, items }, { ...doer, kind: 'removed', correction });
}

/** Takes the last change of a correction back: what held before it holds again. Null where nothing is known of it. */
export function withUndone(
  before: Corrections,
  id: string,
  history: readonly CorrectionAct[],
  doer: Doer,
): Corrections | null {
  const acts = history.filter(({ correction }) => correction.id === id).sort(inOrder);
  const last = acts.pop();
  if (last === undefined) return null;
  const held = last.kind === 'removed' ? last.correction : acts.at(-1)?.kind === 'set' ? acts.at(-1)?.correction : null;
  const without = withoutCorrection(before, id, doer) ?? before;
  return held === null || held === undefined ? without : withCorrection(without, { ...held, ...doer });
}

/**
 * What holds by all acts that are known, of this document and of those stored. What was made before acts were kept
 * becomes one, so that it is stored too.
 */
export function withStored(before: Corrections, stored: readonly CorrectionAct[]): Corrections {
  const waiting = before.acts ?? [];
  const known = new Set([...stored, ...waiting].map(({ correction }) => correction.id));
  const unkept = before.items
    .filter(({ id }) => !known.has(id))
    .map(
      (correction): CorrectionAct => ({
        kind: 'set',
        version: before.version,
        atMs: correction.atMs,
        by: correction.by,
        why: correction.why ?? '',
        correction,
      }),
    );
  const held = new Map<string, Correction>();
  for (const { kind, correction } of [...stored, ...waiting, ...unkept].sort(inOrder)) {
    held.delete(correction.id);
    if (kind === 'set') held.set(correction.id, correction);
  }
  const items = [...held.values()];
  const said = (of: readonly Correction[]): string =>
    JSON.stringify(
      of
        .map(({ id, severity, category, templateId }) => [id, severity, category, templateId])
        .sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
    );
  const hasChanged = said(items) !== said(before.items);
  return {
    ...before,
    // Partitions may know a version of before.
    version: hasChanged ? Math.max(before.version, ...stored.map(({ version }) => version)) + 1 : before.version,
    items: hasChanged ? items : before.items,
    acts: [...waiting, ...unkept],
    restored: true,
  };
}

export function inOrder(a: CorrectionAct, b: CorrectionAct): number {
  return a.atMs - b.atMs || a.version - b.version;
}

function withAct(after: Corrections, act: Omit<CorrectionAct, 'version'>): Corrections {
  const { acts = [] } = after;
  if (acts.length >= actsWaitingMax)
    throw new LogweirError(
      'LIMIT_REACHED',
      `${acts.length} changes of corrections wait for ClickHouse, which keeps them.`,
      'See that storage runs ("logweir status"), then ask again.',
    );
  const version = after.version + 1;
  return { ...after, version, acts: [...acts, { ...act, version }] };
}

/** What a partition is told of: the part that its analysis reads. */
export type ToldCorrection = Pick<Correction, 'service' | 'text' | 'templateId' | 'severity' | 'category'>;

export function correctionsOf(partition: number, partitions: number, { items }: Corrections): ToldCorrection[] {
  return items
    .filter(({ service }) => service === '' || partitionOf(service, partitions) === partition)
    .map(({ service, text, templateId, severity, category }) => ({ service, text, templateId, severity, category }));
}

export function isToldCorrection(value: unknown): value is ToldCorrection {
  const it = value as Partial<ToldCorrection> | null;
  return (
    typeof it?.service === 'string' &&
    typeof it.text === 'string' &&
    it.text !== '' &&
    typeof it.templateId === 'string' &&
    typeof it.category === 'string' &&
    (it.severity === '' || correctableSeverities.includes(it.severity as CorrectableSeverity))
  );
}
