/** `redact`: secrets and personal data out of body and attributes, before anything is stored. */
import type { Item } from './item.ts';
import { type LinearPattern, linearPattern } from './linear.ts';
import { choice, group, isGroup, optionalText, pairs, text, texts, wrong } from './reading.ts';
import { findSecrets, isSecretName, type SecretKind, secretKinds } from './secrets.ts';
import { Outcome, pass, type Step } from './step.ts';

/** Keyed hash, in hex; comes from outside, as pure code has no cryptography. */
export type Mac = (key: string, text: string) => string;

/** Names as people write them in the plural. */
const kindOfName: Readonly<Record<string, SecretKind>> = {
  tokens: 'token',
  passwords: 'password',
  cards: 'card',
  emails: 'email',
  ips: 'ip',
  phones: 'phone',
};
/** Addresses and phone numbers are what many logs are read for, and must be asked for. */
const kindsDefault: readonly SecretKind[] = ['token', 'password', 'card', 'email'];
const keyCharactersMin = 16;
const hashCharacters = 16;
const namesRemembered = 4_096;
const hashesRemembered = 4_096;

interface OwnPattern {
  name: string;
  pattern: LinearPattern;
}

/** @throws LogweirError CONFIG_INVALID */
export function redactStep(raw: unknown, path: string, name: string, mac: Mac): RedactStep {
  const given =
    raw === true
      ? {}
      : isGroup(raw)
        ? group(raw, path, ['kinds', 'patterns', 'replace', 'key', 'fields'])
        : { kinds: raw };
  const at = isGroup(raw) ? `${path}.kinds` : path;
  const kinds =
    given['kinds'] === undefined
      ? kindsDefault
      : Array.isArray(given['kinds']) && given['kinds'].length === 0
        ? []
        : texts(given['kinds'], at).map(
            (kind, i) => kindOfName[choice(kind, `${at}[${i}]`, Object.keys(kindOfName))] as SecretKind,
          );
  const patterns: OwnPattern[] =
    given['patterns'] === undefined
      ? []
      : pairs(given['patterns'], `${path}.patterns`, 64).map(([own, pattern, place]) => {
          const compiled = linearPattern(pattern, place);
          if (compiled.test(''))
            throw wrong(place, 'fits an empty text', 'Write it so that it needs at least one character.');
          return { name: own, pattern: compiled };
        });
  const replace =
    given['replace'] === undefined ? 'mask' : choice(given['replace'], `${path}.replace`, ['mask', 'hash']);
  const key = optionalText(given['key'], `${path}.key`, 1024);
  if (replace === 'hash' && (key === undefined || key.length < keyCharactersMin))
    throw wrong(
      `${path}.key`,
      key === undefined ? 'is missing' : `has ${key.length} characters`,
      `With "replace: hash" it must be a secret of at least ${keyCharactersMin}, from the environment for choice.`,
    );
  const fields =
    given['fields'] === undefined
      ? null
      : new Set(texts(given['fields'], `${path}.fields`).map((field) => text(field, path)));
  const hash =
    replace === 'hash' && key !== undefined ? (value: string) => mac(key, value).slice(0, hashCharacters) : null;
  return new RedactStep(name, new Set(kinds), patterns, hash, fields);
}

export class RedactStep implements Step {
  readonly outcomes: readonly Outcome[];
  /** A later step reads the line as it came: it is cleaned like the body. */
  coversRaw = false;
  private readonly kinds: ReadonlySet<SecretKind>;
  private readonly patterns: readonly OwnPattern[];
  private readonly hash: ((value: string) => string) | null;
  /** Null: body and all attributes. */
  private readonly fields: ReadonlySet<string> | null;
  private readonly redacted: Outcome;
  /** Values by what they were. */
  private readonly byKind = new Map<string, Outcome>();
  private counting = true;
  private readonly resources = new WeakMap<string[], string[]>();
  private readonly hashes = new Map<string, string>();
  private readonly secretNames = new Map<string, boolean>();

