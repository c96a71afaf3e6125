/** How far the last rows are from what the same time of day brought on the days before. */

const dayMs = 86_400_000;
/** A day is cut into at most this many slots; faster series share one. */
const slotMsMin = 300_000;
/** Fewer slots than this are no day. */
const slotsPerDayMin = 6;
const days = 7;
/** Steps from row to row after which the usual step is known. */
const stepsKnown = 30;

/** Rows of the mean that is compared, and slots by which a day may run early or late. */
export const seasonViews = [
  { rows: 6, slack: 6 },
  { rows: 24, slack: 12 },
] as const;

export class Season {
  private firstMs = Number.NaN;
  private lastMs = Number.NaN;
  private steps: number[] = [];
  private slotMs = 0;
  private slotsPerDay = 0;
  /** Newest slot, counted from the first row; the rings hold the last slots of every view, NaN where none came. */
  private slot = -1;
  private rings: Float64Array[] = [];
  private readonly nearest = new Float64Array(days);

  /**
   * Distances of the short means from the third-nearest day (so that weekends have each other); NaN without a season,
   * for a row that comes late, or while a day has not passed.
   */
  observe(timeMs: number, means: ArrayLike<number>, distances: Float64Array): void {
    distances.fill(Number.NaN);
    if (!Number.isFinite(timeMs) || timeMs < this.lastMs) return;
    if (this.slotMs === 0) this.learnStep(timeMs);
    this.lastMs = timeMs;
    if (this.rings.length === 0) return;
    const slot = Math.floor((timeMs - this.firstMs) / this.slotMs);
    this.moveTo(slot);
    const size = (this.rings[0] as Float64Array).length;
    for (let view = 0; view < seasonViews.length; view++) {
      const mean = means[view] as number;
      distances[view] = this.distance(view, slot, mean);
      (this.rings[view] as Float64Array)[slot % size] = mean;
    }
  }

  private learnStep(timeMs: number): void {
    if (Number.isNaN(this.firstMs)) this.firstMs = timeMs;
    if (timeMs > this.lastMs) this.steps.push(timeMs - this.lastMs);
    if (this.steps.length < stepsKnown) return;
    const step = this.steps.sort((a, b) => a - b)[stepsKnown >> 1] as number;
    this.steps = [];
    this.setSlots(Math.max(slotMsMin, step));
  }

  private setSlots(slotMs: number): void {
    this.slotMs = slotMs;
    this.slotsPerDay = Math.round(dayMs / slotMs);
    if (this.slotsPerDay < slotsPerDayMin) return;
    const size = (days + 1) * this.slotsPerDay + 1;
    this.rings = seasonViews.map(() => new Float64Array(size).fill(Number.NaN));
  }

  /** Slots without a row are empty, not what they were a week ago. */
  private moveTo(slot: number): void {
    const size = (this.rings[0] as Float64Array).length;
    for (let next = Math.max(this.slot + 1, slot - size + 1); next <= slot; next++) {
      for (const ring of this.rings) ring[next % size] = Number.NaN;
    }
    this.slot = slot;
  }

  private distance(view: number, slot: number, mean: number): number {
    const ring = this.rings[view] as Float64Array;
    const size = ring.length;
    const slack = (seasonViews[view] as (typeof seasonViews)[number]).slack;
    let found = 0;
    for (let day = 1; day <= days; day++) {
      const middle = slot - day * this.slotsPerDay;
      if (middle - slack < 0) break;
      let best = Infinity;
      for (let at = middle - slack; at <= Math.min(middle + slack, slot - 1); at++) {
        const distance = Math.abs(mean - (ring[at % size] as number));
        if (distance < best) best = distance;
      }
      if (best < Infinity) this.nearest[found++] = best;
    }
    if (found === 0) return Number.NaN;
    return this.nearest.subarray(0, found).sort()[Math.floor(found / 3)] as number;
  }

  snapshot(): SeasonSnapshot {
    const { firstMs, lastMs, slotMs, slot } = this;
    return { firstMs, lastMs, slotMs, slot, steps: this.steps.slice(), rings: this.rings.map((ring) => [...ring]) };
  }

  restore(state: SeasonSnapshot): void {
    this.firstMs = state.firstMs;
    this.lastMs = state.lastMs;
    this.slot = state.slot;
    this.steps = state.steps.slice();
    if (state.slotMs > 0) this.setSlots(state.slotMs);
    for (const [view, ring] of state.rings.entries()) this.rings[view]?.set(ring);
  }
}

export interface SeasonSnapshot {
  firstMs: number;
  lastMs: number;
  slotMs: number;
  slot: number;
  steps: number[];
  rings: number[][];
}
