import { LogweirError } from '#protocol/errors.ts';

/** Settings of one classifier. All bounds are per (service, lane). */
export interface ClassificationConfig {
  /** Templates remembered with their labels, the longest unused forgotten first. Default 256. */
  memoryTemplatesMax: number;
  /** Features that may carry weights learned online. Default 2048; when full, the weakest half is dropped. */
  liveFeaturesMax: number;
  /** Category names known at once, the model's included; later names are ignored and counted. Default 64. */
  categoriesMax: number;
  /** Records over which a learner's measured accuracy fades to 1/e. Default 200. */
  accuracyHorizonRecords: number;
  /** How strongly measured loss moves a learner's weight. 0 keeps the model's weights. Default 2. */
  weightRate: number;
  /** Step size of the online logistic learner. Default 2. */
  learningRate: number;
  /** Rise of the recent error rate over the long-run one (0–1) that counts as drift. Default 0.25. */
  driftThreshold: number;
}

export const classificationDefaults: ClassificationConfig = {
  memoryTemplatesMax: 256,
  liveFeaturesMax: 2048,
  categoriesMax: 64,
  accuracyHorizonRecords: 200,
  weightRate: 2,
  learningRate: 2,
  driftThreshold: 0.25,
};

const ranges: { [key in keyof ClassificationConfig]: readonly [number, number] } = {
  memoryTemplatesMax: [1, 65_536],
  liveFeaturesMax: [16, 1_048_576],
  categoriesMax: [1, 1024],
  accuracyHorizonRecords: [1, 1_000_000],
  weightRate: [0, 100],
  learningRate: [0.001, 10],
  driftThreshold: [0.01, 1],
};

/** Fills in defaults and checks every number. Throws CONFIG_INVALID that names the key and what is allowed. */
export function classificationConfig(given: Partial<ClassificationConfig> = {}): ClassificationConfig {
  const config = { ...classificationDefaults, ...given };
  for (const key of Object.keys(ranges) as (keyof ClassificationConfig)[]) {
    const [low, high] = ranges[key];
    const value = config[key];
    if (typeof value === 'number' && value >= low && value <= high) continue;
    throw new LogweirError(
      'CONFIG_INVALID',
      `classification.${key} is ${String(value)}; it must be a number from ${low} to ${high}.`,
      `Set classification.${key} to a number from ${low} to ${high}, or leave it out for ${classificationDefaults[key]}.`,
    );
  }
  return config;
}
