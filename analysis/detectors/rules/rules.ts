/** Rules that people write: thresholds and ratios for N of M windows, absence, pattern counts. */
import { classes, featureOf, type ObservedEvent, sampleOf, type WindowState } from '#analysis/windows/mod.ts';
import type { RuleConfig, WindowFeature } from '../config.ts';
import { clock, figure, nameOf, percent, span } from '../describe.ts';
import { entriesOf, Incident, type IncidentSnapshot, type StepContext, topTemplates } from '../incident.ts';

export interface RulesSnapshot {
  rules: {
    name: string;
    verdicts: number[];
    lastMatchMs: number;
    matchTimes: number[];
    matches: number;
    writtenSecond: number;
    incident: IncidentSnapshot | null;
  }[];
}

class Rule {
  readonly config: RuleConfig;
  /** 1 or 0 for each of the last `of` windows. */
  verdicts: number[] = [];
  /** Event time of the last match, or of the first record where there was none; −1 before that. */
  lastMatchMs = -1;
  /** Times of the last `value` matches, in order of arrival. */
  matchTimes: number[] = [];
  matches = 0;
  writtenSecond = 0;
  incident: Incident | null = null;

  constructor(config: RuleConfig) {
    this.config = config;
  }
}

export class RuleDetector {
  private readonly rules: Rule[];
  /** Rules of these kinds meet records; the others windows only. */
  readonly matching: number[];

  constructor(configs: readonly RuleConfig[]) {
    this.rules = configs.map((config) => new Rule(config));
    this.matching = this.rules.flatMap(({ config }, i) =>
      config.kind === 'absence' || config.kind === 'pattern' ? [i] : [],
    );
  }

  get isEmpty(): boolean {
    return this.rules.length === 0;
  }

  /** A record of the service, not late; `met` are the indices of the rules whose `match` it meets. */
  observe(event: ObservedEvent, timeMs: number, met: readonly number[], context: StepContext): void {
    for (const i of this.matching) {
      const rule = this.rules[i] as Rule;
      if (rule.lastMatchMs < 0) rule.lastMatchMs = timeMs;
      if (!met.includes(i)) continue;
      if (rule.config.kind === 'absence') this.present(rule, timeMs, context);
      else this.pattern(rule, event, timeMs, context);
    }
  }

  windowClosed(window: WindowState, context: StepContext): void {
    for (const rule of this.rules) {
      const { kind } = rule.config;
      if (kind === 'absence') this.absence(rule, window, context);
      else if (kind === 'pattern') this.patternOver(rule, window.endMs, context);
      else this.threshold(rule, window, context);
    }
  }

  close(context: StepContext): void {
    for (const rule of this.rules) this.end(rule, context);
  }

  snapshot(): RulesSnapshot {
    return {
      rules: this.rules.map((rule) => ({
        name: rule.config.name,
        verdicts: rule.verdicts.slice(),
        lastMatchMs: rule.lastMatchMs,
        matchTimes: rule.matchTimes.slice(),
        matches: rule.matches,
        writtenSecond: rule.writtenSecond,
        incident: rule.incident?.snapshot() ?? null,
      })),
    };
  }

  restore(state: RulesSnapshot): void {
    for (const saved of state.rules) {
      const rule = this.rules.find(({ config }) => config.name === saved.name);
      if (rule === undefined) continue;
      rule.verdicts = saved.verdicts.slice(-rule.config.of);
      rule.lastMatchMs = saved.lastMatchMs;
      rule.matchTimes = saved.matchTimes.slice();
      rule.matches = saved.matches;
      rule.writtenSecond = saved.writtenSecond;
      rule.incident = saved.incident === null ? null : Incident.restore(saved.incident);
    }
  }

  private threshold(rule: Rule, window: WindowState, context: StepContext): void {
    const { config } = rule;
    const field = valueOf(window, config.field);
    const per = config.kind === 'ratio' ? valueOf(window, config.per) : 1;
    const actual = config.kind === 'ratio' ? (per === 0 ? 0 : field / per) : field;
    const breached = compare(actual, config.op, config.value) && !(config.kind === 'ratio' && per === 0);
    rule.verdicts.push(breached ? 1 : 0);
    if (rule.verdicts.length > config.of) rule.verdicts.shift();
    const hits = rule.verdicts.reduce((sum, verdict) => sum + verdict, 0);
    if (hits < config.windows) {
      this.end(rule, context);
      return;
    }
    const incident = this.open(rule, window.startMs, window.endMs, context);
    const { row } = incident;
    row.endMs = window.endMs;
    if (breached) {
      const worse = config.op.startsWith('>') ? actual > row.actual : actual < row.actual;
      if (row.version === 0 || worse) {
        row.actual = actual;
        row.eventMs = window.newestMs;
        row.influencers = topTemplates(
          entriesOf(window.failures > 0 ? window.slotErrors : window.slotRecords),
          context.host,
        );
      }
      incident.addSamples(window.errorSamples);
      incident.addSamples(window.samples);
    }
    const what = config.kind === 'ratio' ? `${nameOf(config.field)} per ${nameOf(config.per)}` : nameOf(config.field);
    row.description =
      `rule ${config.name}: ${what} ${toldValue(row.actual, config)}, limit ${config.op} ${toldValue(config.value, config)},` +
      ` in ${hits} of ${rule.verdicts.length} ${rule.verdicts.length === 1 ? 'window' : 'windows'} since ${clock(row.startMs, row.endMs)}`;
    this.write(incident, context);
  }

