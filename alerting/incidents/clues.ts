/**
 * What findings of different services may have in common: the traces and hosts of their records, and what samples and
 * influencers name. One scanner for all logs:
 * a token is an identifier, a host or address, or a word, by its shape.
 */
import type { Anomaly } from '#protocol/mod.ts';
import type { Clues } from './types.ts';

const idsMax = 12;
const hostsMax = 12;
const wordsMax = 48;
const textsMax = 3;
const textLengthMax = 2_048;

const separators = /[\s"'`,;=()[\]{}<>|*]+/;
/** Hexadecimal or UUID, with digits and letters both: long numbers are times and sizes. */
const identifier = /^(?=[^\d]*\d)(?=[^a-f]*[a-f])[0-9a-f]{12,64}$|^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const ipAddress = /^\d{1,3}(?:\.\d{1,3}){3}$/;
/** `db-3`, `node-1.internal`, `ledger.eu.example.com`. */
const hostName =
  /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*-\d{1,4}$|^[a-z][a-z0-9-]*\d[a-z0-9-]*(?:\.[a-z][a-z0-9-]*)+$|^[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*){2,}$|^[a-z][a-z0-9-]*\.(?:internal|local|lan|svc|cluster)$/;
const word = /^[a-z][a-z0-9_.-]{2,39}$/;
const nobody = new Set(['127.0.0.1', '0.0.0.0', '255.255.255.255']);

export function cluesOf({
  samples,
  influencers,
  description,
  traceIds = [],
  hosts: named = [],
}: Pick<Anomaly, 'samples' | 'influencers' | 'description' | 'traceIds' | 'hosts'>): Clues {
  const ids = new Set<string>();
  const hosts = new Set<string>();
  const words = new Set<string>();
  const texts = new Set<string>();
  for (const id of traceIds) add(ids, id.toLowerCase(), idsMax);
  for (const host of named) if (!nobody.has(host)) add(hosts, host.toLowerCase(), hostsMax);
  for (const text of [...samples, ...influencers.map(({ name }) => name), description]) {
    for (const raw of text.slice(0, textLengthMax).toLowerCase().split(separators)) {
      const token = trimmed(raw);
      if (token.length < 3 || token.length > 80) continue;
      // `10.0.0.7:5432` and `10.0.0.7/v1` are the same host to us.
      const host = (token.split(/[:/]/, 1)[0] as string).replace(/\.$/, '');
      if (identifier.test(token)) add(ids, token, idsMax);
      else if ((ipAddress.test(host) && !nobody.has(host)) || hostName.test(host)) add(hosts, host, hostsMax);
      // A host may be a service as well.
      if (word.test(host)) add(words, host, wordsMax);
    }
  }
  for (const { kind, name } of influencers) if (kind === 'template' && name.length >= 12) add(texts, name, textsMax);
  return { ids: sorted(ids), hosts: sorted(hosts), words: sorted(words), texts: sorted(texts) };
}

/** What either names. Bounded like each; cut in sorted order, so that the order of versions does not matter. */
export function united(a: Clues, b: Clues): Clues {
  if (a === b) return a;
  return {
    ids: merged(a.ids, b.ids, 2 * idsMax),
    hosts: merged(a.hosts, b.hosts, 2 * hostsMax),
    words: merged(a.words, b.words, 2 * wordsMax),
    texts: merged(a.texts, b.texts, 2 * textsMax),
  };
}

/** The first of both sorted lists. One of them where that has it all: findings of a storm mostly say the same. */
function merged(a: readonly string[], b: readonly string[], most: number): readonly string[] {
  let i = 0;
  for (let k = 0; k < b.length; i++) {
    if (i === a.length) return i >= most ? a : mergedFrom(a, b, most);
    const one = a[i] as string;
    const other = b[k] as string;
    if (one === other) k++;
    else if (one > other) return mergedFrom(a, b, most);
  }
  return a.length <= most ? a : a.slice(0, most);
}

function mergedFrom(a: readonly string[], b: readonly string[], most: number): string[] {
  const both: string[] = [];
  for (let i = 0, k = 0; both.length < most && (i < a.length || k < b.length); ) {
    const [one, other] = [a[i], b[k]];
    if (other === undefined || (one !== undefined && one <= other)) {
      both.push(one as string);
      i++;
      if (one === other) k++;
    } else {
      both.push(other);
      k++;
    }
  }
  return both;
}

export function sameClues(a: Clues, b: Clues): boolean {
  const same = (x: readonly string[], y: readonly string[]): boolean =>
    x.length === y.length && x.every((one, at) => one === y[at]);
  return same(a.ids, b.ids) && same(a.hosts, b.hosts) && same(a.words, b.words) && same(a.texts, b.texts);
}

function trimmed(token: string): string {
  return token.replace(/^[.:!?/-]+|[.:!?/-]+$/g, '');
}

function add(set: Set<string>, value: string, most: number): void {
  if (set.size < most) set.add(value);
}

/** By code unit: the same whatever the machine's language. */
function sorted(set: ReadonlySet<string>): string[] {
  return [...set].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
