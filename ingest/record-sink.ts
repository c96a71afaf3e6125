/** Where records of one receiver without HTTP go: counted, held to the limit of one record, and on to the publisher. */
import type { RawLines } from '#analysis/formats/mod.ts';
import { type DeadLetters, noDeadLetters, type Time } from '#bus/mod.ts';
import {
  type DeadReason,
  type DeadResend,
  type LogRecord,
  Memo,
  RecordView,
  recordBytesMax,
  unknownService,
  viewOf,
} from '#protocol/mod.ts';
import type { Quotas } from './admission/mod.ts';
import { type BatchPublisher, Ticket } from './batch-publisher.ts';
import type { ListenerCounts } from './listening.ts';
import { asNdjson } from './pipeline/ndjson-line.ts';
import { type Gate, type LineOptions, openGate, type RecordWithLines, type Source } from './pipeline/gate.ts';

/** Distinct resources kept: the same array is one dictionary entry on the wire. */
const resourcesMax = 1_024;
/** Where the same is taken over HTTP: how a dead letter is sent again. */
export const resendText: DeadResend = { path: '/ingest', contentType: 'text/plain' };
export const resendJson: DeadResend = { path: '/ingest', contentType: 'application/x-ndjson' };
/** Attribute names and resources, which batches keep once each, count against the limit of a record too. */
const perPairBytes = 8;

/** Records of one request, to be answered when the stream has all of them. */
export class SinkRequest {
  readonly ticket = new Ticket();
  readonly idempotencyKey: string;
  ordinal = 0;

  /** `idempotencyKey`: 22 characters at most; '' = repeats are not told apart. */
  constructor(idempotencyKey = '') {
    this.idempotencyKey = idempotencyKey;
  }
}

export type WaitReason = '' | 'full' | 'overShare' | 'overQuota';

export interface SinkQuotas {
  sources: Quotas;
  services: Quotas;
}

export interface RecordSinkOptions {
  publisher: BatchPublisher;
  counts: ListenerCounts;
  time: Time;
  /** Its name, for dead letters. */
  receiver: string;
  /** Default nowhere. */
  dead?: DeadLetters | undefined;
  /** Default none. */
  quotas?: SinkQuotas | undefined;
  /** What records pass on their way, default nothing. */
  gate?: Gate | undefined;
}

/** Senders that wait for a service; beyond it they are let go. */
const blockedMax = 4_096;

export class RecordSink {
  readonly counts: ListenerCounts;
  readonly time: Time;
  /** What cannot be taken; never blocks. */
  readonly dead: DeadLetters;
  /** Name of the receiver, for dead letters. */
  readonly receiver: string;
  private readonly publisher: BatchPublisher;
  private readonly quotas: SinkQuotas | null;
  private readonly gate: Gate;
  /** Where the present record comes from. */
  private readonly from: Source;
  /** Senders that wait for a service's quota, and until when, ms. */
  private readonly blocked = new Map<string, number>();
  private readonly view = new RecordView();
  private readonly resources = new Memo<string[]>(resourcesMax);
  /** Follows what nobody waits for. */
  private readonly unasked = new SinkRequest();

  constructor(options: RecordSinkOptions) {
    this.publisher = options.publisher;
    this.counts = options.counts;
    this.time = options.time;
    this.receiver = options.receiver;
    this.dead = options.dead ?? noDeadLetters;
    this.quotas = options.quotas ?? null;
    this.gate = options.gate ?? openGate;
    this.from = { receiver: options.receiver, place: '', file: '', line: 0, nowMs: 0, serviceGiven: false };
  }

  /** Why nothing more is taken of a sender now; '' = it is. */
  mustWait(source: string): WaitReason {
    const share = this.publisher.share(source);
    if (share !== 'fits') return share === 'over' ? 'overShare' : 'full';
    return this.quotas !== null && this.isOverQuota(source, this.quotas) ? 'overQuota' : '';
  }

  /** Counts somebody who was kept waiting, or whose datagram was dropped. */
  countWait(reason: WaitReason): void {
    if (reason === 'overShare' || reason === 'overQuota') this.counts[reason]++;
  }

