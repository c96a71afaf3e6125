/** The fuzz suite over a few fixed seeds; `npm run fuzz` goes on where this ends. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomFrom } from '../testing/fuzz.ts';
import { talk } from './clients.ts';
import { hostileRequest } from './hostile.ts';
import { removeInputs } from './inputs.ts';
import { rawAttacks } from './raw-http.ts';
import { parts, runSeed } from './suite.ts';
import { httpTargets } from './targets.ts';
import { FuzzWorld } from './world.ts';

const seeds = [1, 2, 3];
const timeoutMs = 120_000;

describe('hostile input', () => {
  let world: FuzzWorld;
  beforeAll(async () => {
    world = await FuzzWorld.open();
  });
  afterAll(async () => {
    await world.close();
    removeInputs();
  });

  it.each(parts)(
    '%s: is answered, kept apart and let go',
    async (part) => {
      for (const seed of seeds) await expect(runSeed(world, seed, part)).resolves.toBeUndefined();
    },
    timeoutMs,
  );

  it(
    'no raw request brings another one in, on any port',
    async () => {
      const { gateway } = world.gateway;
      for (const { name, chunks } of rawAttacks)
        for (const port of [gateway.port, ...Object.values(gateway.ports)])
          expect(await talk(port, chunks), name).not.toMatch(/^HTTP\/1\.1 50[0-2]/m);
      await world.check();
    },
    timeoutMs,
  );

  it('leaves nothing held', async () => {
    world.settled();
    await runSeed(world, 4, 'ingest');
    const { heapGrowthBytes } = await world.checkHeld();
    expect(heapGrowthBytes).toBeLessThan(100 * 2 ** 20);
  });
});

it('the seed alone decides what is sent', () => {
  const target = httpTargets[0] as (typeof httpTargets)[0];
  const sent = () => {
    const random = randomFrom(7);
    return Array.from({ length: 50 }, () => hostileRequest(target.body, target.headers, random));
  };
  expect(sent()).toEqual(sent());
});
