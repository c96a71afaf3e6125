/**
 * Models of the classifier on their way from the object store to partitions: loaded by hash before the message that
 * names them is taken. One that is missing or damaged is waited for; a partition never answers with another instead.
 */
import { createHash } from 'node:crypto';
import { decodeModel, type Model } from '#analysis/classification/mod.ts';
import { type Objects, sleep, type Time } from '#bus/mod.ts';
import { LogweirError, modelNamed } from '#protocol/mod.ts';
import { ModelMissingError, type ModelSource } from './partition-models.ts';

/** Partitions hold on to the models that they use; these are for those still to come. */
const keptMax = 4;
const retryAfterMs = 500;
const patienceMsDefault = 30_000;

export interface ModelShelfOptions {
  objects: () => Promise<Objects>;
  time: Time;
  log: (text: string) => void;
  /** How long a missing model is waited for before it is an error, ms, default 30_000. */
  patienceMs?: number;
}

export class ModelShelf implements ModelSource {
  private readonly options: ModelShelfOptions;
  private readonly kept = new Map<string, Model>();
  private readonly loading = new Map<string, Promise<void>>();

  constructor(options: ModelShelfOptions) {
    this.options = options;
  }

  get(hash: string): Model | undefined {
    return this.kept.get(hash);
  }

  /** Makes sure that the model which a LOGS message names, if any, can be had. @throws ModelMissingError */
  async need(message: Uint8Array): Promise<void> {
    const named = modelNamed(message);
    if (named !== null) await this.load(named.hash);
  }

  /** @throws ModelMissingError after a while */
  async load(hash: string): Promise<void> {
    if (hash === '' || this.kept.has(hash)) return;
    let under = this.loading.get(hash);
    if (under === undefined) {
      under = this.fetch(hash).finally(() => this.loading.delete(hash));
      this.loading.set(hash, under);
    }
    await under;
  }

  private async fetch(hash: string): Promise<void> {
    const { time, log, patienceMs = patienceMsDefault } = this.options;
    const deadlineMs = time.now() + patienceMs;
    for (let tries = 0; ; tries++) {
      const got = await this.attempt(hash);
      if ('model' in got) {
        this.keep(hash, got.model);
        return;
      }
      if (time.now() >= deadlineMs) throw new ModelMissingError(hash, got.problem);
      if (tries === 0) log(`The model ${hash.slice(0, 12)} ${got.problem}; partitions that need it wait.`);
      await sleep(time, retryAfterMs);
    }
  }

  private async attempt(hash: string): Promise<{ model: Model } | { problem: string }> {
    let bytes: Uint8Array | null;
    try {
      bytes = await (await this.options.objects()).get(hash);
    } catch (error) {
      return { problem: `cannot be read from the object store (${(error as Error).message})` };
    }
    if (bytes === null) return { problem: 'is missing or torn in the object store' };
    if (createHash('sha256').update(bytes).digest('hex') !== hash)
      return { problem: 'is damaged in the object store: its hash is another' };
    try {
      return { model: decodeModel(bytes) };
    } catch (error) {
      if (!(error instanceof LogweirError)) throw error;
      return { problem: `cannot be used by this build: ${error.message}` };
    }
  }

  private keep(hash: string, model: Model): void {
    this.kept.set(hash, model);
    const oldest = this.kept.keys().next().value;
    if (this.kept.size > keptMax && oldest !== undefined) this.kept.delete(oldest);
  }
}

/** Makes what needs a model, loading it where it is missing. */
export async function withModels<T>(shelf: ModelShelf | undefined, make: () => T): Promise<T> {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ModelMissingError) || shelf === undefined) throw error;
    await shelf.load(error.hash);
    return make();
  }
}
