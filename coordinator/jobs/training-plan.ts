/** When a model is trained: asked for, by schedule, or as services drift. Pure. */
import { type Training, type TrainingRun, trainingRunsMax, type TrainingTrigger } from '#protocol/mod.ts';

export interface TrainingSchedule {
  /** Time from a run to the next, ms; 0: never by schedule. */
  everyMs: number;
  /** Whether drift is a reason, at most once in `driftRestMs`. */
  onDrift: boolean;
  /** How far back logs are read, ms. */
  rangeMs: number;
}

/** What drifted an hour ago was trained on then; more often, the later slice would be too short to score on. */
export const driftRestMs = 3_600_000;

export function newTraining(nowMs: number, drifts: number): Training {
  return { sinceMs: nowMs, requested: null, runs: [], drifts };
}

export interface DueTraining {
  trigger: TrainingTrigger;
  by: string;
  force: boolean;
}

/** `drifts`: times that services drifted, as workers count them now. */
export function dueTraining(
  { sinceMs, requested, runs, drifts: known }: Training,
  schedule: TrainingSchedule,
  nowMs: number,
  drifts: number,
): DueTraining | null {
  if (runs.at(-1)?.endedMs === null) return null;
  if (requested !== null) return { trigger: 'asked', by: requested.by, force: requested.force };
  const lastMs = Math.max(sinceMs, ...runs.map(({ startedMs }) => startedMs));
  const due = (trigger: TrainingTrigger): DueTraining => ({ trigger, by: 'leader', force: false });
  if (schedule.onDrift && drifts > known && nowMs - lastMs >= driftRestMs) return due('drift');
  return schedule.everyMs > 0 && nowMs - lastMs >= schedule.everyMs ? due('schedule') : null;
}

/** Counts are those of partitions, and fall where a model changes or services are forgotten. */
export function withDrifts(training: Training, drifts: number): Training {
  return drifts < training.drifts ? { ...training, drifts } : training;
}

export function begun(training: Training, { trigger, by }: DueTraining, nowMs: number, drifts: number): Training {
  const run: TrainingRun = {
    trigger,
    by,
    startedMs: nowMs,
    endedMs: null,
    outcome: 'running',
    version: 0,
    detail: '',
  };
  return { ...training, requested: null, drifts, runs: [...training.runs, run].slice(-trainingRunsMax) };
}

export function ended(
  training: Training,
  result: Pick<TrainingRun, 'outcome' | 'version' | 'detail'>,
  nowMs: number,
): Training {
  return {
    ...training,
    runs: training.runs.map((run) => (run.endedMs === null ? { ...run, ...result, endedMs: nowMs } : run)),
  };
}

/** Who leads now did not begin what still runs: its leader is gone, and with it the run. */
export function abandoned(training: Training, nowMs: number): Training {
  if (training.runs.every(({ endedMs }) => endedMs !== null)) return training;
  return ended(training, { outcome: 'failed', version: 0, detail: 'Its leader was replaced.' }, nowMs);
}
