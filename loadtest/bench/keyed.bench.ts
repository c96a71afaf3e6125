/**
 * New values and broken sequences of a service: what of made-up faults is found, and what besides.
 * Run: node loadtest/bench/keyed.bench.ts [--seeds 1-20] [--verbose]
 */
import { parseArgs } from 'node:util';
import {
  faultFromMs,
  faultToMs,
  keyedWorld,
  type WorldFault,
  worldFaults,
} from '../../analysis/detectors/keyed/world.fixture.ts';
import { MinedDriver } from '../../analysis/detectors/mined-driver.fixture.ts';
import { pack } from '../../protocol/mod.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '1-20' }, verbose: { type: 'boolean', default: false } },
});
const [from = 1, to = from] = values.seeds.split('-').map(Number);
const nameOf: Record<WorldFault, string> = {
  none: '',
  missing: 'sequence_broken',
  truncated: 'sequence_broken',
  swapped: 'unusual_sequence',
  status: 'new_value',
  state: 'new_value',
};
let [hours, bytes, worlds] = [0, 0, 0];
const others: Record<string, number> = {};
for (const fault of worldFaults) {
  let found = 0;
  const delays: number[] = [];
  for (let seed = from; seed <= to; seed++) {
    const records = keyedWorld(seed, fault);
    const driver = new MinedDriver().sendIn(records, 500);
    bytes += pack(driver.snapshot()).length;
    worlds++;
    hours += 110 / 60;
    let isFound = false;
    for (const { detector, decidedAtMs, description } of driver.end().anomalies()) {
      const isRight = detector === nameOf[fault] && decidedAtMs >= faultFromMs && decidedAtMs <= faultToMs + 60_000;
      if (isRight && !isFound) {
        isFound = true;
        delays.push(decidedAtMs - faultFromMs);
      } else {
        const name = isRight ? `${detector} again` : detector;
        others[name] = (others[name] ?? 0) + 1;
        if (values.verbose)
          console.log(
            `seed ${seed} ${fault}: ${name} ${Math.round((decidedAtMs - faultFromMs) / 1000)} s: ${description}`,
          );
      }
    }
    if (isFound) found++;
    else if (values.verbose && fault !== 'none') console.log(`seed ${seed} ${fault}: missed`);
  }
  delays.sort((a, b) => a - b);
  const median = (delays[Math.floor(delays.length / 2)] ?? 0) / 1000;
  if (fault !== 'none')
    console.log(
      `${fault.padEnd(10)} ${nameOf[fault].padEnd(17)} found ${found} of ${to - from + 1}, delay p50 ${median} s`,
    );
}
console.log(`in ${(hours / 24).toFixed(1)} service days besides: ${JSON.stringify(others)}`);
console.log(`a service is ${Math.round(bytes / worlds / 1024)} KiB in a snapshot`);
