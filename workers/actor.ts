/**
 * One service in one lane: mines, classifies, aggregates and detects, record by record, in stream order. Part of a
 * partition's state (R2): everything it knows is in its snapshot, and nothing is shared with another actor but the
 * immutable base model.
 */
import {
  type Classification,
  Classifier,
  type ClassifierSnapshot,
  classificationDefaults,
  type CorrectionBook,
  type Model,
  Novelty,
  type NoveltyState,
} from '#analysis/classification/mod.ts';
import {
  type AnalysisConfig,
  type Findings,
  type ObservedEvent,
  ServiceAnalysis,
  type TemplateInfo,
} from '#analysis/detectors/mod.ts';
import { type MaskedLines, TemplateMiner, templateDefaults } from '#analysis/templates/mod.ts';
import {
  type Anomaly,
  futureSkewMsMax,
  liveLane,
  type ModelFigures,
  type StringCursor,
  type TemplateRow,
  type ToldCorrection,
} from '#protocol/mod.ts';
import { Evidence, type EvidenceState } from './evidence.ts';
import type { PartitionCorrections } from './partition-corrections.ts';
import { SlotSet } from './slot-set.ts';
import type { InParts } from './parts.ts';

/**
 * Answer for a template, kept until its text changes or the classifier's version moves on. It is state, no memo: the
 * classifier learns between versions, so asking again would give another answer.
 */
interface CachedClass {
  version: number;
  text: string;
  answer: Classification;
}

/** State in parts that change at different paces (`parts.ts`), so that a checkpoint need not repeat what stands still. */
export interface ActorSnapshot {
  /** Last seen in stream time, then the times of the analysis: moved by ticks too. */
  times: number[];
  parts: [
    identity: [service: string, lane: string],
    moving: MovingState,
    texts: unknown,
    classes: (KeptClass | null)[],
    classifier: ClassifierSnapshot['base'],
    learned: unknown,
    lessons: ClassifierSnapshot['lessons'],
  ];
}

const part = { identity: 0, moving: 1, texts: 2, classes: 3, classifier: 4, learned: 5, lessons: 6 } as const;

/** What moves with every record. */
interface MovingState {
  counts: unknown;
  /** Per slot: records with a known severity seen, for thinned learning. */
  taught: number[];
  /** Slots whose rows changed since they were last written. */
  touched: number[];
  analysis: unknown;
  novelty: NoveltyState;
  evidence: EvidenceState;
}

/** [version, severity, severity number, its confidence, category, its confidence, confidence, chance of an error] */
type KeptClass = [
  number,
  Classification['severity'],
  Classification['severityNumber'],
  number,
  string,
  number,
  number,
  number,
];

/** Trace ids of a batch; `cursor` is at that of the present row. */
export interface TraceColumn {
  bytes: Uint8Array;
  cursor: StringCursor;
}

const noBytes = new Uint8Array(0);

export interface ActorContext {
  config: AnalysisConfig;
  model: Model;
  corrections: PartitionCorrections;
  meter: ClassifyMeter;
}

/** Of the shell: the time that classifying templates takes. Metadata, no part of the answer. */
export interface ClassifyMeter {
  /** ms */
  now(): number;
  took(ms: number): void;
}

export const noMeter: ClassifyMeter = { now: () => 0, took: () => {} };

/** What is answered for the records of a template: one object for all of them, until text or class change. */
export interface SlotAnswer {
  templateId: string;
  classification: Classification;
  /** `rewritten` of the miner and `version` of the classifier that it was asked at. */
  rewritten: number;
  version: number;
  /** Who numbered it last, and its number there. */
  builder: unknown;
  number: number;
}

