/** Rules broken on purpose: each must be caught, or its checker sleeps. */
import { describe, expect, it, vi } from 'vitest';
import type * as bus from '#bus/mod.ts';
import { type Bus, GoBackN, type Mark } from '#bus/mod.ts';
import type { ClickHouse } from '#storage/mod.ts';
import { Partition } from '#workers/mod.ts';
import { simulate, type SimulationOptions } from './mod.ts';

type Admit = typeof bus.admit;

const chain = vi.hoisted((): { admit: ((real: Admit) => Admit) | null } => ({ admit: null }));

vi.mock('#bus/mod.ts', async (importOriginal) => {
  const real = await importOriginal<typeof bus>();
  const admit: Admit = (...given) => (chain.admit === null ? real.admit : chain.admit(real.admit))(...given);
  return { ...real, admit };
});

const seedsTried = 80;

/** The checker among those wanted that complained first, from a seed on that is known to meet the fault; null where none did. */
async function caughtBy(wanted: readonly string[], options: SimulationOptions, firstSeed = 1): Promise<string | null> {
  for (let seed = firstSeed; seed < firstSeed + seedsTried; seed++) {
    const { failure } = await simulate(seed, options);
    if (failure !== null && wanted.includes(failure.checker)) return failure.checker;
  }
  return null;
}

/** Breaks `Partition.step` while the cluster runs, not in the fold that it is compared with. */
function withStep(
  breaking: (real: Partition['step'], nowMs: () => number) => Partition['step'],
): Required<Pick<SimulationOptions, 'around'>> {
  return {
    around: (world) => {
      const real = Partition.prototype.step;
      Partition.prototype.step = breaking(real, () => Math.floor(world.nowMs));
      return () => {
        Partition.prototype.step = real;
      };
    },
  };
}

/** A chain rule of the readers broken while the cluster runs. */
function withAdmit(admit: (real: Admit) => Admit): Required<Pick<SimulationOptions, 'around'>> {
  return {
    around: () => {
      chain.admit = admit;
      return () => {
        chain.admit = null;
      };
    },
  };
}

const after = (mark: Mark, generation: number, to: number): Mark => ({
  generation,
  sequence: Math.max(mark.sequence, to),
  parts: 0,
});

/** Streams of one role with something else in place of a method. */
function withStreams(bus: Bus, streams: Partial<Bus['streams']>): Bus {
  return new Proxy(bus, {
    get: (target, name) => {
      if (name === 'streams') return { ...target.streams, ...streams };
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('R1, broken', { timeout: 120_000 }, () => {
  it('a gateway with two publishes in flight', async () => {
    expect(await caughtBy(['order', 'acknowledged'], { sabotage: { publishers: 2 } })).not.toBeNull();
  });
});

describe('R2, broken', { timeout: 120_000 }, () => {
  it('a partition that reads a clock', async () => {
    const options = withStep(
      (real, nowMs) =>
        function (this: Partition, message, poisoned) {
          return real.call(this, { ...message, timeMs: nowMs() }, poisoned);
        },
    );
    expect(await caughtBy(['fold'], options, 7)).not.toBeNull();
  });

  it('a cache that the partitions of all processes share', async () => {
    const seen = new Set<string>();
    const options = withStep(
      (real) =>
        function (this: Partition, message, poisoned) {
          const output = real.call(this, message, poisoned);
          // A template is told once, whoever met it first.
          output.section.templates = output.section.templates.filter(({ templateId, version }) => {
            const key = `${templateId}/${version % 3}`;
            if (seen.has(key)) return false;
            seen.add(key);
            return true;
          });
          return output;
        },
    );
    expect(await caughtBy(['fold', 'chain'], options)).not.toBeNull();
  });

  it('a partition that rolls dice', async () => {
    const options = withStep(
      (real) =>
        function (this: Partition, message, poisoned) {
          const output = real.call(this, message, poisoned);
          for (const window of output.section.windows) window.valueMean += Math.random();
          return output;
        },
    );
    expect(await caughtBy(['fold', 'chain'], options)).not.toBeNull();
  });
});

describe('R3, broken', { timeout: 120_000 }, () => {
  it('a reader that accepts a gap', async () => {
    const options = withAdmit((real) => (mark, header, part) => {
      const decision = real(mark, header, part);
      return decision.verdict === 'gap'
        ? { verdict: 'take', above: mark.sequence, mark: after(mark, header.generation, header.to) }
        : decision;
    });
    const lossy: SimulationOptions = {
      ...options,
      sabotage: {
        bus: (role, bus) => {
          if (role !== 'worker') return bus;
          let count = 0;
          // Every so often the first attempt fails while later ones get through.
          const publish: Bus['streams']['publish'] = (subject, data, given) =>
            subject.startsWith('results') && ++count % 15 === 0
              ? Promise.reject(new Error('lost on the way'))
              : bus.streams.publish(subject, data, given);
          return withStreams(bus, { publish });
        },
      },
    };
    expect(await caughtBy(['acknowledged', 'fold'], lossy)).not.toBeNull();
  });

  it('a reader that takes duplicates', async () => {
    const options = withAdmit((real) => (mark, header, part) => {
      const decision = real(mark, header, part);
      return decision.verdict === 'duplicate'
        ? { verdict: 'take', above: header.from, mark: after(mark, mark.generation, header.to) }
        : decision;
    });
    expect(await caughtBy(['acknowledged', 'fold'], options)).not.toBeNull();
  });

  it('a checkpoint committed before its RESULTS are acknowledged', async () => {
    const options: SimulationOptions = {
      around: () => {
        const real = GoBackN.prototype.idle;
        GoBackN.prototype.idle = () => Promise.resolve();
        return () => {
          GoBackN.prototype.idle = real;
        };
      },
      sabotage: {
        // A tail that is not looked at would otherwise heal it at every start.
        bus: (role, bus) => (role === 'worker' ? withStreams(bus, { last: async () => null }) : bus),
      },
    };
    expect(await caughtBy(['liveness', 'chain', 'fold', 'acknowledged'], options, 49)).not.toBeNull();
  });

  it('retention that purges what is still needed', async () => {
    const options: SimulationOptions = {
      sabotage: {
        bus: (role, bus) => {
          if (role !== 'coordinator') return bus;
          const purge: Bus['streams']['purge'] = (stream, below, subject) =>
            bus.streams.purge(stream, below + 40, subject);
          return withStreams(bus, { purge });
        },
      },
    };
    expect(await caughtBy(['acknowledged', 'liveness', 'fold'], options, 14)).not.toBeNull();
  });

  it('a writer whose marks move before the insert', async () => {
    const eager = (port: ClickHouse): ClickHouse => ({
      ...port,
      insertNative: async (...given) => {
        void port.insertNative(...given).catch(() => {});
      },
    });
    expect(await caughtBy(['acknowledged', 'fold'], { sabotage: { clickHouse: eager } })).not.toBeNull();
  });

  it('a ClickHouse without deduplication', async () => {
    expect(await caughtBy(['acknowledged', 'view'], { sabotage: { tokens: 0 } })).not.toBeNull();
  });
});
