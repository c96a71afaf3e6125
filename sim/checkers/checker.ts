/** What a checker sees, and how it complains. */
import type { Cluster } from '../cluster.ts';
import type { Workload } from '../workload.ts';

export interface Evidence {
  cluster: Cluster;
  workload: Workload;
}

export interface Checker {
  name: string;
  /** Holds although LOGS lost what it had acknowledged. */
  evenLossy?: true;
  /** @throws Broken */
  judge: (evidence: Evidence) => void;
}

/** A promise that was not kept. */
export class Broken extends Error {
  readonly checker: string;
  constructor(checker: string, message: string) {
    super(message);
    this.checker = checker;
  }
}

/** Up to a few of many, for messages. */
export function some(items: readonly unknown[]): string {
  const shown = items.slice(0, 5).map(String).join(', ');
  return items.length > 5 ? `${shown} and ${items.length - 5} more` : shown;
}