export class ServiceActor implements InParts {
  readonly service: string;
  readonly lane: string;
  lastSeenStreamMs = 0;
  /** For the record last observed, and its severity: the sender's, or the classifier's where the sender said none. */
  answer: SlotAnswer;
  severityNumber = 0;
  private readonly miner: TemplateMiner;
  private readonly classifier: Classifier;
  private readonly novelty: Novelty;
  private readonly meter: ClassifyMeter;
  private corrections: CorrectionBook;
  private readonly analysis: ServiceAnalysis;
  private readonly classes: (CachedClass | undefined)[] = [];
  private readonly evidence: Evidence;
  private readonly taught: number[];
  /** Memo of `classes` and the miner's ids. */
  private readonly answers: (SlotAnswer | undefined)[] = [];
  private readonly touched: SlotSet;
  private readonly event: ObservedEvent;
  private lines: MaskedLines | null = null;
  private traces: TraceColumn | null = null;
  private readonly trace: NonNullable<ObservedEvent['trace']> = { bytes: noBytes, start: 0, end: 0 };
  readonly parts = 7;
  /** Rows written, and answers kept: what moves without a record, or more rarely than one. */
  private rowsVersion = 0;
  private classesVersion = 0;

  constructor(service: string, lane: string, context: ActorContext, snapshot: ActorSnapshot | null = null) {
    this.service = service;
    this.lane = lane;
    const identity = { service, lane, live: lane === liveLane };
    const host = {
      templateOf: (slot: number): TemplateInfo => {
        const into = this.miner.resolve(slot);
        return {
          id: this.miner.idOf(into),
          text: this.miner.textOf(into),
          firstSeenMs: this.miner.template(slot).firstSeenMs,
        };
      },
      valuesOf: (slot: number, bytes: Uint8Array, start: number, end: number) =>
        this.miner.valuesOf(slot, bytes, start, end),
      kinOf: (slot: number) => this.miner.kinOf(slot),
    };
    const [, moving, texts, classes, base = null, learned, lessons = []] = snapshot?.parts ?? [];
    const [lastSeenStreamMs = 0, ...times] = snapshot?.times ?? [];
    this.lastSeenStreamMs = lastSeenStreamMs;
    this.miner =
      moving === undefined
        ? new TemplateMiner(templateDefaults)
        : TemplateMiner.restore(templateDefaults, { counts: moving.counts, texts });
    this.classifier = Classifier.restore(classificationDefaults, context.model, { base, lessons });
    this.novelty = new Novelty(moving?.novelty);
    this.meter = context.meter;
    this.corrections = context.corrections.bookOf(service);
    this.analysis =
      moving === undefined
        ? new ServiceAnalysis(context.config, identity, host)
        : ServiceAnalysis.restore(context.config, identity, host, { times, moving: moving.analysis, learned });
    this.evidence = new Evidence(moving?.evidence);
    this.taught = moving?.taught.slice() ?? [];
    this.touched = new SlotSet(moving?.touched);
    for (const [slot, kept] of (classes ?? []).entries()) {
      if (kept === null) continue;
      const [
        version,
        severity,
        severityNumber,
        severityConfidence,
        category,
        categoryConfidence,
        confidence,
        errorChance,
      ] = kept;
      const answer = {
        severity,
        severityNumber,
        severityConfidence,
        errorChance,
        category,
        categoryConfidence,
        confidence,
      };
      this.classes[slot] = { version, text: this.miner.textOf(slot), answer };
    }
    this.event = {
      timeMs: 0,
      streamTimeMs: 0,
      sequence: 0,
      severityNumber: 0,
      templateSlot: 0,
      isNewTemplate: false,
      isStated: false,
      errorChance: 0,
      numbers: this.miner.numbers,
      numberCount: 0,
      bytes: noBytes,
      start: 0,
      end: 0,
      trace: this.trace,
    };
    this.answer = noAnswer;
    if (snapshot === null) this.learnCorrections(context.corrections.rulesOf(service));
  }

  /** The same service with what it learned of texts, and its windows and detectors started afresh. */
  static withConfig(actor: ServiceActor, context: ActorContext): ServiceActor {
    const { service, lane } = actor;
    const [identity, moving, texts, classes, classifier, , lessons] = actor.snapshot().parts;
    const fresh = new ServiceActor(service, lane, context).snapshot();
    const [, { analysis }, , , , learned] = fresh.parts;
    return new ServiceActor(service, lane, context, {
      times: [actor.lastSeenStreamMs, ...fresh.times.slice(1)],
      parts: [identity, { ...moving, analysis }, texts, classes, classifier, learned, lessons],
    });
  }

