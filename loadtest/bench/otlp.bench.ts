/**
 * OTLP protobuf to columns: the reader of the gateway against the same request decoded by protobufjs, both into a batch.
 * CPU, ns a record, best of several rounds: node loadtest/bench/otlp.bench.ts
 */
import process from 'node:process';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer';
import protobuf from 'protobufjs';
import { ProtobufLogs } from '../../ingest/otlp/protobuf-logs.ts';
import { BatchBuilder, RecordView, viewOf } from '#protocol/mod.ts';

const records = 8_000;
const rounds = 15;
const nowMs = 1_780_000_000_000;

const schema = `syntax = "proto3"; package o;
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Scope { string name = 1; string version = 2; }
message Resource { repeated KeyValue attributes = 1; }
message LogRecord { fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3; AnyValue body = 5;
  repeated KeyValue attributes = 6; uint32 dropped = 7; fixed32 flags = 8; bytes trace_id = 9; bytes span_id = 10;
  fixed64 observed = 11; string event_name = 12; }
message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
message Request { repeated ResourceLogs resource_logs = 1; }`;

function request(integers: boolean): Buffer {
  const resource = resourceFromAttributes({
    'service.name': 'checkout',
    'host.name': 'web-1',
    'k8s.pod.name': 'checkout-7f',
  });
  const logs = Array.from({ length: records }, (_, i) => ({
    hrTime: [1_780_000_000, i * 1_000] as [number, number],
    hrTimeObserved: [1_780_000_000, i * 1_000] as [number, number],
    severityNumber: 9,
    severityText: 'INFO',
    body: `order ${i} of customer ${i * 7} confirmed in ${i % 900} ms, total ${(i % 5_000) / 100} EUR, carrier express`,
    resource,
    instrumentationScope: { name: 'shop.orders', version: '1.0.0' },
    attributes: {
      'http.request.method': 'POST',
      'url.path': '/orders',
      ...(integers ? { 'http.response.status_code': 200 } : {}),
    },
    droppedAttributesCount: 0,
    spanContext: { traceId: i.toString(16).padStart(32, 'a'), spanId: i.toString(16).padStart(16, 'b'), traceFlags: 1 },
  }));
  return Buffer.from(ProtobufLogsSerializer.serializeRequest(logs as never) as Uint8Array);
}

function own(body: Buffer): number {
  const builder = new BatchBuilder('live', 'bench');
  const logs = new ProtobufLogs(body, nowMs);
  while (logs.next() === 'record') builder.add(logs.view, nowMs);
  return builder.take()?.rows ?? 0;
}

interface Any {
  stringValue?: string;
  intValue?: unknown;
}
interface Decoded {
  resourceLogs: {
    resource: { attributes: { key: string; value: Any }[] };
    scopeLogs: { scope: { name: string; version: string }; logRecords: Record<string, unknown>[] }[];
  }[];
}

function library(body: Buffer, type: protobuf.Type): number {
  const builder = new BatchBuilder('live', 'bench');
  const view = new RecordView();
  const text = (value: Any): string => value.stringValue ?? String(value.intValue);
  for (const { resource, scopeLogs } of (type.decode(body) as unknown as Decoded).resourceLogs) {
    const pairs = resource.attributes.flatMap(({ key, value }) => [key, text(value)]);
    for (const { scope, logRecords } of scopeLogs) {
      const pair: [string, string] = [scope.name, scope.version];
      for (const record of logRecords) {
        const time = BigInt((record['timeUnixNano'] as { toString(): string }).toString());
        const attributes = record['attributes'] as { key: string; value: Any }[];
        viewOf(
          {
            timeMs: Number(time / 1_000_000n),
            timeSubNs: Number(time % 1_000_000n),
            severityNumber: record['severityNumber'] as number,
            severityText: record['severityText'] as string,
            service: 'checkout',
            body: text(record['body'] as Any),
            traceId: Buffer.from(record['traceId'] as Uint8Array).toString('hex'),
            spanId: Buffer.from(record['spanId'] as Uint8Array).toString('hex'),
            traceFlags: record['flags'] as number,
            attributes: attributes.flatMap(({ key, value }) => [key, text(value)]),
            resource: pairs,
            scope: pair,
          },
          { observedMs: nowMs, service: '' },
          view,
        );
        builder.add(view, nowMs);
      }
    }
  }
  return builder.take()?.rows ?? 0;
}

function measure(name: string, run: () => number): void {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < rounds; i++) {
    const before = process.cpuUsage();
    const rows = run();
    const { user, system } = process.cpuUsage(before);
    if (rows !== records) throw new Error(`${name}: ${rows} rows`);
    best = Math.min(best, ((user + system) * 1_000) / records);
  }
  console.log(`${name.padEnd(36)} ${best.toFixed(0)} ns a record`);
}

const type = protobuf.parse(schema).root.lookupType('o.Request');
for (const integers of [false, true]) {
  const body = request(integers);
  const what = integers ? 'with an integer attribute' : 'strings only';
  console.log(`${what}: ${(body.length / records).toFixed(0)} bytes a record`);
  measure('  in place', () => own(body));
  measure('  protobufjs', () => library(body, type));
}
