/** A small cluster that never was: seeded services, logs, incidents. The same seed and clock give the same answers. */
import type { StoredEvidence } from '../ports.ts';
import type { AlertItem, ClusterStatus, LogItem, SeverityCounts, TemplateItem } from '../types.ts';

export interface SeedService {
  name: string;
  perMinute: number;
  errorShare: number;
  warnShare: number;
}

export const seedServices: readonly SeedService[] = [
  ['edge-proxy', 5200, 0.004, 0.01],
  ['checkout', 2300, 0.006, 0.02],
  ['catalog', 2100, 0.002, 0.008],
  ['payments', 1350, 0.009, 0.03],
  ['search', 1200, 0.003, 0.02],
  ['cart', 980, 0.003, 0.01],
  ['auth', 870, 0.012, 0.05],
  ['inventory', 640, 0.005, 0.02],
  ['recommendations', 420, 0.002, 0.015],
  ['mailer', 160, 0.02, 0.04],
  ['scheduler', 90, 0.001, 0.01],
  ['audit', 45, 0, 0.002],
].map(([name, perMinute, errorShare, warnShare]) => ({ name, perMinute, errorShare, warnShare }) as SeedService);

/** Mulberry32: uniform in [0, 1), from a 32-bit seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Times before now, in ms, at which things went wrong. */
export const incidents = [
  { service: 'payments', agoMs: 23 * 60_000, lengthMs: 23 * 60_000, detector: 'error_spike' },
  { service: 'checkout', agoMs: 22 * 60_000, lengthMs: 5 * 60_000, detector: 'error_spike' },
  { service: 'auth', agoMs: 41 * 60_000, lengthMs: 2 * 60_000, detector: 'new_template' },
  { service: 'search', agoMs: 9 * 60_000, lengthMs: 4 * 60_000, detector: 'volume_surge' },
  { service: 'mailer', agoMs: 52 * 60_000, lengthMs: 3 * 60_000, detector: 'sequence_match' },
  { service: 'inventory', agoMs: 33 * 60_000, lengthMs: 8 * 60_000, detector: 'multi_feature' },
  { service: 'edge-proxy', agoMs: 5 * 60_000, lengthMs: 5 * 60_000, detector: 'volume_surge' },
] as const;

/** Bodies that must stay text whatever shows them: markup, a handler, terminal escapes, NUL, right-to-left override. */
export const hostileBodies: readonly string[] = [
  '<script>window.pwned = 1</script> login from 10.0.0.7',
  '<img src=x onerror="window.pwned = 2"> avatar missing',
  '\u001b[31mERROR\u001b[0m \u001b]0;title\u0007 connection reset \u0000 by peer \u202Etxt.exe',
];

const bodies: readonly [string, number][] = [
  ['POST /v1/charges 502 upstream connect error: connection to 10.2.7.41:8443 refused', 17],
  ['connection to ledger-db:5432 refused after 3 attempts', 17],
  ['charge ch_9f3e2a77 accepted in 48 ms', 9],
  ['retrying settlement batch 118 in 250 ms', 13],
  ['GET /healthz 200 1 ms', 9],
  ['card token tok_77aa1b resolved from cache', 5],
  ['circuit breaker ledger-db opened: 12 failures in 10 s', 21],
];

const descriptions: Readonly<Record<string, string>> = {
  error_spike: "errors 41.2/min against a typical 2.1/min for 90 s; 93 % are 'connection to <*> refused'",
  new_template: "a template never seen before: 'signature of key <*> does not verify'",
  volume_surge: 'records 114/s against a typical 40/s for 4 min, 2.8 times as many',
  sequence_match: "'queue full' → 'bounce' → 'suspended' within 60 s",
  multi_feature: 'volume, warnings and template mix moved together',
};

