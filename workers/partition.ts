/**
 * A partition: the pure function (state, message) → (state', outputs) of R2. Its service actors, idempotency keys,
 * overflow decisions and configuration are all here; its only clock is stream time, the largest timestamp of a
 * LOGS message; nothing else reaches it. `step(restore(snapshot(s)), m)` equals `step(s, m)`.
 */
import { baseModel, type Model } from '#analysis/classification/mod.ts';
import { type AnalysisConfig, analysisDefaults, type Findings, parseAnalysisConfig } from '#analysis/detectors/mod.ts';
import { MaskedLines } from '#analysis/templates/mod.ts';
import {
  addModel,
  type BatchMessage,
  type ControlMessage,
  decodeLogsMessage,
  idempotencyKeptMs,
  idempotencyKeysMax,
  LogweirError,
  liveLane,
  type LogsMessage,
  type ModelFigures,
  millisecondsAt,
  noIdempotencyKey,
  overflowService,
  type RecordBatch,
  type Section,
  StringCursor,
  servicesPerPartitionMax,
  uint16At,
  uint32At,
  type ToldCorrection,
  type WindowRow,
} from '#protocol/mod.ts';
import { type ActorContext, type ActorSnapshot, type ClassifyMeter, noMeter, ServiceActor } from './actor.ts';
import { BatchHosts } from './batch-hosts.ts';
import { EnrichmentBuilder } from './enrichment.ts';
import { keepRows } from './keep-rows.ts';
import { KnownKeys } from './known-keys.ts';
import { PartitionCorrections } from './partition-corrections.ts';
import { builtInModels, modelOf, type ModelSource } from './partition-models.ts';
import { encodeState, joinStates, PartRounds, type PartsChange } from './parts.ts';

/** Raised whenever the same messages would give other answers; part of every snapshot. */
export const analysisVersion = 10;
/** A live service not heard of for this long, in stream time, is forgotten. */
const forgetAfterMs = 24 * 3_600_000;
/**
 * A lane of which nothing came for this long, in stream time, is ended as if its end had come: the job was killed. Far
 * beyond what a job waits for a stream that is away.
 */
const laneSilenceMsMax = 3_600_000;
/** Lanes (ingest jobs) that a partition analyses at once; further ones are analysed in the overflow service. */
const lanesMax = 64;

export interface PartitionOutput {
  section: Section;
  /** Sequence of the section before this one that had anomalies: the chain of ANOMALIES. */
  anomaliesFrom: number;
  /** Wall clock of the gateway, ms, for receipts; 0 where the message was no batch. */
  gatewayMs: number;
  counts: StepCounts;
  /** Rows and errors (severity 17 and up) by service, for live rates: metadata, no part of the answer. */
  services: ServiceCount[];
}

export interface ServiceCount {
  service: string;
  rows: number;
  errors: number;
}

export interface StepCounts {
  rows: number;
  late: number;
  future: number;
  overflow: number;
}

interface PartitionHead {
  analysisVersion: number;
  partition: number;
  sequence: number;
  streamMs: number;
  lastAnomalySequence: number;
  configVersion: number;
  config: unknown;
  modelVersion: number;
  /** '' is the built-in one. */
  modelHash: string;
  correctionsVersion: number;
  corrections: readonly ToldCorrection[];
}

/** What the shell lends to a partition. */
export interface PartitionShell {
  models?: ModelSource | undefined;
  meter?: ClassifyMeter | undefined;
}

/** State as an object of a chain, and the round that later objects continue from. */
export interface TakenState {
  bytes: Uint8Array;
  round: number;
}

export class Partition {
  readonly partition: number;
  /** LOGS sequence of the last message taken. */
  sequence = 0;
  /** Stream time, ms. */
  streamMs = 0;
  private lastAnomalySequence = 0;
  private configVersion = 0;
  private rawConfig: unknown = null;
  private config: AnalysisConfig = analysisDefaults;
  private readonly models: ModelSource;
  private readonly meter: ClassifyMeter;
  private model: Model = baseModel;
  private modelHash = '';
  /** Of the last control message about models that was taken. */
  modelVersion = 0;
  private corrections = new PartitionCorrections();
  private correctionsVersion = 0;
  private readonly keys = new KnownKeys(idempotencyKeysMax, idempotencyKeptMs);
  private readonly actors = new Map<string, ServiceActor>();
  /** Beside `actors`: what states taken hold of each. Numbers rise in the order of `actors`. */
  private readonly rounds = new Map<string, PartRounds>();
  private nextNumber = 0;
  /** States taken, this one not yet. */
  private round = 1;
  private lanes = new Map<string, number>();

