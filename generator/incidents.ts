/** Incidents that the generator can inject: each has its name, its time, and how it bends the traffic of a service. */
import type { Message } from './vocabulary.ts';

export interface Incident {
  kind:
    | 'error_spike'
    | 'latency_creep'
    | 'silence'
    | 'new_exception'
    | 'volume_surge'
    | 'broken_sequence'
    | 'login_attack'
    | 'dependency_failure';
  service: string;
  fromMs: number;
  toMs: number;
}

/** What an incident does to its service at a moment. */
export interface Bend {
  /** Factor on the service's rate. */
  rate: number;
  /** Factor on its latencies. */
  latency: number;
  /** Messages that come on top, with the rate of each in messages per usual message. */
  extra: readonly Message[];
}

const none: Bend = { rate: 1, latency: 1, extra: [] };

export function bendOf(incident: Incident, nowMs: number): Bend {
  if (nowMs < incident.fromMs || nowMs >= incident.toMs) return none;
  const progress = (nowMs - incident.fromMs) / (incident.toMs - incident.fromMs);
  switch (incident.kind) {
    case 'error_spike':
      return {
        ...none,
        extra: [
          { level: 'ERROR', weight: 0.5, text: 'connection to {host} refused after {n} attempts' },
          { level: 'ERROR', weight: 0.2, text: 'request {id} failed: upstream {host} is unavailable' },
        ],
      };
    case 'latency_creep':
      return { ...none, latency: 1 + 3 * progress };
    case 'silence':
      return { ...none, rate: 0 };
    case 'new_exception':
      return {
        ...none,
        extra: [
          {
            level: 'ERROR',
            weight: 0.15,
            text: 'unhandled TypeError: cannot read properties of undefined (reading price) in applyDiscount for order {id}',
          },
        ],
      };
    case 'volume_surge':
      return { ...none, rate: 6 };
    case 'broken_sequence':
      return {
        ...none,
        extra: [
          { level: 'WARN', weight: 0.02, text: 'disk of {host} is 9{n} percent full' },
          { level: 'WARN', weight: 0.02, text: 'compaction paused on {host}' },
          { level: 'ERROR', weight: 0.02, text: 'write stalled on {table} for {ms} ms' },
        ],
      };
    case 'login_attack':
      return {
        ...none,
        extra: [{ level: 'WARN', weight: 2, text: 'login of user {user} from {ip} failed: wrong password' }],
      };
    case 'dependency_failure':
      return { ...none, extra: failuresOf[incident.service] ?? [] };
  }
}

/** What each service of a cascade says while the one below it fails. */
const failuresOf: Readonly<Record<string, readonly Message[]>> = {
  'orders-db': [
    { level: 'ERROR', weight: 0.5, text: 'orders-db-3 is out of connections: rejected client {ip}' },
    { level: 'ERROR', weight: 0.2, text: 'statement on {table} cancelled after {big} ms on orders-db-3' },
  ],
  payments: [
    { level: 'ERROR', weight: 0.4, text: 'payment {id} not stored: orders-db-3:5432 did not answer within {big} ms' },
    { level: 'WARN', weight: 0.2, text: 'pool for orders-db-3 exhausted, {n} waiting' },
  ],
  checkout: [{ level: 'ERROR', weight: 0.5, text: 'order {id} failed: payments answered 503 after {n} attempts' }],
};

/** A failing database reaches payments half a minute later, and checkout half a minute after that. */
export function cascade(fromMs: number, lengthMs = 120_000): Incident[] {
  return ['orders-db', 'payments', 'checkout'].map((service, at) => ({
    kind: 'dependency_failure',
    service,
    fromMs: fromMs + at * 30_000,
    toMs: fromMs + lengthMs,
  }));
}

const kinds: readonly [Incident['kind'], string, number][] = [
  ['error_spike', 'payments', 60_000],
  ['new_exception', 'checkout', 45_000],
  ['volume_surge', 'search', 60_000],
  ['login_attack', 'auth', 60_000],
  ['broken_sequence', 'orders-db', 60_000],
  ['latency_creep', 'catalog', 240_000],
  ['silence', 'notifications', 150_000],
];

/** Incidents one after another from a moment on, `everyMs` apart, in a fixed round that begins with the `first` of it. */
export function incidentRound(fromMs: number, everyMs: number, count: number, first = 0): Incident[] {
  return Array.from({ length: count }, (_, i) => {
    const [kind, service, lengthMs] = kinds[(first + i) % kinds.length] as [Incident['kind'], string, number];
    const start = fromMs + i * everyMs;
    return { kind, service, fromMs: start, toMs: start + lengthMs };
  });
}