  /** The same service over another model, which is taught and measured by each template from its next record on. */
  static withModel(actor: ServiceActor, context: ActorContext): ServiceActor {
    const { service, lane } = actor;
    const { times, parts } = actor.snapshot();
    const [identity, moving, texts, , , learned] = parts;
    const { base, lessons } = actor.classifier.over(classificationDefaults, context.model).snapshot();
    return new ServiceActor(service, lane, context, {
      times,
      parts: [identity, { ...moving, taught: [] }, texts, [], base, learned, lessons],
    });
  }

  /** People's corrections changed: `news` are learned from, and what they say of a template stands over the classifier. */
  correct(corrections: PartitionCorrections, news: readonly ToldCorrection[]): void {
    const before = this.corrections;
    this.corrections = corrections.bookOf(this.service);
    this.learnCorrections(news);
    this.answers.length = 0;
    for (let slot = 0; slot < this.classes.length; slot++) {
      if (this.classes[slot] === undefined || !this.miner.has(slot)) continue;
      const [id, text] = [this.miner.idOf(slot), this.miner.textOf(slot)];
      if (before.find(id, text) !== undefined || this.corrections.find(id, text) !== undefined) {
        this.touched.add(slot);
        this.rowsVersion++;
      }
    }
  }

  private learnCorrections(rules: readonly ToldCorrection[]): void {
    for (const { text, severity, category } of rules) this.classifier.learn(text, { severity, category }, true);
  }

  /** Notes the trace and host of the record last observed, where there is room for it. */
  noteEvidence(host: string): void {
    const { evidence, event, severityNumber, trace } = this;
    const { timeMs } = event;
    // One record from 2099 takes no place that others need.
    if (timeMs - event.streamTimeMs > futureSkewMsMax) return;
    if (trace.start === trace.end && host === '') return;
    if (!evidence.wants(timeMs, event.templateSlot, severityNumber)) return;
    const traceId = Buffer.from(trace.bytes.buffer, trace.bytes.byteOffset + trace.start, trace.end - trace.start);
    evidence.note(timeMs, event.templateSlot, severityNumber, traceId.toString(), host);
  }

  /** Gives findings of this service, from an index on, the trace ids and hosts of their records. */
  giveEvidence(anomalies: readonly Anomaly[], from: number): void {
    for (let at = from; at < anomalies.length; at++) {
      const anomaly = anomalies[at] as Anomaly;
      if (anomaly.service !== this.service || anomaly.lane !== this.lane) continue;
      const textOf = (slot: number): string => this.textOf(slot);
      if (this.evidence.give(anomaly, textOf)) this.rowsVersion++;
    }
  }

  /** As influencers have it. */
  private textOf(slot: number): string {
    if (!this.miner.has(slot)) return '';
    const text = this.miner.textOf(this.miner.resolve(slot));
    return text.length > 300 ? `${text.slice(0, 299)}…` : text;
  }

  /** Adds how classification fares here to the sums of many. */
  addTo(figures: ModelFigures): void {
    this.classifier.addTo(figures);
    figures.services++;
    figures.unknownWords += this.novelty.recentShare;
    figures.wordDrifts += this.novelty.drifts;
  }

  /**
   * Begins with a batch: `lines` are its masked columns, `traces` its trace ids, where it has some. What all records of it
   * share is said here, as a double that is passed on costs an allocation each time.
   */
  open(lines: MaskedLines | null, traces: TraceColumn | null, streamTimeMs: number, sequence: number): void {
    this.lines = lines;
    this.traces = traces;
    this.event.streamTimeMs = streamTimeMs;
    this.event.sequence = sequence;
    this.lastSeenStreamMs = streamTimeMs;
    this.trace.bytes = traces?.bytes ?? noBytes;
    this.trace.end = this.trace.start = 0;
    if (lines !== null) this.miner.openMasked(lines);
  }