export function seedAnomalies(nowMs: number): StoredEvidence[] {
  return incidents
    .map(({ service, agoMs, lengthMs, detector }, index): StoredEvidence => {
      const startMs = nowMs - agoMs;
      const decidedAtMs = startMs + 30_000;
      return {
        id: (0xa1b2c3d4e5f60 + index).toString(16).padStart(16, '0'),
        service,
        lane: 'live',
        detector,
        subject: '',
        startMs,
        endMs: Math.min(nowMs - 20_000, startMs + lengthMs),
        decidedAtMs,
        score: [97, 88, 64, 71, 55, 42, 31][index] as number,
        actual: [41.2, 27.5, 1, 3410, 1, 0.83, 2911][index] as number,
        typical: [2.1, 1.4, 0, 1204, 0, 0.21, 2604][index] as number,
        description: `${service}: ${descriptions[detector]}`,
        revised: index === 1,
        open: lengthMs >= agoMs,
        influencers: [
          { kind: 'template', name: 'connection to <*> refused', share: 0.93 },
          { kind: 'feature', name: 'errorCount', share: 0.61 },
          { kind: 'severity', name: 'ERROR', share: 0.48 },
        ],
        traceIds: ['4bf92f3577b34da6a3ce929d0e0e4736'],
        hosts: ['node-1'],
        samples: [bodies[1]?.[0] as string, bodies[0]?.[0] as string, hostileBodies[0] as string],
        watermarkMs: decidedAtMs - 2000,
        lateCount: index === 1 ? 3 : 0,
        receipt: {
          eventMs: decidedAtMs,
          gatewayMs: decidedAtMs + 4,
          processingMs: decidedAtMs + 11,
          detectedMs: decidedAtMs + 13,
        },
      };
    })
    .sort((a, b) => Number(b.open) - Number(a.open) || b.startMs - a.startMs);
}

/** A log every `everyMs` of a service, newest first: enough to page through. */
export function seedLogs(nowMs: number, service: string, everyMs: number, count: number): LogItem[] {
  return Array.from({ length: count }, (_, index) => {
    const random = seeded(index * 7919 + service.length);
    const hostile = index % 9 === 4;
    const [body, severityNumber] = bodies[Math.floor(random() * bodies.length)] as [string, number];
    const said = index % 11 !== 3;
    const name =
      severityNumber >= 21
        ? 'FATAL'
        : severityNumber >= 17
          ? 'ERROR'
          : severityNumber >= 13
            ? 'WARN'
            : severityNumber >= 9
              ? 'INFO'
              : 'DEBUG';
    return {
      timeMs: nowMs - 1000 - index * everyMs,
      subNs: Math.floor(random() * 1_000_000),
      service,
      severityText: said ? name : '',
      severityNumber: said ? severityNumber : 0,
      predictedSeverityText: said ? '' : name,
      predictedSeverityNumber: said ? 0 : severityNumber,
      confidence: said ? 0 : 0.91,
      category: severityNumber >= 17 ? 'network' : 'request',
      body: hostile ? (hostileBodies[Math.floor(index / 9) % hostileBodies.length] as string) : body,
      templateId: (0x77aa00 + (index % bodies.length)).toString(16).padStart(16, '0'),
      traceId: index % 3 === 0 ? '4bf92f3577b34da6a3ce929d0e0e4736' : '',
      spanId: index % 3 === 0 ? '00f067aa0ba902b7' : '',
      attributes: { 'http.request.method': 'POST', 'server.address': 'ledger-db', attempt: String(index % 4) },
      resource: { 'host.name': 'node-7', 'deployment.environment.name': 'production' },
      lane: 'live',
      partition: 17,
      sequence: 90_000 - index,
    };
  });
}

export function seedTemplates(nowMs: number): TemplateItem[] {
  const texts: [string, string, string, string, number][] = [
    ['edge-proxy', 'GET <*> 200 <*> ms', 'request', 'INFO', 1_204_332],
    ['payments', 'charge <*> accepted in <*> ms', 'request', 'INFO', 203_981],
    ['payments', 'connection to <*> refused after <*> attempts', 'network', 'ERROR', 4_112],
    ['checkout', 'POST <*> 502 upstream connect error: connection to <*> refused', 'network', 'ERROR', 2_077],
    ['auth', 'signature of key <*> does not verify', 'security', 'WARN', 41],
    ['mailer', 'queue full, bounce of <*> suspended', 'messaging', 'ERROR', 12],
    ['search', 'query <*> took <*> ms over <*> shards', 'performance', 'INFO', 88_102],
  ];
  return texts.map(([service, template, category, severityText, count], index) => ({
    templateId: (0x77aa00 + index).toString(16).padStart(16, '0'),
    service,
    template,
    count,
    firstSeenMs: nowMs - (index === 4 ? 41 * 60_000 : (20 - index) * 86_400_000),
    lastSeenMs: nowMs - index * 7000,
    category,
    severityText,
  }));
}

