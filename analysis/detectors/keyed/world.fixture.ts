/**
 * A made-up service from a seed: requests of a few steps that an id ties together, places with few values, and traps: an
 * optional step, failures now and then, restarts that cut what is under way, a deploy with other words. From minute 70 to
 * 85 there may be a fault.
 */
import type { MinedRecord } from '../mined-driver.fixture.ts';
import { poissonOf, randomOf, startMs } from '../test-stream.ts';

export const worldFaults = ['none', 'missing', 'truncated', 'swapped', 'status', 'state'] as const;
export type WorldFault = (typeof worldFaults)[number];

export const faultFromMs = startMs + 70 * 60_000;
export const faultToMs = startMs + 85 * 60_000;
const minutes = 110;

const syllables = 'ba ce di fo gu ka le mi no pu ra se ti vo xu za bre cla dro fli gre pla sta tro'.split(' ');

interface Step {
  text: string;
  lagMs: number;
}

export function keyedWorld(seed: number, fault: WorldFault): MinedRecord[] {
  const random = randomOf(seed * 7_919);
  const below = (n: number): number => Math.floor(random() * n);
  const word = (): string => Array.from({ length: 2 + below(2) }, () => syllables[below(syllables.length)]).join('');
  const words = (n: number): string => Array.from({ length: n }, word).join(' ');
  const hex = (n: number): string => Array.from({ length: n }, () => below(16).toString(16)).join('');
  const makeId = [
    () => hex(16),
    () => `req-${below(1e9)}`,
    () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
  ][below(3)] as () => string;
  const step = (): Step => ({
    text: `${words(1 + below(2))} {id} ${words(2)}${random() < 0.4 ? ' in {n} ms' : ''}`,
    lagMs: 10 * 10 ** (2 * random()),
  });
  const flow = Array.from({ length: 3 + below(4) }, step);
  const optional = below(flow.length);
  const renamed = 1 + below(flow.length - 1);
  const deployMinute = random() < 0.5 ? 20 + below(30) : 90 + below(10);
  const restarts = [15 + below(30), 55 + below(10), 93 + below(10)].map((minute) => minute * 60_000);
  const share = 0.15 + 0.5 * random();
  const rate = 0.15 * 20 ** random();
  const at = 1 + below(flow.length - 2);
  const other = step();
  const codes = { '200': 60, '201': 10, '404': 4 };
  const states = { [word()]: 5, [word()]: 4, [word()]: 2 };
  const [newState, client, mode] = [word(), words(2), words(2)];
  const records: MinedRecord[] = [];
  const say = (ms: number, text: string, id: string): void => {
    if (restarts.some((from) => ms >= from && ms < from + 12_000)) return;
    const body = text.replace('{id}', id).replace('{n}', String(below(900)));
    records.push({ timeMs: startMs + Math.floor(ms), body });
  };
  const pick = (shares: Record<string, number>): string => {
    let left = random() * Object.values(shares).reduce((sum, one) => sum + one, 0);
    for (const [value, one] of Object.entries(shares)) if ((left -= one) < 0) return value;
    return '';
  };
  for (let second = 0; second < minutes * 60; second++) {
    const isFault = startMs + second * 1000 >= faultFromMs && startMs + second * 1000 < faultToMs;
    for (let n = poissonOf(random, rate); n > 0; n--) {
      const id = makeId();
      const begin = (second + random()) * 1000;
      const steps = flow.filter((_, i) => i !== optional || i === 0 || random() < 0.6);
      if (second > deployMinute * 60) steps.splice(steps.indexOf(flow[renamed] as Step), 1, other);
      const isOdd = isFault && random() < share;
      const i = steps.indexOf(flow[at === optional || at === renamed ? 0 : at] as Step);
      if (isOdd && fault === 'missing') steps.splice(Math.max(1, i), 1);
      if (isOdd && fault === 'truncated') steps.length = Math.max(1, i + 1);
      if (isOdd && fault === 'swapped') steps.push(...steps.splice(Math.max(0, i), 1));
      if (random() < 0.003) steps.length = 1 + below(steps.length);
      let ms = begin;
      for (const { text, lagMs } of steps) {
        ms += lagMs * Math.exp(random() + random() + random() - 1.5);
        if (restarts.some((from) => begin < from && ms >= from)) break;
        say(ms, text, id);
      }
    }
    for (let n = poissonOf(random, 2 * rate); n > 0; n--) {
      const code = pick(isFault && fault === 'status' ? { ...codes, 503: 30 * share } : codes);
      say((second + random()) * 1000, `${client} user=u${below(40)} status=${code} bytes={n}`, '');
    }
    for (let n = poissonOf(random, rate); n > 0; n--) {
      const state = pick(isFault && fault === 'state' ? { ...states, [newState]: 8 * share } : states);
      say(
        (second + random()) * 1000,
        `${mode} {id} state=${state} host=web-${below(second > 4000 ? 6 : 4)}`,
        String(below(99)),
      );
    }
  }
  // Arrival in order of time plus a delay of up to 1.5 s.
  return records
    .map((record) => ({ record, arrival: record.timeMs + random() * 1500 }))
    .sort((a, b) => a.arrival - b.arrival)
    .map(({ record }) => record);
}