  /**
   * One record of the batch opened last, at the present row of its columns; `severityNumber` is the sender's
   * (0: unknown). Sets `answer` and `severityNumber`.
   */
  observe(bytes: Uint8Array, start: number, end: number, timeMs: number, severityNumber: number, out: Findings): void {
    const { miner, event, lines } = this;
    const slot = lines === null ? miner.mine(bytes, start, end, timeMs) : miner.mineMasked(lines, timeMs);
    const isNew = miner.isNew;
    this.touched.add(slot);
    const answer = this.answerOf(slot);
    if (isNew) {
      this.taught[slot] = 0;
      this.novelty.observe(this.classifier.unknownShare(miner.textOf(slot)));
    }
    if (severityNumber !== 0) this.teach(slot, severityNumber);
    event.timeMs = timeMs;
    event.severityNumber = severityNumber === 0 ? answer.classification.severityNumber : severityNumber;
    event.isStated = severityNumber !== 0;
    event.errorChance = answer.classification.errorChance;
    event.templateSlot = slot;
    event.isNewTemplate = isNew;
    event.numbers = lines === null ? miner.numbers : lines.numbers;
    event.numberCount = lines === null ? miner.numberCount : lines.numberCount;
    event.bytes = bytes;
    event.start = start;
    event.end = end;
    if (this.traces !== null) {
      this.trace.start = this.traces.cursor.start;
      this.trace.end = this.traces.cursor.end;
    }
    this.analysis.observe(event, out);
    this.answer = answer;
    this.severityNumber = event.severityNumber;
  }

  /** End of one batch message: revised windows are written once. */
  flush(sequence: number, out: Findings): void {
    this.analysis.flush(sequence, out);
  }

  tick(streamTimeMs: number, sequence: number, out: Findings): void {
    this.analysis.tick(streamTimeMs, sequence, out);
  }

  end(sequence: number, out: Findings): void {
    this.analysis.end(sequence, out);
  }

  /** Rows of templates that were created, generalised or merged; with `all`, of every template seen since its last row. */
  templateRows(sequence: number, all: boolean): TemplateRow[] {
    const slots = new Set(this.miner.takeChanged());
    if (all) {
      for (const slot of this.touched.slots()) slots.add(slot);
      this.touched.clear();
    }
    if (slots.size === 0) return [];
    this.rowsVersion++;
    const rows: TemplateRow[] = [];
    for (const slot of [...slots].sort((a, b) => a - b)) {
      this.touched.delete(slot);
      if (!this.miner.has(slot)) continue;
      const template = this.miner.template(slot);
      const classification = this.corrected(slot);
      rows.push({
        templateId: template.id,
        service: this.service,
        lane: this.lane,
        template: template.text,
        firstSeenMs: template.firstSeenMs,
        lastSeenMs: template.lastSeenMs,
        count: template.count,
        mergedInto: template.mergedInto < 0 ? '' : this.miner.idOf(template.mergedInto),
        category: classification.category,
        severityText: classification.severity,
        version: sequence,
      });
    }
    return rows;
  }

  times(): number[] {
    return [this.lastSeenStreamMs, ...this.analysis.times()];
  }

  version(index: number): number {
    switch (index) {
      case part.moving:
        return this.analysis.movingVersion + this.rowsVersion;
      case part.texts:
        return this.miner.textsVersion;
      case part.classes:
        // A text that changed takes its answer out of the part.
        return this.classesVersion + this.miner.textsVersion;
      case part.classifier:
        return this.classifier.baseVersion;
      case part.lessons:
        return this.classifier.learned;
      case part.learned:
        return this.analysis.learnedVersion;
      default:
        return 0;
    }
  }

  part<P extends number>(index: P): ActorSnapshot['parts'][P];
  part(index: number): unknown {
    switch (index) {
      case part.identity:
        return [this.service, this.lane];
      case part.moving:
        return this.movingState();
      case part.texts:
        return this.miner.texts();
      case part.classes:
        return Array.from(this.classes, (kept, slot) => this.keptClass(kept, slot));
      case part.classifier:
        return this.classifier.base;
      case part.lessons:
        return this.classifier.lessons;
      default:
        return this.analysis.learnedState();
    }
  }

