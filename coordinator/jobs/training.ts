/**
 * The training job: history from ClickHouse, cut by time, a challenger against the model that serves, and a publication
 * only where it is better. Run by the leader as it is due (`training-desk.ts`) and by `logweir model train`.
 */
import type { Bus, KeyValue } from '#bus/mod.ts';
import { LogweirError, type ModelVersion, modelVersion } from '#protocol/mod.ts';
import type { Queries, TrainingHistory } from '#storage/mod.ts';
import type { TrainingInput, TrainingResult } from '#workers/mod.ts';
import { modelBytes, publishModel, readCorrections, readModels } from '../model-store.ts';

/** Labelled records of a slice below which scores would be chance. */
const recordsMin = 20;

export interface TrainingDeps {
  bus: Bus;
  store: KeyValue;
  queries: Pick<Queries, 'extent' | 'training'>;
  /** `trainAndJudge`, here or in a thread of its own: it takes seconds of a core. */
  train: (input: TrainingInput) => TrainingResult | Promise<TrainingResult>;
}

export interface TrainingWanted {
  fromMs?: number | undefined;
  toMs?: number | undefined;
  /** Share of the records, by time, that comes before the slice for scores. */
  share: number;
  /** Publishes what is not better, too. */
  force: boolean;
  dryRun: boolean;
  by: string;
  atMs: number;
  /** False: whoever asked may no longer publish. Asked at the last moment. */
  mayPublish?: () => boolean;
}

export interface TrainingOutcome extends Omit<TrainingResult, 'model'> {
  trained: { fromMs: number; toMs: number };
  scored: { fromMs: number; toMs: number };
  champion: TrainingResult['champion'];
  /** Version that served, and was scored against. */
  against: number;
  published: ModelVersion | null;
}

/** Share of the records, by time, that is trained on. */
export const trainingShareDefault = 0.8;

/** @throws LogweirError INPUT_EMPTY where too few records carry a sender's severity */
export async function readTrainingHistory(
  queries: TrainingDeps['queries'],
  wanted: Pick<TrainingWanted, 'fromMs' | 'toMs' | 'share'>,
): Promise<TrainingHistory> {
  const extent = await queries.extent();
  const range = {
    fromMs: wanted.fromMs ?? extent?.oldestMs ?? 0,
    toMs: wanted.toMs ?? (extent?.newestMs ?? 0) + 1_000,
  };
  const history = await queries.training(range, wanted.share);
  const sum = (of: 'early' | 'late'): number => (history?.templates ?? []).reduce((all, one) => all + one[of], 0);
  if (history !== null && sum('early') >= recordsMin && sum('late') >= recordsMin) return history;
  throw new LogweirError(
    'INPUT_EMPTY',
    `Fewer than ${recordsMin} stored records of the ${sum('early') >= recordsMin ? 'later' : 'earlier'} slice carry a severity of their sender.`,
    'Choose a longer time with --from, or wait for more logs; to train on a file, use "logweir train".',
  );
}

/** @throws LogweirError INPUT_EMPTY, MODEL_MISSING, CLUSTER_MISMATCH where another model came to serve meanwhile */
export async function runTraining(deps: TrainingDeps, wanted: TrainingWanted): Promise<TrainingOutcome> {
  const { bus, store, queries, train } = deps;
  const models = await readModels(store);
  const { items } = await readCorrections(store);
  const { range, splitMs, templates } = await readTrainingHistory(queries, wanted);
  const serving = modelVersion(models, models.serving);
  const champion = serving === null ? null : await modelBytes(bus, serving);
  const { model, ...judged } = await train({ history: templates, corrections: items, champion });
  const about = {
    trained: { fromMs: range.fromMs, toMs: splitMs },
    scored: { fromMs: splitMs, toMs: range.toMs },
  };
  const isPublished = (judged.better || wanted.force) && !wanted.dryRun && (wanted.mayPublish?.() ?? true);
  const { severity, category } = judged.challenger;
  const before = judged.champion;
  const published = !isPublished
    ? null
    : await publishModel(
        bus,
        store,
        model,
        {
          ...about,
          atMs: wanted.atMs,
          by: wanted.by,
          trainedTemplates: judged.trainedTemplates,
          corrections: judged.corrections,
          scores: severity,
          ...(category.records > 0 ? { category } : {}),
          champion: {
            version: models.serving,
            scores: before.severity,
            ...(before.category.records > 0 ? { category: before.category } : {}),
          },
          forced: !judged.better,
        },
        models.change,
      );
  return { ...judged, ...about, against: models.serving, published };
}
