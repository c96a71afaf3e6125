/** Whether memory of processes stays flat: a line through its second half, least squares. */
import type { ProcessUse } from './processes.ts';
import { tenths } from './statistics.ts';

export interface MemorySample {
  atMs: number;
  use: readonly ProcessUse[];
}

export interface MemorySlope {
  name: string;
  startMib: number;
  endMib: number;
  maxMib: number;
  /** Of the second half. */
  mibPerMinute: number;
  /** It grew by less than a tenth of its mean, or 64 MiB, over the second half. */
  isFlat: boolean;
}

const growthShareMax = 0.1;
/** A heap that is collected once in minutes swings by as much: the coordinator's between 150 and 210 MiB. */
const growthMibMin = 64;

export function memorySlopes(samples: readonly MemorySample[]): MemorySlope[] {
  const names = [...new Set(samples.flatMap(({ use }) => use.map(({ name }) => name)))];
  return names.map((name) => {
    const points = samples.flatMap(({ atMs, use }) => {
      const one = use.find((other) => other.name === name);
      return one === undefined ? [] : [{ minutes: atMs / 60_000, mib: one.rssMib }];
    });
    const half = points.slice(Math.floor(points.length / 2));
    const mibPerMinute = slopeOf(half);
    const minutes = (half.at(-1)?.minutes ?? 0) - (half[0]?.minutes ?? 0);
    const mean = half.reduce((sum, { mib }) => sum + mib, 0) / Math.max(1, half.length);
    return {
      name,
      startMib: Math.round(points[0]?.mib ?? 0),
      endMib: Math.round(points.at(-1)?.mib ?? 0),
      maxMib: Math.round(Math.max(...points.map(({ mib }) => mib))),
      mibPerMinute: tenths(mibPerMinute),
      isFlat: mibPerMinute * minutes <= Math.max(growthMibMin, mean * growthShareMax),
    };
  });
}

function slopeOf(points: readonly { minutes: number; mib: number }[]): number {
  if (points.length < 2) return 0;
  const meanX = points.reduce((sum, { minutes }) => sum + minutes, 0) / points.length;
  const meanY = points.reduce((sum, { mib }) => sum + mib, 0) / points.length;
  let above = 0;
  let below = 0;
  for (const { minutes, mib } of points) {
    above += (minutes - meanX) * (mib - meanY);
    below += (minutes - meanX) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
