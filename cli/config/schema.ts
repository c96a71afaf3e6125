/**
 * Every key of the configuration: its kind, default and purpose. Loading, environment names, `--port-…` options and
 * docs/configuration.md follow from this table; a key that no code reads does not belong here.
 */
import { partitionsDefault } from '#protocol/limits.ts';
import { flag, type Kind, port, text, urls, whole } from './kinds.ts';

const mib = 1024 ** 2;
const gib = 1024 ** 3;
/** Worker processes that a supervisor runs at most. */
export const workersMax = 64;
const day = { min: 1, max: 3650 };
const streamBytes = { min: 16 * mib, max: 2 ** 50 };

export const schema = {
  cluster: {
    dataDir: text('.logweir', 'Directory that holds everything the cluster keeps on this machine.'),
    partitions: whole(
      undefined,
      { min: 1, max: 1024 },
      `Partitions of a new cluster; fixed for its life, ${partitionsDefault} when unset.`,
    ),
    workers: whole(1, { min: 1, max: workersMax }, 'Worker processes that `logweir up` starts.'),
    replicas: whole(1, { min: 1, max: 5 }, 'Copies that NATS keeps of every stream; 3 needs three NATS servers.'),
    leaseMs: whole(3_000, { min: 1_000, max: 60_000 }, 'How long a silent leader keeps the lead, in ms.'),
    retainLogs: flag(false, 'Keep messages in the LOGS stream after they are safe in storage, for replay and checks.'),
  },
  servers: {
    natsUrl: urls('NATS servers to use instead of an own one.', ['nats', 'tls', 'ws', 'wss'], 'NATS_URL'),
    redisUrl: urls('Redis server to use instead of an own one.', ['redis', 'rediss'], 'REDIS_URL'),
    clickhouseUrl: urls('ClickHouse server to use instead of the embedded one.', ['http', 'https'], 'CLICKHOUSE_URL'),
    clickhouseUser: text('default', 'User for that ClickHouse server.', { alias: 'CLICKHOUSE_USER' }),
    clickhousePassword: text('', 'Password for that ClickHouse server.', {
      secret: true,
      alias: 'CLICKHOUSE_PASSWORD',
    }),
  },
  ports: {
    bindHost: text(
      '127.0.0.1',
      'Address that API, gateway and ClickHouse interface listen on; 0.0.0.0 opens them to the network. Own NATS and Redis servers stay on loopback.',
    ),
    api: port(8080, 'API and dashboard.'),
    gateway: port(8081, 'Gateway: all HTTP receivers. With 0, receivers take any free port too, unless theirs is set.'),
    otlpHttp: port(4318, 'OpenTelemetry logs over HTTP.'),
    otlpGrpc: port(4317, 'OpenTelemetry logs over gRPC.'),
    loki: port(3100, 'Loki push.'),
    elasticsearch: port(9200, 'Elasticsearch bulk.'),
    splunk: port(8088, 'Splunk HTTP Event Collector.'),
    journald: port(19532, 'systemd-journal-upload.'),
    syslog: port(5514, 'Syslog over UDP, TCP and TLS.'),
    gelf: port(12201, 'GELF over UDP, TCP and TLS.'),
    forward: port(24224, 'Fluent forward over TCP and TLS.'),
    clickhouse: port(8123, 'ClickHouse HTTP interface over the embedded engine.'),
    nats: port(4222, 'nats-server that `logweir up` starts.'),
    redis: port(6379, 'redis-server that `logweir up` starts.'),
    metrics: port(0, 'Metrics, health and readiness of worker, storage and alerting.'),
  },
  streams: {
    logsBytesMax: whole(8 * gib, streamBytes, 'Bytes that the LOGS stream may hold before gateways answer 503.'),
    resultsBytesMax: whole(8 * gib, streamBytes, 'Bytes that the RESULTS stream may hold before workers pause.'),
    anomaliesBytesMax: whole(gib, streamBytes, 'Bytes that the ANOMALIES stream may hold.'),
    alertsBytesMax: whole(gib, streamBytes, 'Bytes that the ALERTS stream may hold.'),
    deadBytesMax: whole(256 * mib, { min: mib, max: 2 ** 50 }, 'Bytes of dead letters; the oldest go beyond it.'),
    deadMaxAgeHours: whole(168, { min: 1, max: 87_600 }, 'Hours that dead letters are kept.'),
  },
  gateway: {
    bodyBytesMax: whole(32 * mib, { min: 1024, max: gib }, 'Largest request body, in bytes; larger ones get 413.'),
    pendingBytesMax: whole(
      256 * mib,
      { min: mib, max: 64 * gib },
      'Bytes that may wait for the stream before requests get 503.',
    ),
    connectionsMax: whole(4_096, { min: 1, max: 1_000_000 }, 'Connections that the HTTP ports hold together.'),
    connectionsPerAddressMax: whole(1_024, { min: 1, max: 1_000_000 }, '… and how many of them from one address.'),
    trustProxy: text(
      '',
      'Addresses or networks of proxies, by comma, whose `X-Forwarded-For` names the sender; none when unset.',
    ),
    splunkTokens: text('', 'Tokens that clients of Splunk HEC must have one of, by comma; any does when unset.', {
      secret: true,
    }),
    datadogKeys: text('', 'API keys that Datadog clients must have one of, by comma; any does when unset.', {
      secret: true,
    }),
    firehoseKeys: text('', 'Access keys that Amazon Data Firehose must have one of, by comma; any does when unset.', {
      secret: true,
    }),
    tlsCertFile: text('', 'PEM file with the certificate for HTTPS, which then works on all HTTP and gRPC ports.'),
    tlsKeyFile: text('', 'PEM file with the key of that certificate.'),
    tlsClientCaFile: text('', 'PEM file with the authorities that clients must have a certificate of.'),
    tlsRequired: flag(false, 'Refuse HTTP connections without TLS, but those of this machine.'),
  },
  quotas: {
    sources: text(
      '',
      'What one client address may send a second, as `PATTERN=RECORDS,BYTES; …`, the first that fits; 0 or unset for no limit. Each gateway counts for itself.',
    ),
    services: text('', 'What may be sent a second of one service, likewise by name.'),
  },
  receivers: {
    syslog: flag(true, 'Take syslog (RFC 3164, RFC 5424).'),
    gelf: flag(true, 'Take GELF.'),
    forward: flag(true, 'Take Fluent forward.'),
    nats: flag(true, 'Take logs that are published to the NATS subjects `logs.in.<service>`.'),
    forwardSharedKey: text('', 'Key that forward clients must know (`shared_key`); empty for none.', { secret: true }),
    syslogUtcOffsetMinutes: whole(
      0,
      { min: -720, max: 840 },
      'Minutes east of UTC of syslog stamps that name no zone, as those of RFC 3164 do not.',
    ),
    connectionsMax: whole(1_024, { min: 1, max: 100_000 }, 'Connections that one of them holds.'),
    connectionsPerAddressMax: whole(256, { min: 1, max: 100_000 }, '… and how many of them from one address.'),
    idleMs: whole(
      3_600_000,
      { min: 1_000, max: 86_400_000 },
      'Time after which a connection on which nothing comes is ended, in ms.',
    ),
    pendingBytesMax: whole(
      64 * mib,
      { min: mib, max: 64 * gib },
      'Bytes that may wait for the stream before connections are not read and datagrams are dropped.',
    ),
    tlsCertFile: text('', 'PEM file with the certificate for TLS, which then works on the ports of all of them.'),
    tlsKeyFile: text('', 'PEM file with the key of that certificate.'),
    tlsClientCaFile: text('', 'PEM file with the authorities that clients must have a certificate of.'),
    tlsRequired: flag(false, 'Refuse TCP connections without TLS.'),
  },
  workers: {
    checkpointEveryMs: whole(
      5_000,
      { min: 500, max: 600_000 },
      'Time between two checkpoints of a partition, in ms; longer, up to 30 s, where that would take over 2 % of a core.',
    ),
  },
  training: {
    everyHours: whole(
      24,
      { min: 0, max: 8_760 },
      'Hours between two trainings of the model that classifies, which the leader runs and publishes from if it is better; 0: only when asked.',
    ),
    onDrift: flag(true, 'Train as well when services drift, at most once an hour.'),
    rangeDays: whole(7, { min: 1, max: 365 }, 'Days of stored logs that a model is trained and scored on.'),
  },
  storage: {
    logsTtlDays: whole(30, day, 'Days that logs are kept, counted from when they were received.'),
    findingsTtlDays: whole(180, day, 'Days that windows, templates, anomalies, alerts and incidents are kept.'),
    rollupsTtlDays: whole(400, day, 'Days that minute and hour rollups are kept.'),
    sqlWritable: flag(false, 'Allow INSERT and DDL on the ClickHouse interface of the embedded engine.'),
    sqlPassword: text('', 'Password that the ClickHouse interface of the embedded engine asks for.', { secret: true }),
  },
} as const satisfies Record<string, Record<string, Kind<unknown>>>;

