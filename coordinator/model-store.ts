/**
 * Corrections and models as the cluster keeps them: documents in KV, changed by compare-and-set by API and command
 * line; bytes of models in the object store. Only the leader tells partitions of them (R2, `model-control.ts`).
 */
import { createHash } from 'node:crypto';
import type { Bus, KeyValue } from '#bus/mod.ts';
import {
  type Correction,
  type CorrectionAct,
  type Corrections,
  type Doer,
  inOrder,
  keys,
  type Models,
  type Training,
  type ModelVersion,
  LogweirError,
  noCorrections,
  noModels,
  objectBuckets,
  pack,
  rolledBack,
  unpack,
  withCorrection,
  withModel,
  withoutCorrection,
  withStored,
  withUndone,
} from '#protocol/mod.ts';

/** Reads a document, works out the next, and writes it unless another was faster: then again. */
async function change<T>(store: KeyValue, key: string, none: T, next: (before: T) => T): Promise<T> {
  for (;;) {
    const entry = await store.get(key);
    const before = entry === null ? none : (unpack(entry.value) as T);
    const after = next(before);
    if (after === before) return before;
    const written =
      entry === null ? await store.create(key, pack(after)) : await store.update(key, pack(after), entry.revision);
    if (written !== null) return after;
  }
}

async function read<T>(store: KeyValue, key: string, none: T): Promise<T> {
  const entry = await store.get(key);
  return entry === null ? none : (unpack(entry.value) as T);
}

export const readCorrections = (store: KeyValue): Promise<Corrections> => read(store, keys.corrections, noCorrections);
export const readModels = (store: KeyValue): Promise<Models> => read(store, keys.models, noModels);

/** Null before a leader has looked at training. */
export const readTraining = (store: KeyValue): Promise<Training | null> =>
  read<Training | null>(store, keys.training, null);

export const changeTraining = (
  store: KeyValue,
  none: Training,
  next: (before: Training) => Training,
): Promise<Training> => change(store, keys.training, none, next);

/** Asks the leader to train a model; asked twice before it begins, it is trained once. */
export async function requestTraining(
  store: KeyValue,
  asked: { by: string; atMs: number; force: boolean },
): Promise<void> {
  const none: Training = { sinceMs: asked.atMs, requested: null, runs: [], drifts: 0 };
  await change(store, keys.training, none, (before) => ({ ...before, requested: before.requested ?? asked }));
}

export type NewCorrection = Omit<Correction, 'id'>;

/** Adds a correction, or replaces the one of the same service and text. @throws LogweirError REQUEST_INVALID | LIMIT_REACHED */
export async function correct(store: KeyValue, asked: NewCorrection): Promise<Correction> {
  const [made] = await correctAll(store, [asked]);
  return made as Correction;
}

/** All or none. @throws LogweirError REQUEST_INVALID | LIMIT_REACHED */
export async function correctAll(store: KeyValue, asked: readonly NewCorrection[]): Promise<Correction[]> {
  const made = asked.map((one) => ({
    ...one,
    id: createHash('sha256').update(`${one.service}\u0000${one.text}`).digest('hex').slice(0, 16),
  }));
  const after = await change(store, keys.corrections, noCorrections, (before) => made.reduce(withCorrection, before));
  return made.map(({ id }) => after.items.find((item) => item.id === id) as Correction);
}

/** False where there is none of that id. */
export async function uncorrect(store: KeyValue, id: string, doer: Doer): Promise<boolean> {
  return await changeWhere(store, (before) => withoutCorrection(before, id, doer));
}

/**
 * Takes the last change of a correction back. False where nothing is known of it.
 * @param stored its acts in ClickHouse
 */
export async function undoCorrection(
  store: KeyValue,
  id: string,
  stored: readonly CorrectionAct[],
  doer: Doer,
): Promise<boolean> {
  return await changeWhere(store, (before) => withUndone(before, id, historyOf(before, stored), doer));
}

