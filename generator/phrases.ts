/**
 * Message texts made from a seed, for scenarios whose words nobody chose: every service of every world gets its own.
 * A phrase is text with holes, like those of `vocabulary.ts`: {id}, {n}, {big}, {ms}, {ip}, {user}, {host}, {path}, {version}.
 */
import type { Random } from './random.ts';

/** One kind of message. */
export interface Phrase {
  /** 1–24. */
  severityNumber: number;
  /** Carries a latency. */
  timed: boolean;
  /** A message of this kind. */
  fill(random: Random, state: FillState): string;
}

export interface FillState {
  /** Factor on latencies. */
  latency: number;
  /** What deploys change: the version that runs. */
  version: string;
  /** The id that a message and the one that follows it have in common. */
  id: string;
}

/** What one service can say. */
export interface ServiceTexts {
  info: Phrase[];
  debug: Phrase[];
  warnings: Phrase[];
  errors: Phrase[];
  /** Never said but in an incident. */
  freshErrors: Phrase[];
  /** Never said but after a deploy. */
  freshInfo: Phrase[];
}

const nouns = [
  'order batch invoice ledger shipment voucher tenant quota lease replica segment snapshot cursor pipeline stage bucket',
  'manifest certificate session handshake mailbox thumbnail playlist transcode ticket seat booking fare itinerary route',
  'sensor reading device firmware gateway meter contract policy claim premium patient record dosage lab sample cohort',
  'ranking feature embedding vector shard index checkpoint journal page table migration schema consumer topic offset',
]
  .join(' ')
  .split(' ');
const verbs = [
  'accepted created stored loaded published indexed rendered dispatched reserved priced settled archived merged split',
  'compacted replicated rotated refreshed validated parsed resolved matched scheduled queued acknowledged committed',
]
  .join(' ')
  .split(' ');
const failures = [
  'refused by peer',
  'timed out',
  'rejected: checksum mismatch',
  'failed: permission denied',
  'lost: connection reset',
  'aborted: deadlock detected',
  'could not be parsed',
  'is corrupt',
  'failed: no such entry',
  'unavailable',
];
const exceptions =
  'NullPointer IllegalState IndexOutOfBounds Arithmetic ClassCast Serialization Timeout KeyMissing'.split(' ');
const worries = ['is slow', 'is nearly full', 'was retried', 'is stale', 'fell behind', 'took longer than expected'];
const details = [
  'for user {user}',
  'on {host}',
  'from {ip}',
  'with {n} entries',
  'of {big} bytes',
  'id={id}',
  'in partition {n}',
  'via {path}',
  'request {id}',
];

/** Texts with no two alike, for one service. `latencyMs` is the usual value of {ms}. */
export function inventTexts(random: Random, size: number, latencyMs: number, mute: boolean): ServiceTexts {
  // Who states no severity says it in words.
  const prefix = mute ? 'error: ' : '';
  const seen = new Set<string>();
  const unique = (make: () => string): string => {
    for (;;) {
      const text = make();
      const key = text.replace(/\{\w+\}/g, '');
      if (seen.has(key)) continue;
      seen.add(key);
      return text;
    }
  };
  const detail = (): string => (random.next() < 0.75 ? ` ${random.pick(details)}` : '');
  const took = (share: number): string =>
    random.next() < share ? random.pick([' in {ms} ms', ' took {ms}ms', ' ({ms} ms)']) : '';
  const thing = (): string =>
    random.next() < 0.4 ? `${random.pick(nouns)} ${random.pick(nouns)}` : random.pick(nouns);
  const make = (severityNumber: number, text: () => string): Phrase =>
    phraseOf(severityNumber, unique(text), latencyMs);
  const many = (count: number, one: () => Phrase): Phrase[] => Array.from({ length: count }, one);
  return {
    info: many(size, () => make(9, () => `${thing()} {id} ${random.pick(verbs)}${detail()}${took(0.45)}`)),
    debug: many(2 + random.below(5), () =>
      make(5, () => `${random.pick(['cache', 'lookup of', 'probe of'])} ${thing()}${detail()}${took(0.3)}`),
    ),
    warnings: many(1 + random.below(4), () => make(13, () => `${thing()} {id} ${random.pick(worries)}${detail()}`)),
    errors: many(1 + random.below(4), () =>
      make(17, () => `${prefix}${thing()} {id} ${random.pick(failures)}${detail()}`),
    ),
    freshErrors: many(4, () =>
      make(
        17,
        () =>
          `${prefix}unhandled ${random.pick(exceptions)}Exception while ${thing()} was ${random.pick(verbs)}${detail()}`,
      ),
    ),
    freshInfo: many(8, () =>
      make(
        9,
        () => `${random.pick(['starting', 'loading', 'registering', 'warming'])} ${thing()} {version}${detail()}`,
      ),
    ),
  };
}

/** A phrase of text with holes. */
export function phraseOf(severityNumber: number, text: string, latencyMs: number): Phrase {
  const parts = text.split(/\{(\w+)\}/);
  return {
    severityNumber,
    timed: text.includes('{ms}'),
    fill(random, state) {
      let result = parts[0] as string;
      for (let i = 1; i < parts.length; i += 2)
        result += hole(parts[i] as string, random, state, latencyMs) + (parts[i + 1] as string);
      return result;
    },
  };
}

function hole(name: string, random: Random, state: FillState, latencyMs: number): string {
  switch (name) {
    case 'id':
      return state.id;
    case 'n':
      return String(1 + random.below(40));
    case 'big':
      return String(1_000 + random.below(900_000));
    case 'ms':
      return String(Math.max(1, Math.round(latencyMs * state.latency * Math.exp(0.45 * random.normal()))));
    case 'ip':
      return `10.${random.below(64)}.${random.below(256)}.${1 + random.below(254)}`;
    case 'user':
      return `u${random.below(90_000)}`;
    case 'host':
      return `node-${1 + random.below(12)}.internal`;
    case 'path':
      return `/api/v${1 + random.below(3)}/${random.hex(6)}`;
    default:
      return state.version;
  }
}
