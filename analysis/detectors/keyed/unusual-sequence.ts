/**
 * Keyed sequences of a service (requests, orders, blocks), by trace id where records have one, else by ids in messages: an incident where the share of odd ones is beyond chance, not
 * one per key. A step that stays away is `sequence_broken`, as where two messages are found to be a pair by their counts;
 * steps that change their order are an `unusual_sequence`.
 */
import type { ObservedEvent, WindowState } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from '../config.ts';
import { clock, figure, percent, quote } from '../describe.ts';
import {
  hasMoved,
  Incident,
  type IncidentSnapshot,
  type StepContext,
  templateInfo,
  templateText,
} from '../incident.ts';
import { KeyPlaces, type KeyPlacesSnapshot } from './places.ts';
import { KeyedFlows, type KeyedFlowsSnapshot, type OddFlows } from './flows.ts';
import { scoreOf } from '../tails.ts';

/** Windows without an odd key, though as many keys came as would have had several, that end an incident; or so many. */
const endWindows = 4;
const idleWindowsMax = 20;
const missedMin = 5;
/** What has lasted for so long is what is usual. */
const lastsMaxMs = 3_600_000;
/** New messages that may stand in for a missing one, for how long, and their records for each of those missing. */
const newMax = 16;
const newMs = 30 * 60_000;
const nearMs = 2 * 60_000;
const insteadShare = 0.5;
const warning = 13;

interface Told {
  kind: OddFlows['kind'];
  a: number;
  b: number;
  /** Odd keys, and all when the last of those came. */
  odd: number;
  seen: number;
  quietWindows: number;
  idleWindows: number;
}

export interface UnusualSequenceSnapshot {
  places: KeyPlacesSnapshot;
  flows: KeyedFlowsSnapshot;
  isTooFast: boolean;
  /** New messages that are no complaint: since when, and how many records. */
  fresh: [slot: number, atMs: number, records: number][];
  told: Told | null;
  incident: IncidentSnapshot | null;
}

export class UnusualSequenceDetector {
  private readonly config: DetectorsConfig['unusualSequence'];
  private readonly places = new KeyPlaces();
  private readonly flows: KeyedFlows;
  private isTooFast = false;
  private fresh = new Map<number, { atMs: number; records: number }>();
  private told: Told | null = null;
  private incident: Incident | null = null;

  constructor(config: DetectorsConfig['unusualSequence']) {
    this.config = config;
    this.flows = new KeyedFlows(config.tailExponent);
  }

  get isOpen(): boolean {
    return this.incident !== null;
  }

  /** A step that is told to stay away. */
  isMissing(slot: number): boolean {
    return this.told?.kind === 'missing' && this.told.b === slot;
  }

  /** Hot path: two look-ups for templates without a key. */
  observe(event: ObservedEvent, timeMs: number, { host }: StepContext): void {
    const { places } = this;
    const slot = event.templateSlot;
    if (event.isNewTemplate) this.begin(event, timeMs);
    if (this.fresh.size > 0) {
      const fresh = this.fresh.get(slot);
      if (fresh !== undefined) fresh.records++;
    }
    const { trace } = event;
    if (trace !== undefined && trace.end > trace.start) {
      this.flows.observe(slot, trace.bytes, trace.start, trace.end, timeMs);
      return;
    }
    const place = places.placeOf(slot);
    if ((place < 0 && !places.isLooking) || this.isTooFast || host.valuesOf === undefined) return;
    const values = host.valuesOf(slot, event.bytes, event.start, event.end);
    if (places.isLooking) places.look(slot, event.bytes, values);
    if (place < 0) return;
    for (let i = 0; i < values.count; i++) {
      if (values.places[i] !== place) continue;
      const [from, to] = [values.froms[i] as number, values.tos[i] as number];
      if (to > from) this.flows.observe(slot, event.bytes, from, to, timeMs);
      return;
    }
  }

  /** Evidence that one of two messages stays away. */
  isMissingOne(a: number, b: number): boolean {
    return this.flows.isMissing(a, b);
  }

  /**
   * @param explained another finding is open, which may be why keys are odd
   * @param isBroken a broken pair is told, which is the same by other means
   */
  windowClosed(window: WindowState, explained: boolean, isBroken: boolean, context: StepContext): void {
    const { flows } = this;
    for (const [slot, { atMs }] of this.fresh) if (window.endMs - atMs > newMs) this.fresh.delete(slot);
    this.isTooFast = window.logCount > (this.config.recordsPerSecondMax * (window.endMs - window.startMs)) / 1000;
    if (this.places.windowClosed()) flows.startOver();
    if (this.incident !== null) {
      this.goOn(this.incident, window, context);
      return;
    }
    if (explained) {
      flows.forgive();
      return;
    }
    if (isBroken) return;
    const odd = flows.oddest();
    if (odd === null) return;
    // What the miner took into another template, or what has other words now, is no missing message.
    if (hasMoved(odd.b, window, context.host) || this.hasInstead(odd)) flows.startOver();
    else this.open(odd, window, context);
  }