  constructor(partition: number, { models = builtInModels, meter = noMeter }: PartitionShell = {}) {
    this.partition = partition;
    this.models = models;
    this.meter = meter;
  }

  /**
   * Takes the next message of the partition's stream. What fails to decode is a dead letter that the section names.
   * `poisoned` sets a message aside unread: one whose analysis failed before.
   * @throws ModelMissingError, with nothing changed, where the message names a model that is not loaded
   */
  step(
    message: { sequence: number; timeMs: number; data: Uint8Array },
    poisoned: string | null = null,
  ): PartitionOutput {
    const section: Section = {
      sequence: message.sequence,
      batch: null,
      enrichment: null,
      windows: [],
      templates: [],
      anomalies: [],
      duplicates: 0,
      deadLetter: poisoned,
    };
    const counts: StepCounts = { rows: 0, late: 0, future: 0, overflow: 0 };
    let decoded: LogsMessage | null = null;
    if (poisoned === null) {
      try {
        decoded = decodeLogsMessage(message.data);
        if (decoded.kind === 'control') this.check(decoded.control);
      } catch (error) {
        if (!(error instanceof LogweirError) || error.code === 'MODEL_MISSING') throw error;
        section.deadLetter = error.message;
        decoded = null;
      }
    }
    this.sequence = message.sequence;
    this.streamMs = Math.max(this.streamMs, message.timeMs);
    this.keys.forget(this.streamMs);
    let gatewayMs = 0;
    let services: ServiceCount[] = [];
    if (decoded !== null) {
      const findings: Findings = {
        windows: section.windows,
        anomalies: section.anomalies,
        lateCount: 0,
        futureCount: 0,
      };
      switch (decoded.kind) {
        case 'batch':
          gatewayMs = decoded.batch.receivedMs;
          services = this.takeBatch(decoded, section, findings, counts);
          break;
        case 'tick':
          this.takeTick(section, findings);
          break;
        case 'end':
          this.endLane(decoded.lane, section, findings);
          break;
        case 'control':
          this.takeControl(decoded.control, section, findings);
          break;
      }
      counts.late = findings.lateCount;
      counts.future = findings.futureCount;
      section.windows = lastVersions(section.windows);
    }
    const anomaliesFrom = this.lastAnomalySequence;
    if (section.anomalies.length > 0) this.lastAnomalySequence = message.sequence;
    return { section, anomaliesFrom, gatewayMs, counts, services };
  }

  private takeBatch(message: BatchMessage, section: Section, findings: Findings, counts: StepCounts): ServiceCount[] {
    const incoming = message.batch;
    const batch = incoming.idempotency === null ? incoming : this.dropRepeats(incoming, section);
    if (batch === null) return [];
    if (message.body !== undefined && batch.rows === incoming.rows) section.batchBody = message.body;
    const services = batch.service.values.map((service) => ({ service, rows: 0, errors: 0 }));
    section.batch = batch;
    const { rows, lane } = batch;
    counts.rows = rows;
    // Resolved once per dictionary entry, in order of first use, so that overflow decisions follow stream order.
    const actorOf: (ServiceActor | undefined)[] = new Array(batch.service.values.length);
    const used: ServiceActor[] = [];
    const body = new StringCursor(batch.body);
    const enrichment = new EnrichmentBuilder(rows);
    // Made for the batch as it came: where rows were dropped, bodies are scanned here.
    const masked = batch.rows === incoming.rows ? (message.masked ?? null) : null;
    const lines = masked === null ? null : new MaskedLines(masked);
    const hosts = batch.resource === null ? null : new BatchHosts(batch.resource);
    const traces = batch.traceId === null ? null : { bytes: batch.traceId, cursor: new StringCursor(batch.traceId) };
    for (let row = 0; row < rows; row++) {
      body.advance();
      if (lines !== null) lines.next();
      if (traces !== null) traces.cursor.advance();
      const serviceIndex = uint16At(batch.service.index, row);
      let actor = actorOf[serviceIndex];
      if (actor === undefined) {
        actor = this.actorFor(batch.service.values[serviceIndex] as string, lane);
        actorOf[serviceIndex] = actor;
        if (!used.includes(actor)) {
          used.push(actor);
          actor.open(lines, traces, this.streamMs, section.sequence);
        }
      }
      if (actor.service === overflowService) counts.overflow++;
      actor.observe(
        batch.body,
        body.start,
        body.end,
        millisecondsAt(batch.time, row),
        batch.severityNumber[row] as number,
        findings,
      );
      if (traces !== null || hosts?.any === true) actor.noteEvidence(hosts?.of(row) ?? '');
      enrichment.add(actor.answer);
      const count = services[serviceIndex] as ServiceCount;
      count.rows++;
      if (actor.severityNumber >= 17) count.errors++;
    }
    section.enrichment = enrichment.build();
    for (const actor of used) {
      const closed = findings.windows.length;
      actor.flush(section.sequence, findings);
      actor.giveEvidence(findings.anomalies, 0);
      const all = closesWindow(section, actor, closed);
      push(section.templates, actor.templateRows(section.sequence, all));
    }
    return services;
  }

