/** What the leader does with corrections and models: tells every partition of a change, in its stream, once it is due. */
import type { Bus, ClusterFacts, KeyValue } from '#bus/mod.ts';
import {
  type ControlMessage,
  type CorrectionAct,
  correctionsMax,
  correctionsOf,
  encodeLogsMessage,
  modelVersion,
  subjects,
} from '#protocol/mod.ts';
import { modelBytes, notePublished, readCorrections, readModels, restoreCorrections } from './model-store.ts';

export interface ModelControlOptions {
  bus: Bus;
  store: KeyValue;
  log: (text: string) => void;
  valid: () => boolean;
  /** The last act of each correction that ClickHouse keeps; undefined: none are brought back. */
  storedActs?: (() => Promise<CorrectionAct[]>) | undefined;
}

export class ModelControl {
  private readonly options: ModelControlOptions;
  private busy = false;
  private againDue = false;
  /** A change that cannot be told is logged once. */
  private stuckAt = 0;
  private corrections = 0;
  private isRestored = false;
  private isWaiting = false;

  constructor(options: ModelControlOptions) {
    this.options = options;
  }

  counters(): Record<string, number> {
    return { correctionsNow: this.corrections, correctionsFreeNow: correctionsMax - this.corrections };
  }

  /** `again`: the stream may have lost what was told; stays due until it was told. */
  async look(facts: ClusterFacts, again = false): Promise<void> {
    this.againDue ||= again;
    if (this.busy || !this.options.valid()) return;
    this.busy = true;
    try {
      const due = this.againDue;
      this.againDue = false;
      try {
        await this.tellModel(facts, due);
        await this.restore();
        await this.tellCorrections(facts, due);
      } catch (error) {
        this.againDue ||= due;
        throw error;
      }
    } finally {
      this.busy = false;
    }
  }

  private async tellModel(facts: ClusterFacts, again: boolean): Promise<void> {
    const { bus, store, log } = this.options;
    const models = await readModels(store);
    const { change: version, published, serving } = models;
    if (version === 0 || (published >= version && !again)) return;
    const model = modelVersion(models, serving);
    if (model !== null) {
      try {
        await modelBytes(bus, model);
      } catch (error) {
        // Every partition would wait for it; as long as none was told, the model before serves.
        if (this.stuckAt !== version) log(`Model ${serving} is not told to partitions: ${(error as Error).message}`);
        this.stuckAt = version;
        return;
      }
    }
    const hash = model?.hash ?? '';
    await this.tell(facts, (): ControlMessage => ({ kind: 'model', version, hash }));
    await notePublished(store, { model: version });
    log(`Model ${serving} serves in all partitions from here on (change ${version}).`);
  }

  /** Until it came about: people's corrections hold, whatever becomes of NATS. */
  private async restore(): Promise<void> {
    const { store, storedActs, log } = this.options;
    if (this.isRestored || storedActs === undefined) return;
    try {
      if (await restoreCorrections(store, storedActs))
        log("People's corrections hold again: ClickHouse had kept them.");
      this.isRestored = true;
    } catch (error) {
      if (!this.isWaiting) log(`Corrections that ClickHouse keeps are not looked at yet: ${(error as Error).message}`);
      this.isWaiting = true;
    }
  }

  private async tellCorrections(facts: ClusterFacts, again: boolean): Promise<void> {
    const corrections = await readCorrections(this.options.store);
    const { version, published } = corrections;
    this.corrections = corrections.items.length;
    if (version === 0 || (published >= version && !again)) return;
    await this.tell(facts, (partition): ControlMessage => {
      return { kind: 'corrections', version, items: correctionsOf(partition, facts.partitions, corrections) };
    });
    await notePublished(this.options.store, { corrections: version });
  }

  private async tell(facts: ClusterFacts, messageFor: (partition: number) => ControlMessage): Promise<void> {
    for (let partition = 0; partition < facts.partitions; partition++) {
      const control = messageFor(partition);
      await this.options.bus.streams.publish(
        subjects.logs(partition),
        encodeLogsMessage({ kind: 'control', control }),
        { messageId: `control.${control.kind}.${facts.generation}.${control.version}.${partition}` },
      );
    }
  }
}
