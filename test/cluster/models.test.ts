/** Corrections and models from the document to the rows: coordinator and worker over the in-memory bus. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodeModel, trainModel } from '#analysis/classification/mod.ts';
import { type ClusterFacts, type KeyValue, MemoryBus, type Objects, openCluster, systemTime } from '#bus/mod.ts';
import {
  Coordinator,
  correct,
  publishModel,
  readCorrections,
  readModels,
  rollBack,
  uncorrect,
} from '#coordinator/mod.ts';
import {
  BatchBuilder,
  decodeResults,
  encodeLogsMessage,
  type ModelVersion,
  objectBuckets,
  partitionOf,
  RecordView,
  type Section,
  streams,
  subjects,
  uint16At,
  viewOf,
} from '#protocol/mod.ts';
import { emptyFold, ModelShelf, PartitionFold, Worker } from '#workers/mod.ts';

const service = 'shop';
const patienceMs = 60_000;
const scores = { records: 1, accuracy: 1, macroF1: 1, calibrationError: 0, labels: [], confusion: [] };
const about: Omit<ModelVersion, 'version' | 'hash' | 'bytes'> = {
  atMs: 1,
  by: 'test',
  trainedTemplates: 1,
  corrections: 0,
  trained: { fromMs: 0, toMs: 1 },
  scored: { fromMs: 1, toMs: 2 },
  scores,
  champion: { version: 0, scores },
  forced: false,
};
const model = (category: string): Uint8Array =>
  encodeModel(trainModel([{ body: 'lamp 1 glows', severity: 'ERROR', category }]));

class Cluster {
  readonly bus = new MemoryBus(() => Date.now());
  readonly said: string[] = [];
  store!: KeyValue;
  facts!: ClusterFacts;
  objects!: Objects;
  coordinator: Coordinator | null = null;
  worker: Worker | null = null;

  async open(): Promise<void> {
    const { facts, store } = await openCluster(this.bus, { partitions: 2 });
    this.store = store;
    this.facts = facts;
    this.objects = await this.bus.objects(objectBuckets.models);
    await this.startCoordinator();
    await this.startWorker();
  }

  async startCoordinator(): Promise<void> {
    const { bus, store } = this;
    const log = (text: string): void => void this.said.push(text);
    this.coordinator = new Coordinator({ bus, store, id: 'c', analysis: {}, retainLogs: true, time: systemTime, log });
    await this.coordinator.start();
  }

  async startWorker(): Promise<void> {
    const { bus, store, facts } = this;
    const log = (text: string): void => void this.said.push(text);
    const checkpointEveryMs = 50;
    this.worker = await Worker.start({
      bus,
      store,
      facts,
      id: 'w',
      time: systemTime,
      log,
      resultsLingerMs: 0,
      checkpointEveryMs,
    });
  }

  /** Category of a record, once its row is published; null where it is not within the time. */
  async ask(body: string, withinMs = patienceMs): Promise<string | null> {
    const builder = new BatchBuilder('live', 'test');
    const record = { service, body, timeMs: Date.now(), severityNumber: 0, severityText: '' };
    builder.add(viewOf(record, { observedMs: Date.now(), service }, new RecordView()), 1);
    const partition = partitionOf(service, this.facts.partitions);
    const data = encodeLogsMessage({ kind: 'batch', batch: builder.take()! });
    const { sequence } = await this.bus.streams.publish(subjects.logs(partition), data);
    return vi.waitUntil(() => this.categoryAt(sequence), { timeout: withinMs, interval: 20 }).catch(() => null);
  }

  async categoryAt(sequence: number): Promise<string | null> {
    const { lastSequence } = await this.bus.streams.info(streams.results);
    if (lastSequence === 0) return null;
    const sections: Section[] = [];
    const subscription = await this.bus.streams.consume(streams.results, { fromSequence: 1 });
    for await (const message of subscription) {
      sections.push(...decodeResults(message.data).sections);
      if (message.sequence >= lastSequence) break;
    }
    await subscription.stop();
    const category = sections.find((section) => section.sequence === sequence)?.enrichment?.category;
    return category === undefined ? null : category.values[uint16At(category.index, 0)]!;
  }

  async told(): Promise<void> {
    await vi.waitUntil(
      async () => {
        const [models, corrections] = [await readModels(this.store), await readCorrections(this.store)];
        return models.published === models.change && corrections.published === corrections.version;
      },
      { timeout: patienceMs, interval: 20 },
    );
  }

  async close(): Promise<void> {
    await this.worker?.stop();
    await this.coordinator?.stop();
  }
}

let cluster: Cluster;
afterEach(() => cluster.close());

const opened = async (): Promise<Cluster> => {
  cluster = new Cluster();
  await cluster.open();
  return cluster;
};