  private takeTick(section: Section, findings: Findings): void {
    for (const [key, actor] of this.actors) {
      const before = findings.windows.length;
      const found = findings.anomalies.length;
      actor.tick(this.streamMs, section.sequence, findings);
      actor.giveEvidence(findings.anomalies, found);
      if (findings.windows.length > before) push(section.templates, actor.templateRows(section.sequence, true));
      if (this.streamMs - actor.lastSeenStreamMs > forgetAfterMs) this.forget(key, actor);
    }
    this.endSilentLanes(section, findings);
  }

  private endSilentLanes(section: Section, findings: Findings): void {
    const newest = new Map<string, number>();
    for (const { lane, lastSeenStreamMs } of this.actors.values())
      if (lane !== liveLane) newest.set(lane, Math.max(newest.get(lane) ?? 0, lastSeenStreamMs));
    for (const [lane, seenMs] of newest)
      if (this.streamMs - seenMs > laneSilenceMsMax) this.endLane(lane, section, findings);
  }

  private endLane(lane: string, section: Section, findings: Findings): void {
    for (const [key, actor] of this.actors) {
      if (actor.lane !== lane) continue;
      const found = findings.anomalies.length;
      actor.end(section.sequence, findings);
      actor.giveEvidence(findings.anomalies, found);
      push(section.templates, actor.templateRows(section.sequence, true));
      this.forget(key, actor);
    }
  }

  /** Whether a control message can be taken: state is not touched by one that would fail half way. */
  private check(control: ControlMessage): void {
    if (control.kind === 'analysis') parseAnalysisConfig(control.config, 'analysis');
    if (control.kind === 'model' && control.version > this.modelVersion) modelOf(this.models, control.hash);
  }

  private takeControl(control: ControlMessage, section: Section, findings: Findings): void {
    switch (control.kind) {
      case 'analysis':
        if (control.version > this.configVersion) this.takeConfig(control.version, control.config, section, findings);
        break;
      case 'model':
        if (control.version > this.modelVersion) this.takeModel(control.version, control.hash);
        break;
      case 'corrections':
        if (control.version > this.correctionsVersion) this.takeCorrections(control.version, control.items, section);
        break;
    }
  }

  /** Texts, windows and detectors stay; classes are asked for again. */
  private takeModel(version: number, hash: string): void {
    this.model = modelOf(this.models, hash);
    this.modelHash = hash;
    this.modelVersion = version;
    for (const [key, actor] of this.actors) this.replace(key, ServiceActor.withModel(actor, this.context));
  }

  private takeCorrections(version: number, items: readonly ToldCorrection[], section: Section): void {
    const before = this.corrections;
    this.corrections = new PartitionCorrections(items);
    this.correctionsVersion = version;
    for (const actor of this.actors.values()) {
      actor.correct(this.corrections, this.corrections.newFor(actor.service, before));
      push(section.templates, actor.templateRows(section.sequence, true));
    }
  }

