/**
 * Which of the configured matchers a record meets. All texts of all matchers are looked for in one pass over the
 * body (a table over pairs of bytes says where a text may start); patterns run only where all else fits.
 * Hot loop; benchmark: loadtest/bench/windows.bench.ts.
 */
import { RE2JS } from 're2js';
import type { ObservedEvent } from '#analysis/windows/mod.ts';
import type { MatcherConfig } from './config.ts';

const pairBits = 12;
const pairMask = (1 << pairBits) - 1;
/** A pattern sees this much of a body. */
const patternBytesMax = 4096;

const fold = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte));
const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Needle {
  bytes: Uint8Array;
  matcher: number;
}

function pairOf(first: number, second: number): number {
  return ((first << 5) ^ second) & pairMask;
}

export class MatcherSet {
  /** Indices of the matchers that the last record met: [0, matchedCount). */
  readonly matched: Int32Array;
  matchedCount = 0;
  private readonly configs: readonly MatcherConfig[];
  private readonly patterns: (RE2JS | null)[];
  /** Needles by the pair of bytes that they start with; those of one byte stand under every pair. */
  private readonly buckets: (Needle[] | undefined)[] = new Array(pairMask + 1).fill(undefined);
  private readonly mayStart = new Uint8Array(pairMask + 1);
  private readonly single: Needle[] = [];
  /** Per matcher: the record in which one of its texts was found last. */
  private readonly found: Int32Array;
  private record = 0;
  private readonly hasNeedles: boolean;

  constructor(configs: readonly MatcherConfig[]) {
    this.configs = configs;
    this.matched = new Int32Array(configs.length);
    this.found = new Int32Array(configs.length);
    this.patterns = configs.map(({ matches }) => (matches === '' ? null : RE2JS.compile(matches)));
    for (const [matcher, config] of configs.entries()) {
      for (const text of config.contains) this.add({ bytes: encoder.encode(text).map((byte) => fold[byte] as number), matcher });
    }
    this.hasNeedles = this.single.length > 0 || this.mayStart.includes(1);
  }

  match(event: ObservedEvent): void {
    this.matchedCount = 0;
    this.record = (this.record + 1) | 0;
    if (this.hasNeedles) this.scan(event.bytes, event.start, event.end);
    const { configs, patterns, found, record } = this;
    const severity = event.severityNumber;
    let text: string | null = null;
    for (let i = 0; i < configs.length; i++) {
      const config = configs[i] as MatcherConfig;
      if (severity < config.severityMin || severity > config.severityMax) continue;
      if (config.contains.length > 0 && found[i] !== record) continue;
      const pattern = patterns[i];
      if (pattern !== null && pattern !== undefined) {
        text ??= decoder.decode(event.bytes.subarray(event.start, Math.min(event.end, event.start + patternBytesMax)));
        if (!pattern.matcher(text).find()) continue;
      }
      this.matched[this.matchedCount++] = i;
    }
  }

  private add(needle: Needle): void {
    if (needle.bytes.length === 1) {
      this.single.push(needle);
      return;
    }
    const pair = pairOf(needle.bytes[0] as number, needle.bytes[1] as number);
    const bucket = this.buckets[pair] ?? [];
    bucket.push(needle);
    this.buckets[pair] = bucket;
    this.mayStart[pair] = 1;
  }

  private scan(bytes: Uint8Array, start: number, end: number): void {
    const { mayStart, buckets, found, record } = this;
    let previous = start < end ? (fold[bytes[start] as number] as number) : 0;
    for (let at = start + 1; at < end; at++) {
      const byte = fold[bytes[at] as number] as number;
      const pair = ((previous << 5) ^ byte) & pairMask;
      previous = byte;
      if (mayStart[pair] === 0) continue;
      for (const needle of buckets[pair] as Needle[]) {
        if (found[needle.matcher] !== record && startsAt(needle.bytes, bytes, at - 1, end)) found[needle.matcher] = record;
      }
    }
    for (const needle of this.single) {
      for (let at = start; at < end; at++) if (fold[bytes[at] as number] === needle.bytes[0]) found[needle.matcher] = record;
    }
  }
}

function startsAt(needle: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  if (at + needle.length > end) return false;
  for (let i = 0; i < needle.length; i++) if (fold[bytes[at + i] as number] !== needle[i]) return false;
  return true;
}

/** True where the name fits a pattern in which `*` stands for any text. */
export function fits(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === name;
  let at = 0;
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1) return name.length - at >= part.length && name.endsWith(part);
    const found = i === 0 ? (name.startsWith(part) ? 0 : -1) : name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}