describe('models of a cluster', () => {
  it('serve once published, after restarts too, go back in one step, and fold the same', async () => {
    const { bus, store, objects } = await opened();
    const builtIn = await cluster.ask('lamp 2 glows');
    const first = await publishModel(bus, store, model('light'), about);
    await cluster.told();
    expect(await cluster.ask('lamp 3 glows')).toBe('light');
    await cluster.worker!.drain();
    await cluster.coordinator!.stop();
    await cluster.startCoordinator();
    await cluster.startWorker();
    expect(await cluster.ask('lamp 4 glows')).toBe('light');
    await publishModel(bus, store, model('brightness'), about);
    await cluster.told();
    expect(await cluster.ask('lamp 5 glows')).toBe('brightness');
    expect((await rollBack(bus, store)).serving).toBe(first.version);
    await cluster.told();
    expect(await cluster.ask('lamp 6 glows')).toBe('light');
    expect((await rollBack(bus, store)).serving).toBe(0);
    await cluster.told();
    expect(await cluster.ask('lamp 7 glows')).toBe(builtIn);

    const models = new ModelShelf({ objects: async () => objects, time: systemTime, log: () => {}, patienceMs: 0 });
    const fold = new PartitionFold(partitionOf(service, 2), { models });
    const result = emptyFold();
    const { lastSequence } = await bus.streams.info(streams.logs);
    const subject = subjects.logs(partitionOf(service, 2));
    const subscription = await bus.streams.consume(streams.logs, { subject, fromSequence: 1 });
    const last = (await bus.streams.last(streams.logs, subject))!.sequence;
    expect(last).toBeLessThanOrEqual(lastSequence);
    for await (const message of subscription) {
      await models.need(message.data);
      fold.take(message, result);
      if (message.sequence >= last) break;
    }
    await subscription.stop();
    const rowsOf = (category: string): number =>
      [...result.rows].filter(([key]) => key.includes(`/${category}/`)).reduce((sum, [, rows]) => sum + rows, 0);
    expect([rowsOf('light'), rowsOf('brightness'), rowsOf(builtIn!)]).toEqual([3, 1, 2]);
  });

  it('whose bytes are gone are not told to anybody; the one before serves', async () => {
    const { bus, store, objects } = await opened();
    const builtIn = await cluster.ask('lamp 2 glows');
    const put = objects.put.bind(objects);
    objects.put = async () => {};
    await publishModel(bus, store, model('light'), about);
    await vi.waitUntil(() => cluster.said.some((line) => line.includes('is not told to partitions')), {
      timeout: patienceMs,
    });
    expect(await cluster.ask('lamp 3 glows')).toBe(builtIn);
    await put((await readModels(store)).versions[0]!.hash, model('light'));
    await cluster.told();
    expect(await cluster.ask('lamp 3 glows')).toBe('light');
  });

  it('that vanish after partitions were told of them are waited for: no row is answered otherwise', async () => {
    const { bus, store, objects } = await opened();
    await cluster.ask('lamp 2 glows');
    await cluster.worker!.drain();
    const { hash } = await publishModel(bus, store, model('light'), about);
    await cluster.told();
    await objects.delete(hash);
    await cluster.startWorker();
    expect(await cluster.ask('lamp 3 glows', 1_500)).toBeNull();
    expect(cluster.said.join('\n')).toMatch(/model [\da-f]{12} is missing.*wait/);
    await objects.put(hash, new TextEncoder().encode('something else'));
    expect(await cluster.ask('lamp 3 glows', 1_000)).toBeNull();
    await objects.put(hash, model('light'));
    expect(await cluster.ask('lamp 4 glows')).toBe('light');
  });
});

describe('corrections of a cluster', () => {
  it('hold from one message on, once, whoever leads, until they are taken back', async () => {
    const { store } = await opened();
    const before = await cluster.ask('gate 1 swung open');
    const asked = {
      service,
      text: 'gate 1 swung open',
      templateId: '',
      severity: '',
      category: 'gates',
      by: 'me',
      atMs: 1,
    } as const;
    const { id } = await correct(store, asked);
    expect((await correct(store, { ...asked, severity: 'WARN' })).id).toBe(id);
    expect((await readCorrections(store)).items).toEqual([{ ...asked, id, severity: 'WARN' }]);
    await cluster.told();
    expect(await cluster.ask('gate 2 swung open')).toBe('gates');
    await cluster.coordinator!.stop();
    await cluster.startCoordinator();
    expect(await cluster.ask('gate 3 swung open')).toBe('gates');
    expect(await uncorrect(store, id, { by: 'me', atMs: 2, why: '' })).toBe(true);
    expect(await uncorrect(store, id, { by: 'me', atMs: 3, why: '' })).toBe(false);
    await cluster.told();
    expect(before).not.toBe('gates');
  });
});
