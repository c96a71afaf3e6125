/**
 * Which records count as errors. What the sender says stands. Where the sender says nothing, the classifier's chance
 * that a message is an error is weighed with how common the message is: what makes up a twentieth of a service's
 * records on a good day is hardly an error, whatever it sounds like, and what is rare may be one at less than even odds.
 */
import type { ObservedEvent } from '#analysis/windows/mod.ts';
import { classes, classOfSeverity } from '#analysis/windows/mod.ts';
import type { History } from './history.ts';
import type { TemplateTable } from './template-table.ts';

export interface ErrorEvidenceSnapshot {
  /** Slot, chance, verdict, … of templates whose sender says no severity. */
  slots: number[];
}

/** Chance from which a message counts as an error, by its usual share of the service's records. */
const limits = [
  { shareMax: 0.003, chanceMin: 0.3 },
  { shareMax: 0.01, chanceMin: 0.4 },
  { shareMax: 0.03, chanceMin: 0.6 },
  { shareMax: 0.06, chanceMin: 0.9 },
] as const;
/** Before its share is known. */
const firstChanceMin = 0.4;
/** A message judged no error that is nearer to one than this may still be the message of a failure. */
const doubtfulChanceMin = 0.25;
/** Share of a service's records that may be such errors on an ordinary day, all messages together. */
const togetherMax = 0.03;
/** Windows. */
const ageMin = 4;
const ageMax = 32;
/** Windows of a history that is still young. */
const youngMax = 48;
const recordsMax = 1e6;
const [unknown, isNone, isOne] = [0, 1, 2];

export class ErrorEvidence {
  private chances = new Float64Array(0);
  private verdicts = new Uint8Array(0);
  private slots = 0;

  /** Severity class that detectors take a record for: that of its severity, where the sender said one. */
  classOf(event: ObservedEvent): number {
    const severityClass = classOfSeverity[event.severityNumber] as number;
    if (event.isStated) return severityClass;
    const slot = event.templateSlot;
    if (slot >= this.slots) this.grow(slot + 1);
    if (event.isNewTemplate) this.verdicts[slot] = unknown;
    if (this.verdicts[slot] === unknown) this.verdicts[slot] = event.errorChance >= firstChanceMin ? isOne : isNone;
    // A warning in the midst of a burst is rather an error than none.
    this.chances[slot] = severityClass === 3 ? Math.max(doubtfulChanceMin, event.errorChance) : event.errorChance;
    if (this.verdicts[slot] === isOne) return Math.max(severityClass, 4);
    return severityClass >= 4 ? 2 : severityClass;
  }

  /** Without a severity, and an error or not unlike one. */
  mayBeError(slot: number): boolean {
    return (
      this.verdicts[slot] === isOne ||
      (this.verdicts[slot] === isNone && (this.chances[slot] as number) >= doubtfulChanceMin)
    );
  }

  /** It bursts: from here on it counts as an error. */
  promote(slot: number): void {
    this.verdicts[slot] = isOne;
  }

  /**
   * A window closed, and the table has taken it in. A template is judged again whenever its age has doubled, so that
   * an incident does not change what is counted in its midst; the history is told what it would have counted.
   * @param at number of the window
   */
  review(at: number, table: TemplateTable, history: History): void {
    const records = history.mean('logCount');
    if (records === 0) return;
    let hasChanged = false;
    for (let slot = 0; slot < Math.min(this.slots, table.slots); slot++) {
      if (this.verdicts[slot] === unknown || !table.has(slot)) continue;
      const age = at - table.get(slot, 'first') + 1;
      const total = table.get(slot, 'total');
      if (age < ageMin || age > ageMax || (age & (age - 1)) !== 0 || total >= recordsMax) continue;
      const mean = total / age;
      const verdict = (this.chances[slot] as number) >= chanceMinOf(mean / records) ? isOne : isNone;
      if (verdict === this.verdicts[slot]) continue;
      this.verdicts[slot] = verdict;
      hasChanged = true;
    }
    if (this.keepFew(at, records, table)) hasChanged = true;
    // Later in its life, few windows of many were counted otherwise.
    if (hasChanged && history.size <= youngMax) history.flatten('errorCount', this.usualErrors(at, table));
  }

  /** Errors of an ordinary day are few: of more, the least likely for how common they are, are none. */
  private keepFew(at: number, records: number, table: TemplateTable): boolean {
    let sum = 0;
    const known: { slot: number; mean: number; odds: number }[] = [];
    for (let slot = 0; slot < Math.min(this.slots, table.slots); slot++) {
      if (this.verdicts[slot] !== isOne || !table.has(slot)) continue;
      const age = at - table.get(slot, 'first') + 1;
      const mean = table.get(slot, 'total') / age;
      sum += mean;
      if (age >= ageMin && age <= ageMax && (age & (age - 1)) === 0)
        known.push({ slot, mean, odds: oddsOf(this.chances[slot] as number) / mean });
    }
    if (sum <= togetherMax * records) return false;
    known.sort((a, b) => a.odds - b.odds || a.slot - b.slot);
    let hasChanged = false;
    for (const { slot, mean } of known) {
      if (sum <= togetherMax * records) break;
      sum -= mean;
      this.verdicts[slot] = isNone;
      hasChanged = true;
    }
    return hasChanged;
  }

  /** Errors of a window, as they count now. */
  private usualErrors(at: number, table: TemplateTable): number {
    let sum = 0;
    for (let slot = 0; slot < table.slots; slot++) {
      if (!table.has(slot)) continue;
      const verdict = this.verdicts[slot] ?? unknown;
      if (verdict === isOne || (verdict === unknown && table.get(slot, 'class') >= classes.error))
        sum += table.get(slot, 'total') / (at - table.get(slot, 'first') + 1);
    }
    return sum;
  }

  snapshot(): ErrorEvidenceSnapshot {
    const slots: number[] = [];
    for (let slot = 0; slot < this.slots; slot++)
      if (this.verdicts[slot] !== unknown)
        slots.push(slot, this.chances[slot] as number, this.verdicts[slot] as number);
    return { slots };
  }

  restore({ slots }: ErrorEvidenceSnapshot): void {
    for (let i = 0; i < slots.length; i += 3) {
      const slot = slots[i] as number;
      if (slot >= this.slots) this.grow(slot + 1);
      this.chances[slot] = slots[i + 1] as number;
      this.verdicts[slot] = slots[i + 2] as number;
    }
  }

  private grow(slots: number): void {
    this.slots = slots;
    if (slots <= this.verdicts.length) return;
    const [chances, verdicts] = [new Float64Array(2 * slots), new Uint8Array(2 * slots)];
    chances.set(this.chances);
    verdicts.set(this.verdicts);
    this.chances = chances;
    this.verdicts = verdicts;
  }
}

function oddsOf(chance: number): number {
  return chance / Math.max(1e-6, 1 - chance);
}

function chanceMinOf(share: number): number {
  return limits.find(({ shareMax }) => share < shareMax)?.chanceMin ?? Number.POSITIVE_INFINITY;
}