  close(context: StepContext): void {
    this.incident?.end(context);
    this.incident = null;
    this.told = null;
  }

  snapshot(): UnusualSequenceSnapshot {
    return {
      places: this.places.snapshot(),
      flows: this.flows.snapshot(),
      isTooFast: this.isTooFast,
      fresh: [...this.fresh].map(([slot, { atMs, records }]) => [slot, atMs, records]),
      told: this.told === null ? null : { ...this.told },
      incident: this.incident?.snapshot() ?? null,
    };
  }

  restore(state: UnusualSequenceSnapshot): void {
    this.places.restore(state.places);
    this.flows.restore(state.flows);
    this.isTooFast = state.isTooFast;
    this.fresh = new Map(state.fresh.map(([slot, atMs, records]) => [slot, { atMs, records }]));
    this.told = state.told === null ? null : { ...state.told };
    this.incident = state.incident === null ? null : Incident.restore(state.incident);
  }

  private begin({ templateSlot, severityNumber }: ObservedEvent, timeMs: number): void {
    this.places.forget(templateSlot);
    this.places.lookSoon();
    this.flows.forget(templateSlot);
    this.fresh.delete(templateSlot);
    if (severityNumber >= warning) return;
    if (this.fresh.size >= newMax) this.fresh.delete(this.fresh.keys().next().value as number);
    this.fresh.set(templateSlot, { atMs: timeMs, records: 0 });
  }

  private hasInstead({ odd, sinceMs }: OddFlows): boolean {
    for (const { atMs, records } of this.fresh.values())
      if (atMs >= sinceMs - nearMs && records >= insteadShare * odd) return true;
    return false;
  }

  private open(odd: OddFlows, window: WindowState, context: StepContext): void {
    const { kind, a, b } = odd;
    const id = templateInfo(context.host, b)?.id ?? '';
    const name = kind === 'missing' ? 'sequence_broken' : 'unusual_sequence';
    this.incident = Incident.open(context, name, id, Math.min(odd.sinceMs, window.endMs));
    this.told = { kind, a, b, odd: odd.odd, seen: odd.seen, quietWindows: 0, idleWindows: 0 };
    for (const slot of [a, b])
      this.incident.row.influencers.push({
        kind: 'event',
        name: templateText(context.host, slot),
        share: slot === b ? Math.round((1000 * odd.odd) / odd.seen) / 1000 : 0,
      });
    this.describe(this.incident, odd, window, context);
  }

  private goOn(incident: Incident, window: WindowState, context: StepContext): void {
    const told = this.told as Told;
    const odd = this.flows.stillOdd(told);
    told.idleWindows++;
    if (odd === null || (odd.seen - told.seen) * (odd.odd / odd.seen) >= missedMin) told.quietWindows++;
    if (odd !== null && odd.odd > told.odd) {
      told.odd = odd.odd;
      told.seen = odd.seen;
      told.quietWindows = told.idleWindows = 0;
      this.describe(incident, odd, window, context);
    }
    const isUsual = window.endMs - incident.row.startMs > lastsMaxMs;
    if (told.quietWindows < endWindows && told.idleWindows < idleWindowsMax && !isUsual) return;
    if (isUsual) this.flows.startOver();
    else this.flows.forgive();
    this.close(context);
  }

  private describe(incident: Incident, odd: OddFlows, window: WindowState, context: StepContext): void {
    const { row } = incident;
    incident.extend(window, context);
    incident.peak(scoreOf(odd.exponent), odd.odd / odd.seen, odd.usualShare);
    const [a, b] = [odd.a, odd.b].map((slot) => quote(templateText(context.host, slot), 80)) as [string, string];
    const what =
      odd.kind === 'missing'
        ? `${b} is missing ${odd.isAfter ? 'after' : 'before'} ${a}`
        : `${b} comes before ${a} instead of after it`;
    const others =
      odd.others === 0 ? '' : odd.others === 1 ? ', as is 1 more step' : `, as are ${odd.others} more steps`;
    const examples = odd.examples.length === 0 ? '' : `; for example ${odd.examples.join(', ')}`;
    row.description =
      `${what}${others}, in ${figure(odd.odd)} of ${figure(odd.seen)} sequences since ${clock(row.startMs, row.endMs)},` +
      ` usually in ${odd.usualShare > 0 ? percent(odd.usualShare) : 'none'}${examples}`;
    incident.write(context);
  }
}
