/**
 * Models of the classifier as the cluster keeps them: bytes by SHA-256 in the object store, and one document that lists
 * versions and says which one serves. Pure, like `corrections.ts`.
 */
import { LogweirError } from './errors.ts';

/** How a model did on records that it had not seen. */
export interface ModelScores {
  records: number;
  accuracy: number;
  /** Unweighted over the classes that occur. */
  macroF1: number;
  /** Mean distance of confidence from the share that was right, weighed by records, 0–1. */
  calibrationError: number;
  labels: string[];
  /** Rows: truth, columns: answer, in the order of `labels`; records. */
  confusion: number[][];
}

export interface ModelVersion {
  /** From 1; 0 is the built-in model. */
  version: number;
  /** SHA-256 of its bytes, hex. */
  hash: string;
  bytes: number;
  atMs: number;
  by: string;
  /** Messages by template, corrections among them, that it was trained on. */
  trainedTemplates: number;
  corrections: number;
  /** Event times of what it was trained on, and of what it was scored on, ms. */
  trained: { fromMs: number; toMs: number };
  scored: { fromMs: number; toMs: number };
  /** Severities; categories too where people had said some, left out by versions from before those were scored. */
  scores: ModelScores;
  category?: ModelScores;
  /** Scores of the model that served then, on the same records. */
  champion: { version: number; scores: ModelScores; category?: ModelScores };
  /** Published although it was not better. */
  forced: boolean;
}

export interface Models {
  /** Oldest first. */
  versions: ModelVersion[];
  /** Counts changes of what serves: the version of the control message. */
  change: number;
  /** Change that every partition was told. */
  published: number;
  /** The version that serves, and those that served before it, latest last. */
  serving: number;
  served: number[];
}

/** What made a model be trained. */
export type TrainingTrigger = 'asked' | 'schedule' | 'drift';

/** One run of the training job. */
export interface TrainingRun {
  trigger: TrainingTrigger;
  by: string;
  startedMs: number;
  /** Null while it runs. */
  endedMs: number | null;
  /** `too_little`: too few records carry a severity. `failed`: `detail` says why. */
  outcome: 'running' | 'published' | 'not_better' | 'too_little' | 'failed';
  /** That it became; 0 where nothing was published. */
  version: number;
  detail: string;
}

/** What the leader knows of training, in KV. */
export interface Training {
  /** Since when it counts, ms: the first run by schedule comes an interval later. */
  sinceMs: number;
  requested: { by: string; atMs: number; force: boolean } | null;
  /** Newest last, at most `trainingRunsMax`. */
  runs: TrainingRun[];
  /** Drifts that services had come to when a model was trained last. */
  drifts: number;
}

export const trainingRunsMax = 20;

export const builtInModel = 0;
export const noModels: Models = { versions: [], change: 0, published: 0, serving: builtInModel, served: [] };
/** Older versions and their bytes are dropped, except the one that serves. */
export const modelVersionsMax = 50;
const servedMax = 20;

/** Adds a version, the next by number, and lets it serve. */
export function withModel(before: Models, model: Omit<ModelVersion, 'version'>): Models {
  const version = before.versions.reduce((most, one) => Math.max(most, one.version), 0) + 1;
  const added = [...before.versions, { ...model, version }];
  const kept = added.filter((one, i) => i >= added.length - modelVersionsMax || one.version === before.serving);
  return serve({ ...before, versions: kept }, version);
}

/**
 * Lets an earlier version serve: the one named, else the one that served before the present one.
 * @throws LogweirError REQUEST_INVALID
 */
export function rolledBack(before: Models, version?: number): Models {
  const to = version ?? before.served.at(-1);
  if (to === undefined)
    throw new LogweirError('REQUEST_INVALID', 'No other model served before this one.', 'See "logweir model list".');
  if (to === before.serving)
    throw new LogweirError('REQUEST_INVALID', `Model ${to} serves already.`, 'See "logweir model list".');
  modelVersion(before, to);
  const after = serve(before, to);
  // Going back twice goes further back, not forth again.
  return version === undefined ? { ...after, served: before.served.slice(0, -1) } : after;
}

function serve(before: Models, version: number): Models {
  const served = [...before.served, before.serving].slice(-servedMax);
  return { ...before, change: before.change + 1, serving: version, served };
}

/** Null for the built-in one. @throws LogweirError REQUEST_INVALID for a version that is not kept */
export function modelVersion(models: Models, version: number): ModelVersion | null {
  if (version === builtInModel) return null;
  const found = models.versions.find((one) => one.version === version);
  if (found !== undefined) return found;
  const known = [builtInModel, ...models.versions.map((one) => one.version)];
  throw new LogweirError(
    'REQUEST_INVALID',
    `There is no model ${version}.`,
    `Known are ${known.join(', ')} (0 is the built-in one); see "logweir model list".`,
  );
}