  constructor(
    name: string,
    kinds: ReadonlySet<SecretKind>,
    patterns: readonly OwnPattern[],
    hash: ((value: string) => string) | null,
    fields: ReadonlySet<string> | null,
  ) {
    this.kinds = kinds;
    this.patterns = patterns;
    this.hash = hash;
    this.fields = fields;
    this.redacted = new Outcome('ok', name, 'redacted');
    for (const kind of [...secretKinds.filter((kind) => kinds.has(kind)), ...patterns.map((own) => own.name)])
      this.byKind.set(kind, new Outcome('ok', name, kind));
    this.outcomes = [this.redacted, ...this.byKind.values()];
  }

  run(item: Item): Outcome {
    let any = false;
    const rewrite = (value: string): string => {
      const clean = this.clean(value);
      if (clean !== value) any = true;
      return clean;
    };
    if (this.fields === null || this.fields.has('body'))
      item.rewriteTexts(rewrite, this.coversRaw ? this.cleanRaw : null);
    const { attributes } = item;
    for (let i = 0; i < attributes.length; i += 2) {
      const name = attributes[i] as string;
      if (this.fields !== null && !this.fields.has(name)) continue;
      const value = attributes[i + 1] as string;
      const clean = this.cleanValue(name, value);
      if (clean === value) continue;
      item.setAttribute(name, clean);
      any = true;
    }
    if (this.fields === null && item.resource !== null) {
      const clean = this.cleanResource(item.resource);
      if (clean !== item.resource) {
        item.resource = clean;
        item.changed = true;
        any = true;
      }
    }
    return any ? this.redacted : pass;
  }

  /** Records share their resources: each is looked at once. */
  private cleanResource(pairs: string[]): string[] {
    let clean = this.resources.get(pairs);
    if (clean === undefined) {
      const values = pairs.map((part, i) => (i % 2 === 0 ? part : this.cleanValue(pairs[i - 1] as string, part)));
      clean = values.every((part, i) => part === pairs[i]) ? pairs : values;
      this.resources.set(pairs, clean);
    }
    return clean;
  }

  private cleanValue(name: string, value: string): string {
    return value !== '' && this.isSecret(name) ? this.replaced('password', value) : this.clean(value);
  }

  /** What stands in the body as well is counted there. */
  private readonly cleanRaw = (value: string): string => {
    this.counting = false;
    const clean = this.clean(value);
    this.counting = true;
    return clean;
  };

  private isSecret(name: string): boolean {
    if (!this.kinds.has('password')) return false;
    let secret = this.secretNames.get(name);
    if (secret === undefined) {
      secret = isSecretName(name);
      if (this.secretNames.size >= namesRemembered) this.secretNames.clear();
      this.secretNames.set(name, secret);
    }
    return secret;
  }

  private clean(value: string): string {
    let out = value;
    const spans = findSecrets(value, this.kinds);
    if (spans.length > 0) {
      out = '';
      let at = 0;
      for (const { start, end, kind } of spans) {
        out += value.slice(at, start) + this.replaced(kind, value.slice(start, end));
        at = end;
      }
      out += value.slice(at);
    }
    for (const { name, pattern } of this.patterns) out = pattern.replaceAll(out, (found) => this.replaced(name, found));
    return out;
  }

  /** The same few people and tokens come again and again. */
  private hashOf(value: string, hash: (value: string) => string): string {
    let known = this.hashes.get(value);
    if (known === undefined) {
      known = hash(value);
      if (this.hashes.size >= hashesRemembered) this.hashes.clear();
      this.hashes.set(value, known);
    }
    return known;
  }

  private replaced(kind: string, value: string): string {
    // What an earlier step replaced stays.
    if (value.startsWith('<redacted:')) return value;
    if (this.counting) (this.byKind.get(kind) as Outcome).count++;
    return this.hash === null ? `<redacted:${kind}>` : `<redacted:${kind}:${this.hashOf(value, this.hash)}>`;
  }
}
