/**
 * One record on its way through the steps. What comes from a batch view is decoded when a step asks for it, and a record
 * that no step changed leaves as it came.
 */
import type { RawLines } from '#analysis/formats/mod.ts';
import { type LogRecord, Memo, RecordView } from '#protocol/mod.ts';

/** Where a record comes from; one for a request, a connection or a file. */
export interface Origin {
  /** `ingest`, `syslog`, `file` … */
  receiver: string;
  /** Path of a file, '' elsewhere. */
  file: string;
  /** Years that stamps leave out are found by it: when it was received, or the file was written last; ms. */
  nowMs: number;
  /** The sender named the service of everything it sends: lines do not change it. */
  serviceGiven: boolean;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
/** Resources made by steps; the same array is one dictionary entry on the wire. */
const resourcesMax = 1024;

export class Item {
  origin: Origin = { receiver: '', file: '', nowMs: 0, serviceGiven: false };
  /** Lines as they came, until a step parsed them or wrote a body. */
  raw: RawLines | null = null;
  changed = false;
  /** A `keep` step said so: later drop and sample steps let it pass. */
  kept = false;
  /** Fields do not change the service. */
  serviceGiven = false;
  /** Pattern that fitted, '' where none did. */
  format = '';
  timeMs: number | undefined;
  timeSubNs = 0;
  zoneAssumedMinutes: number | undefined;
  severityNumber = 0;
  severityText = '';
  service = '';
  traceId = '';
  spanId = '';
  traceFlags = 0;
  resource: string[] | null = null;
  private view: RecordView | null = null;
  private record: LogRecord | null = null;
  private text: string | null = null;
  private pairs: string[] | null = null;
  private readonly out = new RecordView();
  private scratch = new Uint8Array(4096);
  private readonly resources = new Memo<string[]>(resourcesMax);

  loadView(view: RecordView, origin: Origin, raw: RawLines | null): void {
    this.view = view;
    this.record = null;
    this.timeMs = view.timeMs;
    this.timeSubNs = view.timeSubNs;
    this.zoneAssumedMinutes = view.zoneAssumedMinutes;
    this.severityNumber = view.severityNumber;
    this.severityText = view.severityText;
    this.service = view.service;
    this.traceId = view.traceId;
    this.spanId = view.spanId;
    this.traceFlags = view.traceFlags;
    this.resource = view.resource;
    this.text = null;
    this.pairs = null;
    this.start(origin, raw);
  }

  loadRecord(record: LogRecord, origin: Origin, raw: RawLines | null): void {
    this.view = null;
    this.record = record;
    this.timeMs = record.timeMs;
    this.timeSubNs = record.timeSubNs ?? 0;
    this.zoneAssumedMinutes = record.zoneAssumedMinutes;
    this.severityNumber = record.severityNumber;
    this.severityText = record.severityText;
    this.service = record.service ?? '';
    this.traceId = record.traceId ?? '';
    this.spanId = record.spanId ?? '';
    this.traceFlags = record.traceFlags ?? 0;
    this.resource = record.resource ?? null;
    this.text = record.body;
    this.pairs = null;
    this.start(origin, raw);
  }

  private start(origin: Origin, raw: RawLines | null): void {
    this.origin = origin;
    this.raw = raw;
    this.serviceGiven = origin.serviceGiven || (raw !== null && raw.serviceGiven);
    this.changed = false;
    this.kept = false;
    this.format = '';
  }

  get body(): string {
    if (this.text === null) {
      const { bytes, bodyStart, bodyEnd } = this.view as RecordView;
      this.text = decoder.decode(bytes.subarray(bodyStart, bodyEnd));
    }
    return this.text;
  }

  /** The line as it came is of no use any more where the body is another. */
  set body(text: string) {
    this.text = text;
    this.raw = null;
    this.changed = true;
  }

  /** The body, and by `rewriteRaw` the lines that it was read from, each by itself. */
  rewriteTexts(rewrite: (text: string) => string, rewriteRaw: ((text: string) => string) | null): void {
    const body = rewrite(this.body);
    if (body !== this.text) {
      this.text = body;
      this.changed = true;
    }
    const { raw } = this;
    if (raw === null || rewriteRaw === null) return;
    const head = rewriteRaw(raw.head);
    const tail = raw.tail === '' ? '' : rewriteRaw(raw.tail);
    if (head !== raw.head || tail !== raw.tail) this.raw = { ...raw, head, tail };
  }

  /** Flat key, value list, to be changed through the methods below. */
  get attributes(): readonly string[] {
    return this.own();
  }

  set attributes(pairs: string[]) {
    this.pairs = pairs;
    this.changed = true;
  }

