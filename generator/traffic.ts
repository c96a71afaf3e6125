/**
 * Realistic log traffic from a seed: services with their own vocabulary, a day shape, noise, and incidents. Time is
 * the caller's: `step(from, to)` gives what was logged in between, in time order.
 */
import type { LogRecord } from '#protocol/mod.ts';
import { severityNumberOf } from '#protocol/mod.ts';
import { type Bend, bendOf, type Incident } from './incidents.ts';
import { Random } from './random.ts';
import { cities, type Message, paths, people, type ServiceVocabulary, services, tables } from './vocabulary.ts';

export interface TrafficOptions {
  seed: number;
  /** Mean records per second over all services. */
  ratePerSecond: number;
  incidents?: readonly Incident[];
  /** Services of the demo shop, times this many regions (name suffix `-r2` …), default 1. */
  regions?: number;
}

interface Source {
  vocabulary: ServiceVocabulary;
  name: string;
  share: number;
  messages: Picker;
  traceId: string;
}

/** Picks messages by weight: binary search over cumulative weights. */
class Picker {
  private readonly messages: readonly Message[];
  private readonly cumulative: number[] = [];
  readonly total: number;

  constructor(messages: readonly Message[]) {
    this.messages = messages;
    let sum = 0;
    for (const message of messages) {
      sum += message.weight;
      this.cumulative.push(sum);
    }
    this.total = sum;
  }

  pick(random: Random): Message {
    const at = random.next() * this.total;
    let low = 0;
    let high = this.messages.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.cumulative[middle] as number) > at) high = middle;
      else low = middle + 1;
    }
    return this.messages[low] as Message;
  }
}

/** Least traffic in the early morning, most in the evening (UTC), mean 1. */
export function dayShape(timeMs: number): number {
  const hour = (timeMs / 3_600_000) % 24;
  return 1 + 0.35 * Math.sin(((hour - 10) / 24) * 2 * Math.PI) + 0.1 * Math.sin(((hour - 4) / 12) * 2 * Math.PI);
}

export class Traffic {
  private readonly random: Random;
  private readonly sources: Source[] = [];
  private readonly options: TrafficOptions;

  constructor(options: TrafficOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    const regions = options.regions ?? 1;
    const total = services.reduce((sum, one) => sum + one.weight, 0) * regions;
    for (let region = 1; region <= regions; region++)
      for (const vocabulary of services)
        this.sources.push({
          vocabulary,
          name: region === 1 ? vocabulary.name : `${vocabulary.name}-r${region}`,
          share: vocabulary.weight / total,
          messages: new Picker(vocabulary.messages),
          traceId: this.random.hex(32),
        });
  }

  /** Records of [fromMs, toMs), in time order. */
  step(fromMs: number, toMs: number): LogRecord[] {
    const seconds = (toMs - fromMs) / 1_000;
    const expected = this.options.ratePerSecond * seconds * dayShape(fromMs);
    const records: LogRecord[] = [];
    for (const source of this.sources) {
      const bends = (this.options.incidents ?? [])
        .filter((incident) => incident.service === source.vocabulary.name)
        .map((incident) => bendOf(incident, fromMs));
      const rate = bends.reduce((product, bend) => product * bend.rate, 1);
      const latency = bends.reduce((product, bend) => product * bend.latency, 1);
      const usual = expected * source.share;
      for (let n = this.random.poisson(usual * rate); n > 0; n--)
        records.push(this.record(source, source.messages.pick(this.random), fromMs, toMs, latency));
      for (const message of bends.flatMap((bend: Bend) => bend.extra))
        for (let n = this.random.poisson(usual * message.weight); n > 0; n--)
          records.push(this.record(source, message, fromMs, toMs, latency));
    }
    return records.sort((a, b) => (a.timeMs as number) - (b.timeMs as number));
  }

  private record(source: Source, message: Message, fromMs: number, toMs: number, latency: number): LogRecord {
    const { random } = this;
    // A trace spans a few records of a service.
    if (random.next() < 0.3) source.traceId = random.hex(32);
    return {
      timeMs: Math.floor(fromMs + random.next() * (toMs - fromMs)),
      severityNumber: severityNumberOf(message.level),
      severityText: message.level,
      service: source.name,
      body: this.fill(message.text, source.vocabulary.latencyMs * latency),
      traceId: source.traceId,
      resource: ['host.name', `${source.name}-${1 + random.below(4)}`],
    };
  }

  private fill(text: string, latencyMs: number): string {
    const { random } = this;
    return text.replace(/\{(\w+)\}/g, (hole, name: string) => {
      switch (name) {
        case 'id':
          return random.hex(12);
        case 'n':
          return String(1 + random.below(9));
        case 'big':
          return String(1_000 + random.below(90_000));
        case 'ms':
          return String(Math.max(1, Math.round(latencyMs * Math.exp(0.4 * random.normal()))));
        case 'ip':
          return `10.${random.below(64)}.${random.below(256)}.${1 + random.below(254)}`;
        case 'user':
          return `${random.pick(people)}${random.below(900)}`;
        case 'sku':
          return `SKU-${10_000 + random.below(2_000)}`;
        case 'path':
          return random.pick(paths);
        case 'host':
          return `node-${1 + random.below(12)}.internal`;
        case 'code':
          return random.next() < 0.97 ? '200' : '404';
        case 'table':
          return random.pick(tables);
        case 'city':
          return random.pick(cities);
        default:
          return hole;
      }
    });
  }
}

/** One record as an NDJSON line, newline included, as shippers send it. */
export function toNdjson(record: LogRecord): string {
  return `${JSON.stringify({
    timestamp: new Date(record.timeMs as number).toISOString(),
    level: record.severityText,
    service: record.service,
    message: record.body,
    traceId: record.traceId,
    host: record.resource?.[1],
  })}\n`;
}