  private absence(rule: Rule, window: WindowState, context: StepContext): void {
    const { config } = rule;
    if (rule.lastMatchMs < 0 || window.endMs - rule.lastMatchMs < config.withinMs) return;
    const incident = this.open(rule, rule.lastMatchMs, window.endMs, context);
    const { row } = incident;
    row.endMs = window.endMs;
    row.eventMs = window.newestMs;
    row.typical = 1;
    row.description = `rule ${config.name}: no matching record for ${span(window.endMs - rule.lastMatchMs)} since ${clock(rule.lastMatchMs, window.endMs)}, limit ${span(config.withinMs)}`;
    this.write(incident, context);
  }

  private present(rule: Rule, timeMs: number, context: StepContext): void {
    if (timeMs <= rule.lastMatchMs) return;
    rule.lastMatchMs = timeMs;
    this.end(rule, context);
  }

  private pattern(rule: Rule, event: ObservedEvent, timeMs: number, context: StepContext): void {
    const { config } = rule;
    const needed = Math.ceil(config.value);
    rule.matchTimes.push(timeMs);
    if (rule.matchTimes.length > needed) rule.matchTimes.shift();
    if (timeMs > rule.lastMatchMs) rule.lastMatchMs = timeMs;
    const firstMs = rule.matchTimes[0] as number;
    if (rule.incident === null) {
      if (rule.matchTimes.length < needed || rule.lastMatchMs - firstMs > config.withinMs) return;
      rule.matches = needed - 1;
    }
    const incident = this.open(rule, Math.min(firstMs, timeMs), timeMs, context);
    rule.matches++;
    const { row } = incident;
    row.endMs = rule.lastMatchMs;
    row.actual = rule.matches;
    row.eventMs = timeMs;
    incident.addSamples([sampleOf(event.bytes, event.start, event.end)]);
    row.description = `rule ${config.name}: ${figure(rule.matches)} matching ${rule.matches === 1 ? 'record' : 'records'}${row.endMs > row.startMs ? ` in ${span(row.endMs - row.startMs)}` : ''} since ${clock(row.startMs, row.endMs)}, limit ${figure(config.value)} in ${span(config.withinMs)}`;
    const second = Math.floor(timeMs / 1000);
    if (row.version !== 0 && second === rule.writtenSecond) return;
    rule.writtenSecond = second;
    this.write(incident, context);
  }

  private patternOver(rule: Rule, endMs: number, context: StepContext): void {
    if (rule.incident !== null && endMs - rule.lastMatchMs >= rule.config.withinMs) this.end(rule, context);
  }

  private open(rule: Rule, startMs: number, decidedAtMs: number, context: StepContext): Incident {
    if (rule.incident !== null) return rule.incident;
    const incident = Incident.open(context, 'rule', rule.config.name, startMs);
    incident.row.score = rule.config.score;
    incident.row.typical = rule.config.value;
    incident.row.decidedAtMs = decidedAtMs;
    incident.row.eventMs = decidedAtMs;
    rule.incident = incident;
    return incident;
  }

  private write(incident: Incident, context: StepContext): void {
    incident.row.watermarkMs = context.watermarkMs;
    incident.row.lateCount = context.lateCount;
    incident.write(context);
  }

  private end(rule: Rule, context: StepContext): void {
    if (rule.incident === null) return;
    rule.incident.end(context);
    rule.incident = null;
    rule.matches = 0;
  }
}

/** Value of a feature of a window, as its row shows it. */
export /** A share in percent, what counts as a number. */
function toldValue(value: number, { kind, field }: RuleConfig): string {
  return kind !== 'ratio' && field === 'errorRate' ? percent(value) : figure(value);
}

function valueOf(window: WindowState, feature: WindowFeature): number {
  switch (feature) {
    case 'infoCount':
      return window.counts[classes.info] as number;
    case 'debugCount':
      return window.counts[classes.debug] as number;
    case 'templateCount':
      return window.templateCount;
    case 'newTemplateCount':
      return window.newTemplates;
    case 'valueMean':
      return window.values.mean;
    case 'valueP95':
      return window.values.quantile(0.95);
    default:
      return featureOf(window, feature);
  }
}

function compare(actual: number, op: RuleConfig['op'], value: number): boolean {
  switch (op) {
    case '>':
      return actual > value;
    case '>=':
      return actual >= value;
    case '<':
      return actual < value;
    case '<=':
      return actual <= value;
  }
}