  private own(): string[] {
    if (this.pairs !== null) return this.pairs;
    if (this.record !== null) this.pairs = [...(this.record.attributes ?? [])];
    else {
      const view = this.view as RecordView;
      const pairs: string[] = [];
      for (let i = 0; i < view.attributeCount; i++) {
        const value = decoder.decode(view.bytes.subarray(view.attributeStarts[i], view.attributeEnds[i]));
        pairs.push(view.attributeKeys[i] as string, value);
      }
      this.pairs = pairs;
    }
    return this.pairs;
  }

  attribute(name: string): string | undefined {
    if (this.pairs === null && this.view !== null) {
      // One is asked for more often than all.
      const { view } = this;
      for (let i = 0; i < view.attributeCount; i++)
        if (view.attributeKeys[i] === name)
          return decoder.decode(view.bytes.subarray(view.attributeStarts[i], view.attributeEnds[i]));
      return undefined;
    }
    return pairOf(this.own(), name);
  }

  setAttribute(name: string, value: string): void {
    put(this.own(), name, value);
    this.changed = true;
  }

  removeAttribute(name: string): void {
    if (take(this.own(), name)) this.changed = true;
  }

  resourceAttribute(name: string): string | undefined {
    return this.resource === null ? undefined : pairOf(this.resource, name);
  }

  setResource(name: string, value: string): void {
    const pairs = [...(this.resource ?? [])];
    put(pairs, name, value);
    this.resource = this.shared(pairs);
    this.changed = true;
  }

  removeResource(name: string): void {
    const pairs = [...(this.resource ?? [])];
    if (!take(pairs, name)) return;
    this.resource = pairs.length === 0 ? null : this.shared(pairs);
    this.changed = true;
  }

  private shared(pairs: string[]): string[] {
    return this.resources.get(pairs.join('\0'), () => pairs);
  }

  setTime(timeMs: number, subNs: number, zoneAssumedMinutes: number | undefined): void {
    this.timeMs = timeMs;
    this.timeSubNs = subNs;
    this.zoneAssumedMinutes = zoneAssumedMinutes;
    this.changed = true;
  }

  /** As a view: the one that came where nothing changed, else one that holds until the next record. */
  toView(): RecordView {
    const { view: from, out } = this;
    if (from === null) throw new Error('no view was loaded');
    if (!this.changed) return from;
    const attributes = this.own();
    let characters = this.body.length;
    for (let i = 1; i < attributes.length; i += 2) characters += (attributes[i] as string).length;
    if (this.scratch.length < characters * 3) this.scratch = new Uint8Array(characters * 3);
    const { scratch } = this;
    let at = encoder.encodeInto(this.body, scratch).written;
    out.bodyStart = 0;
    out.bodyEnd = at;
    out.attributeCount = attributes.length >> 1;
    for (let i = 0; i < out.attributeCount; i++) {
      out.attributeKeys[i] = attributes[2 * i] as string;
      out.attributeStarts[i] = at;
      at += encoder.encodeInto(attributes[2 * i + 1] as string, scratch.subarray(at)).written;
      out.attributeEnds[i] = at;
    }
    out.bytes = scratch;
    out.timeMs = this.timeMs ?? from.timeMs;
    out.timeSubNs = this.timeSubNs;
    out.zoneAssumedMinutes = this.zoneAssumedMinutes;
    out.observedMs = from.observedMs;
    out.severityNumber = this.severityNumber;
    out.severityText = this.severityText;
    out.service = this.service;
    out.traceId = this.traceId;
    out.spanId = this.spanId;
    out.traceFlags = this.traceFlags;
    out.resource = this.resource;
    out.scope = from.scope;
    out.idempotencyKey = from.idempotencyKey;
    out.ordinal = from.ordinal;
    return out;
  }

  /** As a row: the one that came where nothing changed. */
  toRecord(): LogRecord {
    if (this.record !== null && !this.changed) return this.record;
    const attributes = this.own();
    return {
      ...this.record,
      timeMs: this.timeMs,
      timeSubNs: this.timeSubNs,
      zoneAssumedMinutes: this.zoneAssumedMinutes,
      severityNumber: this.severityNumber,
      severityText: this.severityText,
      service: this.service === '' ? undefined : this.service,
      body: this.body,
      traceId: this.traceId,
      spanId: this.spanId,
      traceFlags: this.traceFlags,
      attributes: attributes.length === 0 ? undefined : attributes,
      resource: this.resource ?? undefined,
    };
  }
}

function pairOf(pairs: readonly string[], name: string): string | undefined {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1];
  return undefined;
}

function put(pairs: string[], name: string, value: string): void {
  for (let i = 0; i < pairs.length; i += 2)
    if (pairs[i] === name) {
      pairs[i + 1] = value;
      return;
    }
  pairs.push(name, value);
}

function take(pairs: string[], name: string): boolean {
  for (let i = 0; i < pairs.length; i += 2)
    if (pairs[i] === name) {
      pairs.splice(i, 2);
      return true;
    }
  return false;
}
