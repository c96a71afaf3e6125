/** The training job as a pure function over bytes: what a thread of its own is given, and what it hands back. */
import {
  baseModel,
  challenge,
  type DatedCorrection,
  decodeModel,
  encodeModel,
  type HistoryTemplate,
  type Judgement,
  scoreTasks,
  slicesOf,
} from '#analysis/classification/mod.ts';

export interface TrainingInput {
  history: readonly HistoryTemplate[];
  corrections: readonly DatedCorrection[];
  /** Of the model that serves; null: the built-in one. */
  champion: Uint8Array | null;
}

export interface TrainingResult extends Judgement {
  /** The challenger's bytes. */
  model: Uint8Array;
  trainedTemplates: number;
  /** Corrections that it was trained on; the latest may have been held back to score on. */
  corrections: number;
}

const modelOfBytes = (bytes: Uint8Array | null) => (bytes === null ? baseModel : decodeModel(bytes));

export function trainAndJudge({ history, corrections, champion }: TrainingInput): TrainingResult {
  const slices = slicesOf(history, corrections);
  const { model, ...judgement } = challenge(slices, modelOfBytes(champion));
  return {
    ...judgement,
    model: encodeModel(model),
    trainedTemplates: slices.early.length,
    corrections: slices.corrections.length,
  };
}

/** Models on the same records; in the order given. */
export function judge(
  models: readonly (Uint8Array | null)[],
  history: readonly HistoryTemplate[],
  corrections: readonly DatedCorrection[],
): Judgement['challenger'][] {
  const slices = slicesOf(history, corrections);
  return models.map((bytes) => scoreTasks(modelOfBytes(bytes), slices));
}