export function seedAlerts(nowMs: number): AlertItem[] {
  return seedAnomalies(nowMs)
    .filter(({ score }) => score >= 60)
    .map((anomaly, index) => ({
      id: anomaly.id.replace('a', 'e'),
      transition: index % 2 === 0 ? 1 : 2,
      state: index % 2 === 0 ? ('firing' as const) : ('resolved' as const),
      changedMs: anomaly.decidedAtMs + (index % 2) * 300_000,
      service: anomaly.service,
      lane: 'live',
      detector: anomaly.detector,
      subject: anomaly.subject,
      anomalyId: anomaly.id,
      score: anomaly.score,
      actual: anomaly.actual,
      typical: anomaly.typical,
      description: anomaly.description,
      groupKey: anomaly.service,
      channels: index === 1 ? [] : ['slack', 'on-call'],
      suppressedBy: index === 1 ? 'silence: planned maintenance' : '',
      receipt: anomaly.receipt,
    }));
}

/** Logs, errors and warnings of a service in the minute that starts at `startMs`, incidents included. */
export function seedMinute(
  service: SeedService,
  startMs: number,
  nowMs: number,
): { logs: number; errors: number; warns: number } {
  const random = seeded(startMs / 60_000 + service.name.length * 104_729);
  const hour = (startMs / 3_600_000) % 24;
  const day = 0.75 + 0.25 * Math.sin(((hour - 9) / 24) * 2 * Math.PI);
  const incident = incidents.find(
    (candidate) =>
      candidate.service === service.name &&
      startMs >= nowMs - candidate.agoMs - 60_000 &&
      startMs < nowMs - candidate.agoMs + candidate.lengthMs,
  );
  const louder = incident?.detector === 'volume_surge' ? 2.2 : 1;
  const logs = Math.round(service.perMinute * day * louder * (0.94 + 0.12 * random()));
  const errorShare =
    incident?.detector === 'error_spike' ? 0.16 + 0.1 * random() : service.errorShare * (0.6 + 0.8 * random());
  return {
    logs,
    errors: Math.round(logs * errorShare),
    warns: Math.round(logs * service.warnShare * (0.7 + 0.6 * random())),
  };
}

export function seedCounts({ logs, errors, warns }: { logs: number; errors: number; warns: number }): SeverityCounts {
  const fatal = Math.round(errors * 0.06);
  const debug = Math.round(logs * 0.12);
  const info = Math.max(0, logs - errors - warns - debug);
  return { FATAL: fatal, ERROR: errors - fatal, WARN: warns, INFO: info, DEBUG: debug, TRACE: 0, UNKNOWN: 0 };
}

export function seedCluster(): ClusterStatus {
  const rate = (perMinute: number): number => perMinute / 60;
  const process = { host: 'laptop', heartbeatAgeMs: 240, counters: {} };
  const workers = [0, 1, 2].map((index) => ({
    ...process,
    id: `worker-${index + 1}`,
    pid: 4100 + index,
    partitions: Array.from({ length: 64 }, (_, partition) => partition).filter((partition) => partition % 3 === index),
    recordsPerSecond: [112.4, 84.1, 61.6][index] as number,
    lagMs: [4, 7, 1840][index] as number,
    rssBytes: (182 + index * 9) * 1024 * 1024,
  }));
  return {
    partitions: 64,
    leader: 'coordinator-1',
    epoch: 7,
    workers,
    gateways: [{ ...process, id: 'gateway-1', pid: 4090, recordsPerSecond: 258.1, rssBytes: 143 * 1024 * 1024 }],
    others: [
      { ...process, role: 'storage', id: 'storage-1', pid: 4080, recordsPerSecond: 258, rssBytes: 812 * 1024 * 1024 },
    ],
    streams: [
      { name: 'LOGS', messages: 48_212, bytes: 391_222_410, limitBytes: 2_147_483_648 },
      { name: 'RESULTS', messages: 311, bytes: 41_002_113, limitBytes: 1_073_741_824 },
      { name: 'ANOMALIES', messages: 7, bytes: 9_112, limitBytes: 268_435_456 },
      { name: 'ALERTS', messages: 4, bytes: 4_020, limitBytes: 268_435_456 },
    ],
    services: seedServices.map(({ name, perMinute, errorShare }) => ({
      service: name,
      recordsPerSecond: rate(perMinute),
      errorsPerSecond: rate(perMinute) * errorShare,
    })),
    totals: { recordsPerSecond: 258.1, errorsPerSecond: 1.4, lagMs: 1840 },
  };
}
