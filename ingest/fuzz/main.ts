/**
 * `npm run fuzz`: hostile input against every receiver and format, by seed. Exit code 1 where something did not hold.
 *
 *   --seeds N [--from S]   N seeds from S (default 1) on; default 200
 *   --minutes M            as many as fit
 *   --receiver X           one part alone: a receiver, http, floods, formats, files
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { removeInputs } from './inputs.ts';
import { parts, runSeed } from './suite.ts';
import { FuzzWorld } from './world.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    receiver: { type: 'string' },
  },
});

process.exitCode = await main();

async function main(): Promise<number> {
  const { receiver } = values;
  if (receiver !== undefined && !parts.includes(receiver)) {
    console.error(`--receiver is ${receiver}; it must be one of ${parts.join(', ')}.`);
    return 2;
  }
  const from = Number(values.from);
  const until = values.minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(values.minutes) * 60_000;
  const seeds = values.minutes === undefined ? Number(values.seeds) : Number.POSITIVE_INFINITY;
  if (!Number.isInteger(from) || !(seeds > 0) || Number.isNaN(until)) {
    console.error('--seeds, --from and --minutes must be numbers.');
    return 2;
  }
  const world = await FuzzWorld.open();
  const startedMs = Date.now();
  let done = 0;
  try {
    for (let seed = from; seed < from + seeds && Date.now() < until; seed++) {
      await runSeed(world, seed, receiver);
      if (done++ === 0) world.settled();
      if (done % 50 === 0)
        console.log(
          `${done} seeds, ${Math.round((Date.now() - startedMs) / 1_000)} s, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`,
        );
    }
    const { heapGrowthBytes, residentBytes } = await world.checkHeld();
    const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
    console.log(
      `${done} seeds held. Heap ${mib(heapGrowthBytes)} MiB over the first, ${mib(residentBytes)} MiB resident.`,
    );
    return 0;
  } catch (error) {
    console.error((error as Error).stack);
    return 1;
  } finally {
    await world.close();
    removeInputs();
  }
}