  private movingState(): MovingState {
    return {
      counts: this.miner.counts(),
      taught: Array.from(this.taught, (count) => count ?? 0),
      touched: this.touched.slots(),
      analysis: this.analysis.movingState(),
      novelty: this.novelty.snapshot(),
      evidence: this.evidence.snapshot(),
    };
  }

  private snapshot(): ActorSnapshot {
    return {
      times: this.times(),
      parts: [this.part(0), this.part(1), this.part(2), this.part(3), this.part(4), this.part(5), this.part(6)],
    };
  }

  /** What a restored actor needs: nothing where the text has changed since, as it would ask again. */
  private keptClass(kept: CachedClass | undefined, slot: number): KeptClass | null {
    if (kept === undefined || kept.text !== this.miner.textOf(slot)) return null;
    const { severity, severityNumber, severityConfidence, errorChance, category, categoryConfidence, confidence } =
      kept.answer;
    return [
      kept.version,
      severity,
      severityNumber,
      severityConfidence,
      category,
      categoryConfidence,
      confidence,
      errorChance,
    ];
  }

  private answerOf(slot: number): SlotAnswer {
    const { rewritten } = this.miner;
    const { version } = this.classifier;
    const known = this.answers[slot];
    if (known !== undefined && known.rewritten === rewritten && known.version === version) return known;
    const classification = this.corrected(slot);
    const answer = { templateId: this.miner.idOf(slot), classification, rewritten, version, builder: null, number: 0 };
    this.answers[slot] = answer;
    return answer;
  }

  /** What a person said beats the classifier; it is certain. */
  private corrected(slot: number): Classification {
    const answer = this.classify(slot);
    const said = this.corrections.find(this.miner.idOf(slot), this.miner.textOf(slot));
    if (said === undefined) return answer;
    const severity = said.severity === '' ? answer.severity : said.severity;
    const severityConfidence = said.severity === '' ? answer.severityConfidence : 1;
    const categoryConfidence = said.category === '' ? answer.categoryConfidence : 1;
    return {
      severity,
      severityNumber: severityNumbers[severity],
      severityConfidence,
      errorChance: said.severity === '' ? answer.errorChance : said.severity === 'ERROR' ? 1 : 0,
      category: said.category === '' ? answer.category : said.category,
      categoryConfidence,
      confidence: Math.min(severityConfidence, categoryConfidence),
    };
  }

  private classify(slot: number): Classification {
    const text = this.miner.textOf(slot);
    const cached = this.classes[slot];
    if (cached !== undefined && cached.version === this.classifier.version && cached.text === text)
      return cached.answer;
    const fromMs = this.meter.now();
    const answer = this.classifier.classify(text);
    this.meter.took(this.meter.now() - fromMs);
    this.classesVersion++;
    this.classes[slot] = { version: this.classifier.version, text, answer };
    return answer;
  }

  /** What a person said, or else the sender's severity, is truth to learn from: at the 1st, 2nd, 4th, 8th … record of a template. */
  private teach(slot: number, severityNumber: number): void {
    const seen = (this.taught[slot] ?? 0) + 1;
    this.taught[slot] = seen;
    if ((seen & (seen - 1)) !== 0) return;
    const text = this.miner.textOf(slot);
    const said = this.corrections.find(this.miner.idOf(slot), text);
    this.classifier.learn(text, { severity: said?.severity || labelOf(severityNumber), category: said?.category });
  }
}

const severityNumbers: Readonly<Record<Classification['severity'], Classification['severityNumber']>> = {
  DEBUG: 5,
  INFO: 9,
  WARN: 13,
  ERROR: 17,
};

const noAnswer: SlotAnswer = {
  templateId: '',
  classification: {
    severity: 'INFO',
    severityNumber: 9,
    severityConfidence: 0,
    errorChance: 0,
    category: '',
    categoryConfidence: 0,
    confidence: 0,
  },
  rewritten: 0,
  version: 0,
  builder: null,
  number: 0,
};

function labelOf(severityNumber: number): 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' {
  if (severityNumber <= 8) return 'DEBUG';
  if (severityNumber <= 12) return 'INFO';
  return severityNumber <= 16 ? 'WARN' : 'ERROR';
}
