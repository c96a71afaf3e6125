/** I1: ids and final versions are the same for every interleaving of partitions that keeps the order of each. */
import { type Anomaly, type IncidentVersion, pack, unpack } from '#protocol/mod.ts';
import { describe, expect, it } from 'vitest';
import { finding, startMs } from '../testing/fixtures.ts';
import { advanceIncidents, emptyIncidents, type IncidentConfig, restoreIncidents, snapshotOfIncidents } from './mod.ts';

const minute = 60_000;
const partitions = 6;
const config: IncidentConfig = {
  scoreMin: 50,
  memberScoreMin: 25,
  gapMs: 5 * minute,
  spanMs: 20 * minute,
  lateMs: 10 * minute,
  quietMs: 5 * minute,
  openMaxMs: 24 * 60 * minute,
};

function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Three hours of versions of findings of 14 services, by partition, each in its own order. */
function world(random: () => number): Anomaly[][] {
  const streams: Anomaly[][] = Array.from({ length: partitions }, () => []);
  const pick = (n: number): number => Math.floor(random() * n);
  for (let i = 0; i < 30; i++) {
    const onset = startMs + random() * 180 * minute;
    const host = `db-${pick(5)}`;
    for (let m = 1 + pick(4); m > 0; m--) {
      const service = pick(14);
      const from = Math.floor(onset + random() * 4 * minute);
      const by = from + pick(3) * 30_000;
      const anomalyId = `${i}-${m}-${service}`;
      const peak = 20 + pick(80);
      const versions = 1 + pick(50);
      for (let v = 0; v < versions; v++) {
        const eventMs = by + v * 30_000;
        const samples = random() < 0.4 ? [`connection to ${host} refused, request 0a1b2c3d4e5f${pick(30)}`] : [];
        const score = Math.round((peak * (v + 1)) / versions);
        const over = { anomalyId, service: `s${service}`, detector: `d${m}`, startMs: from, decidedAtMs: by, score };
        const late = { endMs: eventMs, eventMs, samples, influencers: [], description: `version ${v}` };
        streams[service % partitions]?.push(finding({ ...over, ...late }).anomaly);
      }
    }
  }
  return streams.map((stream) => stream.sort((a, b) => a.eventMs - b.eventMs));
}

/** Each partition lags by an own, changing time, less than findings may be late. */
function interleaved(streams: readonly Anomaly[][], random: () => number): { atMs: number; anomaly: Anomaly }[] {
  return streams
    .flatMap((stream) => {
      let atMs = 0;
      let lagMs = 0;
      return stream.map((anomaly) => {
        if (random() < 0.05) lagMs = random() * 9 * minute;
        atMs = Math.max(atMs, anomaly.eventMs + lagMs);
        return { atMs, anomaly };
      });
    })
    .map((one, at) => ({ ...one, at }))
    .sort((a, b) => a.atMs - b.atMs || a.at - b.at);
}

function play(events: readonly { atMs: number; anomaly: Anomaly }[], restartAt: number): IncidentVersion[] {
  let state = emptyIncidents();
  const rows = new Map<string, IncidentVersion>();
  let nowMs = startMs;
  const step = (anomalies: Anomaly[], atMs: number): void => {
    const done = advanceIncidents(state, anomalies, atMs, config);
    state = done.state;
    for (const row of done.rows) rows.set(row.incidentId, row);
    nowMs = atMs;
  };
  for (const [at, { atMs, anomaly }] of events.entries()) {
    while (nowMs + 5_000 < atMs) step([], nowMs + 5_000);
    step([anomaly], atMs);
    if (at === restartAt) state = restoreIncidents(unpack(pack(snapshotOfIncidents(state))));
  }
  for (let i = 0; i < 1_000; i++) step([], nowMs + 5_000);
  expect(state.lanes.get('live')?.findings.size).toBe(0);
  return [...rows.values()]
    .filter(({ state: now }) => now !== 'merged')
    .sort((a, b) => (a.incidentId < b.incidentId ? -1 : 1));
}

describe('incidents', () => {
  it.each(Array.from({ length: 24 }, (_, seed) => seed))(
    'do not depend on how partitions interleave, nor on a restart (seed %i)',
    (seed) => {
      const streams = world(seeded(seed));
      const orders = [1, 2, 3].map((one) => interleaved(streams, seeded(seed * 97 + one)));
      const [first, ...others] = orders.map((events, at) => play(events, at === 0 ? -1 : 100 * at));
      expect(first?.length).toBeGreaterThan(3);
      expect(first?.some(({ services }) => services.length > 1)).toBe(true);
      for (const other of others) expect(other).toEqual(first);
    },
    60_000,
  );
});