  private get context(): ActorContext {
    return { config: this.config, model: this.model, corrections: this.corrections, meter: this.meter };
  }

  private replace(key: string, actor: ServiceActor): void {
    this.actors.set(key, actor);
    this.rounds.set(key, new PartRounds(this.rounds.get(key)?.number ?? 0, actor, null));
  }

  /** Adds how classification fares here to the sums of many. */
  addTo(figures: ModelFigures): void {
    if (this.actors.size > 0) addModel(figures, this.modelHash, this.actors.size);
    for (const actor of this.actors.values()) actor.addTo(figures);
  }

  /** A new configuration starts the analysis of every service afresh, at the same record in every replay. */
  private takeConfig(version: number, raw: unknown, section: Section, findings: Findings): void {
    this.configVersion = version;
    this.rawConfig = raw;
    this.config = parseAnalysisConfig(raw, 'analysis');
    for (const [key, actor] of this.actors) {
      const found = findings.anomalies.length;
      actor.end(section.sequence, findings);
      actor.giveEvidence(findings.anomalies, found);
      push(section.templates, actor.templateRows(section.sequence, true));
      this.replace(key, ServiceActor.withConfig(actor, this.context));
    }
  }

  private actorFor(service: string, lane: string): ServiceActor {
    const found = this.actors.get(actorKey(service, lane));
    if (found !== undefined) return found;
    const full = this.actors.size >= servicesPerPartitionMax;
    const laneFull = !this.lanes.has(lane) && this.lanes.size >= lanesMax;
    const name = full || laneFull ? overflowService : service;
    const where = laneFull ? liveLane : lane;
    const key = actorKey(name, where);
    let actor = this.actors.get(key);
    if (actor === undefined) {
      actor = new ServiceActor(name, where, this.context);
      actor.lastSeenStreamMs = this.streamMs;
      this.actors.set(key, actor);
      this.rounds.set(key, new PartRounds(this.nextNumber++, actor, null));
      this.lanes.set(where, (this.lanes.get(where) ?? 0) + 1);
    }
    return actor;
  }

  private forget(key: string, actor: ServiceActor): void {
    this.actors.delete(key);
    this.rounds.delete(key);
    const left = (this.lanes.get(actor.lane) ?? 1) - 1;
    if (left === 0) this.lanes.delete(actor.lane);
    else this.lanes.set(actor.lane, left);
  }

  /**
   * Drops records that an earlier request with the same key and body brought already. Records of a request reach a
   * partition in ordinal order (the gateway cuts in order, one publish in flight), so a high-water mark per key says all.
   */
  private dropRepeats(batch: RecordBatch, section: Section): RecordBatch | null {
    const columns = batch.idempotency;
    if (columns === null) return batch;
    const keep = new Uint8Array(batch.rows).fill(1);
    let kept = batch.rows;
    for (let row = 0; row < batch.rows; row++) {
      const index = uint16At(columns.index, row);
      if (index === noIdempotencyKey) continue;
      const key = columns.keys[index] as string;
      const ordinal = uint32At(columns.ordinal, row);
      if (!this.keys.isRepeat(key, ordinal, this.round, this.streamMs)) continue;
      keep[row] = 0;
      kept--;
    }
    section.duplicates = batch.rows - kept;
    if (kept === 0) return null;
    return { ...(kept === batch.rows ? batch : keepRows(batch, keep, kept)), idempotency: null };
  }

  get services(): number {
    return this.actors.size;
  }

  /** All of the state as one object, for `restore`. */
  snapshot(): Uint8Array {
    return this.take(null).bytes;
  }

  /** State as an object: all of it, or what changed since an earlier round, to be put after what holds that round. */
  take(since: number | null): TakenState {
    const { actors, round } = this;
    const after = since ?? -1;
    const head: PartitionHead = {
      analysisVersion,
      partition: this.partition,
      sequence: this.sequence,
      streamMs: this.streamMs,
      lastAnomalySequence: this.lastAnomalySequence,
      configVersion: this.configVersion,
      config: this.rawConfig,
      modelVersion: this.modelVersion,
      modelHash: this.modelHash,
      correctionsVersion: this.correctionsVersion,
      corrections: this.corrections.items,
    };
    const numbers = new Uint32Array(actors.size);
    const times: number[] = [];
    const changes: PartsChange[] = [];
    let at = 0;
    for (const [key, actor] of actors) {
      const rounds = this.rounds.get(key) as PartRounds;
      numbers[at++] = rounds.number;
      for (const time of actor.times()) times.push(time);
      const change = rounds.changes(actor, after, round);
      if (change !== null) changes.push(change);
    }
    this.round++;
    const bytes = encodeState({
      head,
      numbers: new Uint8Array(numbers.buffer),
      times: new Uint8Array(Float64Array.from(times).buffer),
      changes,
      keys: this.keys.changes(after),
    });
    return { bytes, round };
  }

