import { describe, expect, it } from 'vitest';
import { faultKinds, Scenario, type ScenarioOptions } from './mod.ts';

const minute = 60_000;
const small: ScenarioOptions = { seed: 3, services: 6, hours: 1.5, faults: 8, leadMs: 20 * minute, rateMax: 3 };

describe('Scenario', () => {
  it('gives the same records for the same seed, in order of arrival, and others for another', () => {
    const bodies = (seed: number): string[] => {
      let lastMs = 0;
      return [...new Scenario({ ...small, seed }).arrivals()].flatMap((step) =>
        step.map(({ arrivalMs, record }) => {
          expect(arrivalMs).toBeGreaterThanOrEqual(lastMs);
          lastMs = arrivalMs;
          return `${record.timeMs} ${record.service} ${record.severityNumber} ${record.body}`;
        }),
      );
    };
    const once = bodies(3);
    expect(once.length).toBeGreaterThan(5_000);
    expect(bodies(3)).toEqual(once);
    expect(bodies(4)).not.toEqual(once);
  });

  it('labels its faults, never two at a time on one service', () => {
    const { faults, worlds, toMs } = new Scenario(small);
    expect(faults.length).toBeGreaterThan(4);
    for (const [i, fault] of faults.entries()) {
      expect(faultKinds).toContain(fault.kind);
      expect(worlds.map(({ name }) => name)).toContain(fault.service);
      expect(fault.toMs).toBeLessThanOrEqual(toMs);
      for (const other of faults.slice(i + 1))
        if (other.service === fault.service) expect(other.fromMs).toBeGreaterThan(fault.toMs);
    }
    expect(new Scenario({ ...small, faults: 0 }).faults).toEqual([]);
  });

  it('bends the records of a service while a fault lasts', () => {
    const scenario = new Scenario({ ...small, seed: 5, faults: 12 });
    const fault = scenario.faults.find(({ kind }) => kind === 'silence');
    const records = [...scenario.arrivals()].flat().map(({ record }) => record);
    const within = records.filter(
      ({ service, timeMs }) =>
        service === fault?.service && timeMs > fault.fromMs + 20_000 && timeMs < fault.toMs - 20_000,
    );
    expect(fault).toBeDefined();
    expect(within).toEqual([]);
  });
});
