/** One seed, run twice: the checkers after the first, and both must have gone the same way. */
import { type Outcome, simulate, type SimulationOptions } from './simulate.ts';

export interface Verdict extends Outcome {
  /** The last events, where it failed. */
  last: string[];
}

const eventsKept = 400;

export async function verify(
  seed: number,
  onTrace?: (line: string) => void,
  given: Pick<SimulationOptions, 'sabotage' | 'around' | 'size'> = {},
): Promise<Verdict> {
  const first = await simulate(seed, { ...given, ...(onTrace !== undefined && { onTrace }) });
  const last: string[] = [];
  // Where the first failed, the second also tells how it came to that.
  const keep = (line: string): void => {
    last.push(line);
    if (last.length > 2 * eventsKept) last.splice(0, eventsKept);
  };
  const second = await simulate(seed, {
    ...given,
    check: false,
    ...(first.failure !== null && onTrace === undefined && { onTrace: keep }),
  });
  const same = first.hash === second.hash && first.events === second.events;
  const failure =
    first.failure ??
    (same
      ? null
      : {
          checker: 'determinism',
          message: `Two runs went different ways: ${first.events} events with trace ${first.hash >>> 0}, and ${second.events} with ${second.hash >>> 0}.`,
        });
  return { ...first, failure, last: failure === null ? [] : last };
}