  private isOverQuota(source: string, { sources }: SinkQuotas): boolean {
    const nowMs = this.time.now();
    const untilMs = this.blocked.get(source);
    if (untilMs !== undefined && untilMs > nowMs) return true;
    if (untilMs !== undefined) this.blocked.delete(source);
    return sources.waitMs(source, nowMs) > 0;
  }

  /** What a record cost its sender and its service; who sent one of a service over its quota waits with all. */
  private charge(source: string, service: string, bytes: number, { sources, services }: SinkQuotas): void {
    const nowMs = this.time.now();
    sources.charge(source, 1, bytes, nowMs);
    services.charge(service, 1, bytes, nowMs);
    const waitMs = services.waitMs(service, nowMs);
    if (waitMs === 0) return;
    if (this.blocked.size >= blockedMax) this.blocked.clear();
    this.blocked.set(source, nowMs + waitMs);
  }

  get full(): boolean {
    return this.publisher.full;
  }

  /**
   * Counts what cannot be taken, and sets it aside. `source`: who sent it. `bytes` are as they came, or as many of them as
   * are here.
   */
  reject(
    reason: keyof typeof deadReasonOf,
    detail: string,
    bytes: Uint8Array,
    source: string,
    more: { service?: string; resend?: DeadResend } = {},
  ): void {
    this.counts[reason]++;
    this.dead.put({
      reason: deadReasonOf[reason],
      detail,
      receiver: this.receiver,
      source,
      service: '',
      atMs: this.time.now(),
      bytes,
      ...more,
    });
  }

  /** Takes a record. False, and counted, where it is over the limit of one. */
  add(record: RecordWithLines, source: string, request: SinkRequest = this.unasked): boolean {
    const size = bytesOf(record);
    if (size > recordBytesMax) {
      const detail = `the record has ${size} bytes, ${recordBytesMax} are allowed`;
      const { service = '' } = record;
      this.reject('tooLong', detail, Buffer.from(asNdjson(record)), source, { service, resend: resendJson });
      return false;
    }
    if (record.resource !== undefined) record.resource = this.shared(record.resource);
    const view = viewOf(record, { observedMs: this.time.now(), service: unknownService }, this.view);
    this.addView(view, source, request, record.raw);
    return true;
  }

  /** The same for a record that is known to be within the limit. */
  addView(view: RecordView, source: string, request: SinkRequest = this.unasked, lines?: RawLines): void {
    if (request.idempotencyKey !== '') {
      view.idempotencyKey = request.idempotencyKey;
      view.ordinal = request.ordinal++;
    }
    if (request.ticket.failure === null) this.counts.records++;
    else this.counts.lost++;
    if (this.quotas !== null) this.charge(source, view.service, view.bodyEnd - view.bodyStart, this.quotas);
    const nowMs = this.time.now();
    this.from.place = source;
    this.from.nowMs = nowMs;
    const passed = this.gate.passView(view, this.from, lines ?? null);
    if (passed !== null) this.publisher.add(passed, request.ticket, nowMs, source);
  }

  /** How lines are to be read. `service`: of all of them, '' where they say it. */
  lineOptions(service: string): LineOptions {
    return this.gate.lineOptions(this.receiver, '', service);
  }

  private shared(pairs: string[]): string[] {
    return this.resources.get(pairs.join('\0'), () => pairs);
  }
}

const deadReasonOf = { malformed: 'malformed', tooLong: 'too_long', incomplete: 'malformed' } as const satisfies Record<
  string,
  DeadReason
>;

function bytesOf(record: LogRecord): number {
  let characters = record.body.length + record.severityText.length;
  for (const pairs of [record.attributes, record.resource]) {
    if (pairs === undefined) continue;
    for (const part of pairs) characters += part.length + perPairBytes;
  }
  // Three bytes a character at most: exact only near the limit.
  if (characters * 3 <= recordBytesMax) return characters;
  let bytes = Buffer.byteLength(record.body) + Buffer.byteLength(record.severityText);
  for (const pairs of [record.attributes, record.resource])
    for (const part of pairs ?? []) bytes += Buffer.byteLength(part) + perPairBytes;
  return bytes;
}
