/**
 * Counts of a closed window against the rolling mean and deviation, with median and MAD as a second opinion. The
 * deviation is never taken under what chance alone gives (√mean) nor under 5 % of the mean: quiet services are not
 * punished for being regular.
 */
import { type WindowState } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { figure, mostly, nameOf, span } from './describe.ts';
import { countOf, type History, type HistoryField } from './history.ts';
import { entriesOf, Incident, type IncidentSnapshot, type StepContext, topTemplates } from './incident.ts';
import { normalTailExponent, scoreOf, upperTailExponent } from './tails.ts';

export interface RateZscoreSnapshot {
  incidents: IncidentSnapshot[];
}

const relativeFloor = 0.05;

export class RateZscoreDetector {
  private readonly config: DetectorsConfig['rateZscore'];
  private readonly incidents = new Map<HistoryField, Incident>();

  constructor(config: DetectorsConfig['rateZscore']) {
    this.config = config;
  }

  get isOpen(): boolean {
    return this.incidents.size > 0;
  }

  /** `explained`: features whose rise another open incident already tells. */
  windowClosed(
    window: WindowState,
    history: History,
    explained: ReadonlySet<HistoryField>,
    context: StepContext,
  ): void {
    if (history.size < this.config.warmupWindows) return;
    for (const field of this.config.features) this.judge(field, window, history, explained, context);
  }

  close(context: StepContext): void {
    for (const incident of this.incidents.values()) incident.write(context);
    this.incidents.clear();
  }

  snapshot(): RateZscoreSnapshot {
    return { incidents: [...this.incidents.values()].map((incident) => incident.snapshot()) };
  }

  restore(state: RateZscoreSnapshot): void {
    for (const one of state.incidents) this.incidents.set(one.row.subject as HistoryField, Incident.restore(one));
  }

  private judge(
    field: HistoryField,
    window: WindowState,
    history: History,
    explained: ReadonlySet<HistoryField>,
    context: StepContext,
  ): void {
    let count = countOf(window, field);
    // The errors of a spike are records too, but no second finding.
    if (field === 'logCount' && explained.has('errorCount'))
      count -= Math.max(0, Math.round(window.failures - history.mean('errorCount')));
    // More records bring more warnings and errors: only what goes beyond that is theirs.
    const growth = field === 'logCount' ? 1 : Math.max(1, window.logCount / Math.max(1, history.mean('logCount')));
    const mean = history.mean(field) * growth;
    const exponent = this.exponentOf(field, count, growth, history);
    let incident = this.incidents.get(field) ?? null;
    if (exponent === 0) {
      if (incident !== null) {
        this.incidents.delete(field);
        incident.write(context);
      }
      return;
    }
    if (incident === null) {
      if (explained.has(field)) return;
      incident = Incident.open(context, 'rate_zscore', field, window.startMs);
      this.incidents.set(field, incident);
    }
    const seconds = (window.endMs - window.startMs) / 1000;
    const { row } = incident;
    incident.extend(window, context);
    if (incident.peak(scoreOf(exponent), count / seconds, mean / seconds)) {
      row.influencers = topTemplates(entriesOf(countsOf(window, field)), context.host);
      incident.addSamples(field === 'errorCount' ? window.errorSamples : window.samples);
    }
    row.description =
      `${nameOf(field)} ${figure(row.actual)}/s against a typical ${figure(row.typical)}/s` +
      ` for ${span(row.endMs - row.startMs)}${mostly(row.influencers)}`;
    incident.write(context);
  }

  /** −log10 of the chance, 0 where nothing is found. Both opinions must agree, and a small count must be rare in itself. */
  private exponentOf(field: HistoryField, count: number, growth: number, history: History): number {
    const mean = history.mean(field) * growth;
    const { zMin, robustZMin, countMin, factorMin } = this.config;
    if (count < countMin || count < factorMin * mean) return 0;
    const variance =
      Math.max(history.variance(field) * growth * growth, mean, (relativeFloor * mean) ** 2) * (1 + 1 / history.size) +
      1 / history.size;
    const z = (count - mean) / Math.sqrt(variance);
    if (z < zMin) return 0;
    const typical = history.robust(field);
    const median = typical.median * growth;
    const robustZ =
      (count - median) / Math.max(typical.deviation * growth, Math.sqrt(median), relativeFloor * median, 1);
    if (robustZ < robustZMin) return 0;
    const tail = upperTailExponent(count, Math.max(mean, 0.5 / history.size), variance);
    return tail < normalTailExponent(Math.min(zMin, 5)) ? 0 : Math.min(tail, normalTailExponent(z));
  }
}

function countsOf(window: WindowState, field: HistoryField): Int32Array {
  if (field === 'logCount') return window.slotRecords;
  return field === 'errorCount' ? window.slotErrors : window.slotWarnings;
}
