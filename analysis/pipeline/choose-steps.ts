/** Steps that decide about records: `drop`, `keep`, `sample`, `dead`, `redirect`. */
import { serviceNameBytesMax } from '#protocol/mod.ts';
import { type FieldRef, fieldRef } from './field.ts';
import type { Item } from './item.ts';
import { group, isGroup, optionalText, shown, text, texts, wrong } from './reading.ts';
import { Outcome, pass, type Step } from './step.ts';

/** The reason of a step that needs nothing else: `drop: true`, `drop: health checks`, `drop: { reason: … }`. */
function reasonOf(raw: unknown, path: string, fallback: string): string {
  if (raw === true || raw === null) return fallback;
  const given = isGroup(raw) ? group(raw, path, ['reason']) : { reason: raw };
  return optionalText(given['reason'], isGroup(raw) ? `${path}.reason` : path) ?? fallback;
}

/** @throws LogweirError CONFIG_INVALID */
export function dropStep(raw: unknown, path: string, name: string): Step {
  const dropped = new Outcome('drop', name, reasonOf(raw, path, 'dropped'));
  return { outcomes: [dropped], run: (item) => (item.kept ? pass : dropped) };
}

export function deadStep(raw: unknown, path: string, name: string): Step {
  const dead = new Outcome('dead', name, reasonOf(raw, path, 'set aside'));
  return { outcomes: [dead], run: () => dead };
}

/** What meets its condition passes later drop and sample steps. */
export function keepStep(raw: unknown, path: string, name: string): Step {
  const kept = new Outcome('ok', name, reasonOf(raw, path, 'kept'));
  return {
    outcomes: [kept],
    run(item) {
      item.kept = true;
      return kept;
    },
  };
}

/** The record goes on as another service's, at once: later steps do not see it. */
export function redirectStep(raw: unknown, path: string, name: string): Step {
  const given = isGroup(raw) ? group(raw, path, ['service', 'reason']) : { service: raw };
  const service = text(given['service'], isGroup(raw) ? `${path}.service` : path, serviceNameBytesMax);
  const redirected = new Outcome('redirect', name, optionalText(given['reason'], `${path}.reason`) ?? `to ${service}`);
  return {
    outcomes: [redirected],
    run(item) {
      if (item.service !== '' && item.service !== service) item.setAttribute('redirected.from', item.service);
      item.service = service;
      item.changed = true;
      return redirected;
    },
  };
}

/** Keeps a share by the hash of a key: all records of a trace or none, on every gateway alike. @throws LogweirError CONFIG_INVALID */
export function sampleStep(raw: unknown, path: string, name: string): Step {
  const given = isGroup(raw) ? group(raw, path, ['rate', 'key']) : { rate: raw };
  const rate = given['rate'];
  if (typeof rate !== 'number' || !(rate >= 0 && rate <= 1))
    throw wrong(
      isGroup(raw) ? `${path}.rate` : path,
      `is ${shown(rate)}`,
      'It must be a share from 0 to 1, such as 0.1.',
    );
  const keys: FieldRef[] =
    given['key'] === undefined
      ? [fieldRef('trace_id', path)]
      : texts(given['key'], `${path}.key`, 8).map((key, i) => fieldRef(key, `${path}.key[${i}]`));
  const out = new Outcome('drop', name, 'sampled out');
  const limit = rate * 2 ** 32;
  return { outcomes: [out], run: (item) => (item.kept || hash(keyOf(keys, item)) < limit ? pass : out) };
}

/** Where no key is, each record is by itself: its text and its time. */
function keyOf(keys: readonly FieldRef[], item: Item): string {
  for (const key of keys) {
    const value = key.get(item);
    if (value !== undefined && value !== '') return value;
  }
  return `${item.timeMs ?? ''} ${item.timeSubNs} ${item.body}`;
}

/** FNV-1a over UTF-16 units, MurmurHash3's last steps behind it: FNV alone leaves the high bits of short keys alike. */
function hash(key: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) value = Math.imul(value ^ key.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
