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
const parts = ['errorCount', 'warnCount'] as const;

export class RateZscoreDetector {
  private readonly config: DetectorsConfig['rateZscore'];
  private readonly incidents = new Map<HistoryField, Incident>();

  constructor(config: DetectorsConfig['rateZscore']) {
    this.config = config;
  }

  get isOpen(): boolean {
    return this.incidents.size > 0;
  }

  /** `spiking`: an open error spike already tells of the errors. */
  windowClosed(window: WindowState, history: History, spiking: boolean, context: StepContext): void {
    if (history.size < this.config.warmupWindows) return;
    for (const field of parts) {
      if (this.config.features.includes(field))
        this.judge(field, countOf(window, field), window, history, spiking, context);
    }
    if (!this.config.features.includes('logCount')) return;
    // Warnings and errors are records too: what is told of them is no second finding.
    let count = window.logCount;
    for (const field of parts) {
      const told = this.incidents.has(field) || (spiking && field === 'errorCount');
      if (told) count -= Math.max(0, Math.round(countOf(window, field) - history.mean(field)));
    }
    this.judge('logCount', count, window, history, false, context);
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
    count: number,
    window: WindowState,
    history: History,
    spiking: boolean,
    context: StepContext,
  ): void {
    // More records bring more warnings and errors: only what goes beyond that is theirs.
    const growth = field === 'logCount' ? 1 : Math.max(1, window.logCount / Math.max(1, history.mean('logCount')));
    const mean = history.mean(field) * growth;
    let incident = this.incidents.get(field) ?? null;
    const exponent = this.exponentOf(field, count, growth, incident !== null, history);
    if (exponent === 0) {
      if (incident !== null) {
        this.incidents.delete(field);
        incident.write(context);
      }
      return;
    }
    if (incident === null) {
      if (spiking && field === 'errorCount') return;
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

  /**
   * −log10 of the chance, 0 where nothing is found. Both opinions must agree, and a small count must be rare in
   * itself. What is found already (`held`) stays so down to half the bounds: an incident does not flicker.
   */
  private exponentOf(field: HistoryField, count: number, growth: number, held: boolean, history: History): number {
    const { countMin, factorMin } = this.config;
    const ease = held ? 0.5 : 1;
    const mean = history.mean(field) * growth;
    if (count < countMin * ease || count < (held ? Math.sqrt(factorMin) : factorMin) * mean) return 0;
    const floor = Math.max(mean, (relativeFloor * mean) ** 2);
    const spread = Math.max(history.variance(field) * growth * growth, floor);
    const variance = spread * (1 + 1 / history.size) + 1 / history.size;
    const z = (count - mean) / Math.sqrt(variance);
    if (z < this.config.zMin * ease) return 0;
    const typical = history.robust(field);
    const median = typical.median * growth;
    const deviation = Math.max(typical.deviation * growth, Math.sqrt(median), relativeFloor * median, 1);
    if ((count - median) / deviation < this.config.robustZMin * ease) return 0;
    const tail = upperTailExponent(count, Math.max(mean, 0.5 / history.size), variance);
    return tail < normalTailExponent(5 * ease) ? 0 : Math.min(tail, normalTailExponent(z));
  }
}

function countsOf(window: WindowState, field: HistoryField): Int32Array {
  if (field === 'logCount') return window.slotRecords;
  return field === 'errorCount' ? window.slotErrors : window.slotWarnings;
}
