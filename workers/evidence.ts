/**
 * Which traces and hosts the records of a finding were of: the first few of each template and half minute, kept for a
 * while, and what open findings were given. Part of a service's state, so that a replay gives the same.
 */
import type { Anomaly } from '#protocol/mod.ts';

/** Event time that shares one place for records, ms. */
const stretchMs = 30_000;
/** Stretches kept, the latest by event time: findings look back half an hour at most. */
const stretchesMax = 60;
/** Records of one template that are noted in a stretch. */
const perTemplateMax = 3;
/** Records noted in a stretch, errors and others. */
const errorsMax = 8;
const othersMax = 16;
/** Trace ids and hosts of a finding. */
const idsMax = 5;
/** Findings remembered with what they were given, the one longest without a version forgotten first. */
const findingsMax = 64;
const errorFrom = 17;

/** A record: event time in ms, template, whether it is an error, trace id, host; '' where there is none. */
type Noted = [timeMs: number, slot: number, isError: boolean, traceId: string, host: string];

interface Stretch {
  startMs: number;
  noted: Noted[];
  errors: number;
  bySlot: Map<number, number>;
}

export interface EvidenceState {
  stretches: [startMs: number, noted: Noted[]][];
  given: [anomalyId: string, traceIds: string[], hosts: string[]][];
}

/** Findings that are about records not being there, or about services as a whole: no record made them. */
const aboutNothing = new Set(['silence', 'volume_drop', 'template_vanished']);

export class Evidence {
  private readonly stretches = new Map<number, Stretch>();
  private readonly given = new Map<string, { traceIds: string[]; hosts: string[] }>();
  /** The stretch of the record before: mostly that of the next. */
  private latest: Stretch | null = null;

  constructor(state?: EvidenceState) {
    for (const [startMs, noted] of state?.stretches ?? []) {
      const stretch: Stretch = { startMs, noted: noted.slice(), errors: 0, bySlot: new Map() };
      for (const [, slot, isError] of noted) count(stretch, slot, isError);
      this.stretches.set(startMs, stretch);
    }
    for (const [anomalyId, traceIds, hosts] of state?.given ?? []) this.given.set(anomalyId, { traceIds, hosts });
  }

  snapshot(): EvidenceState {
    return {
      stretches: [...this.stretches.values()].map(({ startMs, noted }) => [startMs, noted]),
      given: [...this.given].map(([anomalyId, { traceIds, hosts }]) => [anomalyId, traceIds, hosts]),
    };
  }

  /** Whether a record is still to be noted. Asked of every record that has a trace or host: cheap where the answer is no. */
  wants(timeMs: number, slot: number, severityNumber: number): boolean {
    const stretch = this.stretchOf(timeMs);
    if (stretch === null) return false;
    const isError = severityNumber >= errorFrom;
    const room = isError ? errorsMax - stretch.errors : othersMax - (stretch.noted.length - stretch.errors);
    return room > 0 && (stretch.bySlot.get(slot) ?? 0) < perTemplateMax;
  }

  note(timeMs: number, slot: number, severityNumber: number, traceId: string, host: string): void {
    const stretch = this.stretchOf(timeMs);
    if (stretch === null) return;
    const isError = severityNumber >= errorFrom;
    stretch.noted.push([timeMs, slot, isError, traceId, host]);
    count(stretch, slot, isError);
  }

  private stretchOf(timeMs: number): Stretch | null {
    const { latest } = this;
    // Of most records it is known without a division.
    if (latest !== null && timeMs >= latest.startMs && timeMs < latest.startMs + stretchMs) return latest;
    const startMs = timeMs - (timeMs % stretchMs);
    const known = this.stretches.get(startMs) ?? this.open(startMs);
    if (known !== null) this.latest = known;
    return known;
  }

  private open(startMs: number): Stretch | null {
    if (this.stretches.size >= stretchesMax) {
      const oldestMs = Math.min(...this.stretches.keys());
      if (startMs < oldestMs) return null;
      this.stretches.delete(oldestMs);
    }
    const stretch: Stretch = { startMs, noted: [], errors: 0, bySlot: new Map() };
    this.stretches.set(startMs, stretch);
    return stretch;
  }

  /**
   * Gives a finding its trace ids and hosts: those of records within its time, of the templates that it names, or else of
   * errors. What an earlier version had comes first. `textOf` gives a template's text, '' where it is gone.
   * @returns whether the state has changed
   */
  give(anomaly: Anomaly, textOf: (slot: number) => string): boolean {
    const before = this.given.get(anomaly.anomalyId);
    const { traceIds, hosts } = this.found(anomaly, before ?? { traceIds: [], hosts: [] }, textOf);
    if (traceIds.length === 0 && hosts.length === 0) return false;
    if (traceIds.length > 0) anomaly.traceIds = traceIds;
    if (hosts.length > 0) anomaly.hosts = hosts;
    this.given.delete(anomaly.anomalyId);
    this.given.set(anomaly.anomalyId, { traceIds, hosts });
    const oldest = this.given.keys().next().value;
    if (this.given.size > findingsMax && oldest !== undefined) this.given.delete(oldest);
    return true;
  }

  private found(
    { detector, influencers, startMs, endMs }: Anomaly,
    before: { traceIds: string[]; hosts: string[] },
    textOf: (slot: number) => string,
  ): { traceIds: string[]; hosts: string[] } {
    if (aboutNothing.has(detector) || this.stretches.size === 0) return before;
    const traceIds = new Set(before.traceIds);
    const hosts = new Set(before.hosts);
    const names = new Set(influencers.flatMap(({ kind, name }) => (kind === 'template' ? [name] : [])));
    for (const [, slot, isError, traceId, host] of this.within(startMs, endMs)) {
      if (names.size > 0 ? !names.has(textOf(slot)) : !isError) continue;
      if (traceId !== '' && traceIds.size < idsMax) traceIds.add(traceId);
      if (host !== '' && hosts.size < idsMax) hosts.add(host);
      if (traceIds.size >= idsMax && hosts.size >= idsMax) break;
    }
    return { traceIds: [...traceIds], hosts: [...hosts] };
  }

  /** Records within a time, by stretch, in the order in which they came. */
  private *within(fromMs: number, toMs: number): Generator<Noted> {
    const stretches = [...this.stretches.values()]
      .filter(({ startMs }) => startMs + stretchMs > fromMs && startMs <= toMs)
      .sort((a, b) => a.startMs - b.startMs);
    for (const { noted } of stretches) for (const one of noted) if (one[0] >= fromMs && one[0] <= toMs) yield one;
  }
}

function count(stretch: Stretch, slot: number, isError: boolean): void {
  if (isError) stretch.errors++;
  stretch.bySlot.set(slot, (stretch.bySlot.get(slot) ?? 0) + 1);
}