  /**
   * The partition that a chain of objects (base first) was taken of; its next object may continue that chain, since
   * round 0.
   * @throws LogweirError CLUSTER_MISMATCH for a state of another analysis version or partition, MESSAGE_MALFORMED for
   * a chain that is not whole, ModelMissingError where its model is not loaded
   */
  static restore(chain: Uint8Array | readonly Uint8Array[], partition: number, shell: PartitionShell = {}): Partition {
    const state = joinStates(chain instanceof Uint8Array ? [chain] : chain);
    const head = state.head as PartitionHead;
    if (head.analysisVersion !== analysisVersion || head.partition !== partition)
      throw new LogweirError(
        'CLUSTER_MISMATCH',
        `The checkpoint of partition ${partition} was made by analysis version ${head.analysisVersion}; this build has ${analysisVersion}.`,
        'Drain the cluster with the old version first, then start the new one.',
      );
    const restored = new Partition(partition, shell);
    restored.sequence = head.sequence;
    restored.streamMs = head.streamMs;
    restored.lastAnomalySequence = head.lastAnomalySequence;
    restored.configVersion = head.configVersion;
    restored.rawConfig = head.config;
    if (head.configVersion > 0) restored.config = parseAnalysisConfig(head.config, 'analysis');
    restored.modelVersion = head.modelVersion;
    restored.modelHash = head.modelHash;
    restored.model = modelOf(restored.models, head.modelHash);
    restored.correctionsVersion = head.correctionsVersion;
    restored.corrections = new PartitionCorrections(head.corrections);
    for (const changes of state.keys) restored.keys.apply(changes as Parameters<KnownKeys['apply']>[0], 0);
    restored.keys.forget(restored.streamMs);
    for (const { number, times, parts } of state.actors) {
      const snapshot = { times, parts: parts as ActorSnapshot['parts'] };
      const [service, lane] = snapshot.parts[0];
      const actor = new ServiceActor(service, lane, restored.context, snapshot);
      const key = actorKey(service, lane);
      restored.actors.set(key, actor);
      restored.rounds.set(key, new PartRounds(number, actor, 0));
      restored.nextNumber = number + 1;
      restored.lanes.set(lane, (restored.lanes.get(lane) ?? 0) + 1);
    }
    return restored;
  }

  /** The chain of ANOMALIES goes on after this sequence: what came since was published under another generation. */
  continueAnomalies(after: number): void {
    this.lastAnomalySequence = after;
  }

  /** Positions start over where the LOGS stream was made anew; what was learned stays. */
  startGeneration(): void {
    this.sequence = 0;
    this.lastAnomalySequence = 0;
  }
}

function actorKey(service: string, lane: string): string {
  return `${lane}\u0000${service}`;
}

function push<T>(into: T[], items: readonly T[]): void {
  for (const item of items) into.push(item);
}

/**
 * One row per window: one that closed and was revised in the same message has one version, its last. Storage keeps
 * either of two rows with equal versions.
 */
function lastVersions(windows: WindowRow[]): WindowRow[] {
  if (windows.length < 2) return windows;
  const last = new Map<string, WindowRow>();
  for (const row of windows) last.set(`${row.lane}\u0000${row.service}\u0000${row.startMs}`, row);
  return last.size === windows.length ? windows : [...last.values()];
}

/** Whether a window of this actor closed in the message: then its template counts are written too. */
function closesWindow(section: Section, actor: ServiceActor, upTo: number): boolean {
  for (let i = 0; i < upTo; i++) {
    const window = section.windows[i];
    if (window?.service === actor.service && window.lane === actor.lane) return true;
  }
  return false;
}
