/**
 * Drift of the words that a service writes: the share of words in new templates that the model has never met, watched
 * by a Page-Hinkley test (Page, "Continuous inspection schemes", Biometrika 41, 1954) for a rise. No label is needed.
 */

/** Templates, mean share, sum of what went over the mean, its minimum, fading share, drifts. */
export type NoveltyState = [count: number, mean: number, sum: number, least: number, recent: number, drifts: number];

/** A rise of the share by less than this is none. */
const tolerance = 0.05;
/** Sum of rises that counts as drift: four templates in a row with 55 % more unknown words than is usual. */
const threshold = 2;
/** A service's first templates are all news. */
const templatesMin = 20;

export class Novelty {
  readonly #state: NoveltyState;

  constructor(state: Readonly<NoveltyState> = [0, 0, 0, 0, 0, 0]) {
    this.#state = [...state];
  }

  /** A new template; `share`: unknown words among its words, 0–1. True where the language has drifted. */
  observe(share: number): boolean {
    const s = this.#state;
    s[0]++;
    s[1] += (share - s[1]) / s[0];
    s[4] += (share - s[4]) * Math.max(1 / s[0], 0.1);
    s[2] += share - s[1] - tolerance;
    s[3] = Math.min(s[3], s[2]);
    if (s[0] < templatesMin || s[2] - s[3] < threshold) return false;
    this.#state.splice(0, 6, 0, 0, 0, 0, s[4], s[5] + 1);
    return true;
  }

  get templates(): number {
    return this.#state[0];
  }

  /** Share of unknown words in about the last ten new templates. */
  get recentShare(): number {
    return this.#state[4];
  }

  get drifts(): number {
    return this.#state[5];
  }

  snapshot(): NoveltyState {
    return [...this.#state];
  }
}
