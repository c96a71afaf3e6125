/** Which of the configured matchers a record meets. Patterns run only where severity and texts fit. */
import { RE2JS } from 're2js';
import type { ObservedEvent } from '#analysis/windows/mod.ts';
import type { MatcherConfig } from '../config.ts';
import { NeedleScanner } from './needle-scanner.ts';

/** A pattern sees this much of a body. */
const patternBytesMax = 4096;
const decoder = new TextDecoder();

/** Made once per configuration and shared: tables are immutable, and what changes is scratch of the present record. */
export class MatcherSet {
  /** Indices of the matchers that the last record met, rising: [0, matchedCount). */
  readonly matched: Int32Array;
  matchedCount = 0;
  readonly configs: readonly MatcherConfig[];
  private readonly patterns: (RE2JS | null)[];
  /** By severity number: the matchers that allow it, a scanner for their texts only, and whether all of them have texts. */
  private readonly bySeverity: { matchers: number[]; scanner: NeedleScanner | null; allHaveTexts: boolean }[] = [];
  /** Per matcher: the record in which one of its texts was found last. */
  private readonly found: Int32Array;
  private record = 0;

  constructor(configs: readonly MatcherConfig[]) {
    this.configs = configs;
    this.matched = new Int32Array(configs.length);
    this.found = new Int32Array(configs.length);
    this.patterns = configs.map(({ matches }) => (matches === '' ? null : RE2JS.compile(matches)));
    for (let severity = 0; severity <= 24; severity++) {
      const matchers = configs.flatMap(({ severityMin, severityMax }, i) =>
        severity >= severityMin && severity <= severityMax ? [i] : [],
      );
      const same = this.bySeverity.find((known) => known.matchers.join() === matchers.join());
      const allHaveTexts = matchers.every((i) => (configs[i] as MatcherConfig).contains.length > 0);
      this.bySeverity.push(same ?? { matchers, scanner: scannerOf(configs, matchers), allHaveTexts });
    }
  }

  match(event: ObservedEvent): void {
    this.matchedCount = 0;
    const group = this.bySeverity[event.severityNumber];
    if (group === undefined || group.matchers.length === 0) return;
    if (++this.record === 0x7fffffff) {
      this.found.fill(0);
      this.record = 1;
    }
    const { configs, patterns, found, record } = this;
    const isAny = group.scanner?.scan(event.bytes, event.start, event.end, found, record) ?? false;
    if (!isAny && group.allHaveTexts) return;
    let text: string | null = null;
    for (const i of group.matchers) {
      if ((configs[i] as MatcherConfig).contains.length > 0 && found[i] !== record) continue;
      const pattern = patterns[i] as RE2JS | null;
      if (pattern !== null) {
        text ??= decoder.decode(event.bytes.subarray(event.start, Math.min(event.end, event.start + patternBytesMax)));
        if (!pattern.test(text)) continue;
      }
      this.matched[this.matchedCount++] = i;
    }
  }
}

function scannerOf(configs: readonly MatcherConfig[], matchers: readonly number[]): NeedleScanner | null {
  const texts = matchers.flatMap((id) => (configs[id] as MatcherConfig).contains.map((text) => ({ text, id })));
  return texts.length === 0 ? null : new NeedleScanner(texts);
}