/** Ports of the gateway beside its main one, where clients of a protocol look for it. */
export const receiverPorts = [
  'otlpHttp',
  'otlpGrpc',
  'loki',
  'elasticsearch',
  'splunk',
  'journald',
  'syslog',
  'gelf',
  'forward',
] as const satisfies readonly (keyof typeof schema.ports)[];

/** Sections that their own folders validate; any keys here, checked by `analysis/`, `alerting/` and `ingest/` at start. */
export const rawSections = {
  analysis: 'Templates, classification, windows and detectors.',
  alerting: 'Rules, channels (webhook, Slack, SMTP) and routes.',
  pipeline:
    'What is made of records before they are stored: own formats, times, mapping, sampling, redaction. See [the pipeline](pipeline.md).',
} as const;

type Schema = typeof schema;
export type RawSectionName = keyof typeof rawSections;

export type Config = {
  readonly [S in keyof Schema]: {
    readonly [K in keyof Schema[S]]: Schema[S][K] extends Kind<infer T> ? T : never;
  };
} & { readonly [S in RawSectionName]: Readonly<Record<string, unknown>> };

/** `bodyBytesMax` of `gateway` → `LOGWEIR_GATEWAY_BODY_BYTES_MAX`. */
export function environmentName(section: string, key?: string): string {
  const words = key === undefined ? section : `${section}_${key.replace(/[A-Z]/g, (letter) => `_${letter}`)}`;
  return `LOGWEIR_${words.toUpperCase()}`;
}

export function kindsOf(section: string): Readonly<Record<string, Kind<unknown>>> | undefined {
  return Object.hasOwn(schema, section)
    ? (schema as Record<string, Record<string, Kind<unknown>>>)[section]
    : undefined;
}