/** Acts that are stored, and those that wait, each once; newest first. */
export function historyOf({ acts = [] }: Corrections, stored: readonly CorrectionAct[]): CorrectionAct[] {
  const keyOf = ({ atMs, version, correction }: CorrectionAct): string => `${atMs} ${version} ${correction.id}`;
  const all = new Map([...stored, ...acts].map((act) => [keyOf(act), act]));
  return [...all.values()].sort((a, b) => inOrder(b, a));
}

/** What ClickHouse kept of this cluster, or of one whose NATS was wiped, holds again. True where something came back. */
export async function restoreCorrections(
  store: KeyValue,
  stored: () => Promise<readonly CorrectionAct[]>,
): Promise<boolean> {
  const { restored, items } = await readCorrections(store);
  if (restored === true) return false;
  const acts = await stored();
  const after = await change(store, keys.corrections, noCorrections, (before) =>
    before.restored === true ? before : withStored(before, acts),
  );
  return after.items.length > items.length;
}

/** False where there is nothing to change. */
async function changeWhere(store: KeyValue, next: (before: Corrections) => Corrections | null): Promise<boolean> {
  let found = false;
  await change(store, keys.corrections, noCorrections, (before) => {
    const after = next(before);
    found = after !== null;
    return after ?? before;
  });
  return found;
}

/**
 * Stores a model's bytes, then lists it as the version that serves. `expectedChange`: as of which it was scored.
 * @throws LogweirError CLUSTER_MISMATCH where another has come to serve since
 */
export async function publishModel(
  bus: Bus,
  store: KeyValue,
  bytes: Uint8Array,
  about: Omit<ModelVersion, 'version' | 'hash' | 'bytes'>,
  expectedChange?: number,
): Promise<ModelVersion> {
  const hash = createHash('sha256').update(bytes).digest('hex');
  const objects = await bus.objects(objectBuckets.models);
  await objects.put(hash, bytes);
  const dropped: string[] = [];
  const after = await change(store, keys.models, noModels, (before) => {
    if (expectedChange !== undefined && before.change !== expectedChange)
      throw new LogweirError(
        'CLUSTER_MISMATCH',
        `Another model came to serve while this one was trained: it was scored against model ${about.champion.version}.`,
        'Train again, against the one that serves now.',
      );
    const next = withModel(before, { ...about, hash, bytes: bytes.length });
    const kept = new Set(next.versions.map((one) => one.hash));
    dropped.splice(0, dropped.length, ...before.versions.map((one) => one.hash).filter((one) => !kept.has(one)));
    return next;
  });
  for (const old of dropped) await objects.delete(old).catch(() => {});
  return after.versions.at(-1) as ModelVersion;
}

/** Bytes of a listed model. @throws LogweirError MODEL_MISSING */
export async function modelBytes(bus: Bus, { hash, version }: ModelVersion): Promise<Uint8Array> {
  const bytes = await (await bus.objects(objectBuckets.models)).get(hash);
  if (bytes !== null && createHash('sha256').update(bytes).digest('hex') === hash) return bytes;
  throw new LogweirError(
    'MODEL_MISSING',
    `The bytes of model ${version} are ${bytes === null ? 'missing' : 'damaged'} in the object store.`,
    'Restore the bucket logweir_models, or let another model serve ("logweir model rollback").',
  );
}

/** Lets an earlier version serve. Its bytes must be there. @throws LogweirError REQUEST_INVALID | MODEL_MISSING */
export async function rollBack(bus: Bus, store: KeyValue, version?: number): Promise<Models> {
  const wanted = rolledBack(await readModels(store), version);
  const found = wanted.versions.find((one) => one.version === wanted.serving);
  if (found !== undefined) await modelBytes(bus, found);
  return change(store, keys.models, noModels, (before) => rolledBack(before, version));
}

/** Notes that every partition was told of a change; a later one stays due. */
export async function notePublished(store: KeyValue, what: { model?: number; corrections?: number }): Promise<void> {
  const { model, corrections } = what;
  if (model !== undefined)
    await change(store, keys.models, noModels, (doc) => (doc.published < model ? { ...doc, published: model } : doc));
  if (corrections !== undefined)
    await change(store, keys.corrections, noCorrections, (doc) =>
      doc.published < corrections ? { ...doc, published: corrections } : doc,
    );
}
