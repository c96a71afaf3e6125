/**
 * How large a simulated world is. Most are small: what goes wrong between faults, positions and marks needs few records, and
 * a small world tries twenty times as many orders of events. A large one has what only time brings: retention that
 * purges under load, long chains of checkpoints, windows over windows.
 */
import { Random } from '#generator/mod.ts';

export type SizeName = 'small' | 'large';

export interface Size {
  name: SizeName;
  /** Clients and faults begin, ms of the simulation. */
  loadFromMs: number;
  loadMs: number;
  clients: number;
  services: number;
  /** Longest pause of a client between two requests. */
  pauseMsMax: number;
  /** Chance that there is a file. */
  fileChance: number;
  /** Records in each of the three parts of the file, and the event time between two parts. */
  fileRecords: number;
  fileStepMs: number;
  partitionsMax: number;
  faultsMax: number;
  /** Share of the time that a fault lasts in a large world. */
  faultTime: number;
  checkpointEveryMs: number;
  /** A stream with so little room is full now and then, and what it takes between two purges is enough. */
  streamBytesMin: number;
  lookEveryMs: number;
  /** Looks for which all must be well: what is still being taken up shows by then. */
  steadyLooks: number;
  /** Configuration of the analysis. */
  analysis: unknown;
}

/** One seed in so many is a large world. */
const largeOneIn = 64;

/** Small windows and quick detectors, so that some seconds hold everything that takes hours outside. */
function analysisWith(windowMs: number): unknown {
  return {
    windows: {
      sizeMs: windowMs,
      allowedDisorderMs: 500,
      allowedLatenessMs: 10_000,
      rollingMs: 5 * windowMs,
      idleTimeoutMs: 1_500 + windowMs / 2,
    },
    detectors: {
      errorSpike: { windowMs, warmupWindows: 2, errorsMin: 3, tailExponent: 3, holdMs: 2_000 },
      volumeDrop: { warmupWindows: 3, tailExponent: 3 },
      volumeSurge: { tailExponent: 3, factorMin: 1.2 },
      silence: { warmupWindows: 3, tailExponent: 3 },
      newTemplate: { warmupMs: 2 * windowMs, warmupRecords: 10, countMin: 1, mergeMs: 1_000, burstMs: 5_000 },
    },
    rules: [{ name: 'many_errors', kind: 'threshold', field: 'errorCount', op: '>', value: 2 }],
  };
}

const small: Size = {
  name: 'small',
  loadFromMs: 1_200,
  loadMs: 4_000,
  clients: 2,
  services: 3,
  pauseMsMax: 900,
  fileChance: 0.6,
  fileRecords: 4,
  fileStepMs: 15_000,
  partitionsMax: 3,
  faultsMax: 9,
  faultTime: 0.5,
  checkpointEveryMs: 1_500,
  streamBytesMin: 8_000,
  lookEveryMs: 250,
  steadyLooks: 6,
  analysis: analysisWith(1_000),
};

const large: Size = {
  name: 'large',
  loadFromMs: 3_000,
  loadMs: 20_000,
  clients: 3,
  services: 4,
  pauseMsMax: 600,
  fileChance: 1,
  fileRecords: 20,
  fileStepMs: 2 * 86_400_000,
  partitionsMax: 4,
  faultsMax: 13,
  faultTime: 1,
  checkpointEveryMs: 5_000,
  streamBytesMin: 24_000,
  lookEveryMs: 500,
  steadyLooks: 8,
  analysis: analysisWith(2_000),
};

export function sizeOf(seed: number, wanted: SizeName | null = null): Size {
  const chosen = wanted ?? (new Random(seed ^ 0x512e).below(largeOneIn) === 0 ? 'large' : 'small');
  return chosen === 'small' ? small : large;
}
