/** What the leader does about training: begins what is due, in a thread of its own, and writes down what came of it. */
import type { Bus, KeyValue, Time } from '#bus/mod.ts';
import { LogweirError, type Training, type TrainingRun } from '#protocol/mod.ts';
import type { Queries } from '#storage/mod.ts';
import type { Membership } from '../membership.ts';
import { changeTraining } from '../model-store.ts';
import { runTraining, trainingShareDefault } from './training.ts';
import {
  abandoned,
  begun,
  dueTraining,
  ended,
  newTraining,
  type TrainingSchedule,
  withDrifts,
} from './training-plan.ts';
import { trainInThread } from './training-thread.ts';

export interface TrainingOptions extends TrainingSchedule {
  queries: Pick<Queries, 'extent' | 'training'>;
  /** Default: in a thread. */
  train?: Parameters<typeof runTraining>[0]['train'];
}

export interface TrainingDeskOptions {
  bus: Bus;
  store: KeyValue;
  membership: Membership;
  time: Time;
  log: (text: string) => void;
  valid: () => boolean;
  training?: TrainingOptions | undefined;
}

export class TrainingDesk {
  private readonly options: TrainingDeskOptions;
  private busy = false;
  /** Null until the first look: a run of another leader's may stand open. */
  private running: boolean | null = null;
  private runs = 0;
  private failures = 0;

  constructor(options: TrainingDeskOptions) {
    this.options = options;
  }

  counters(): Record<string, number> {
    return { trainings: this.runs, trainingFailures: this.failures, trainingNow: this.running === true ? 1 : 0 };
  }

  /** Looks whether a model is to be trained, and begins it; does not wait for its end. */
  async look(): Promise<void> {
    const { store, training, time, valid } = this.options;
    if (training === undefined || this.busy || this.running === true || !valid()) return;
    this.busy = true;
    try {
      const drifts = this.drifts();
      const none = newTraining(time.now(), drifts);
      const known = await changeTraining(store, none, (before) => {
        // The first look is written down: the schedule counts from it.
        if (before === none) return { ...none };
        return withDrifts(this.running === null ? abandoned(before, time.now()) : before, drifts);
      });
      this.running = false;
      const due = dueTraining(known, training, time.now(), drifts);
      if (due === null || !valid()) return;
      this.running = true;
      await changeTraining(store, known, (before) => begun(before, due, time.now(), drifts));
      void this.run(training, due.by, due.force).finally(() => {
        this.running = false;
      });
    } catch (error) {
      this.running = this.running === true ? false : this.running;
      throw error;
    } finally {
      this.busy = false;
    }
  }

  private drifts(): number {
    const { membership, time } = this.options;
    let drifts = 0;
    for (const { beat } of membership.alive('worker', time.now()))
      if (beat.model !== undefined)
        drifts += beat.model.severity.drifts + beat.model.category.drifts + beat.model.wordDrifts;
    return drifts;
  }

  private async run(training: TrainingOptions, by: string, force: boolean): Promise<void> {
    const { bus, store, time, log, valid } = this.options;
    this.runs++;
    let result: Pick<TrainingRun, 'outcome' | 'version' | 'detail'>;
    try {
      const { published, against, challenger, champion } = await runTraining(
        { bus, store, queries: training.queries, train: training.train ?? trainInThread },
        {
          fromMs: time.now() - training.rangeMs,
          share: trainingShareDefault,
          force,
          dryRun: false,
          by,
          atMs: time.now(),
          mayPublish: valid,
        },
      );
      const three = (value: number): string => value.toFixed(3);
      const detail = `severity ${three(challenger.severity.accuracy)} against ${three(champion.severity.accuracy)} of model ${against}${
        challenger.category.records === 0
          ? ''
          : `, category ${three(challenger.category.accuracy)} against ${three(champion.category.accuracy)}`
      }`;
      result = { outcome: published === null ? 'not_better' : 'published', version: published?.version ?? 0, detail };
    } catch (error) {
      const isTooLittle = error instanceof LogweirError && error.code === 'INPUT_EMPTY';
      if (!isTooLittle) this.failures++;
      result = { outcome: isTooLittle ? 'too_little' : 'failed', version: 0, detail: (error as Error).message };
    }
    log(
      `Training ended: ${result.outcome.replaceAll('_', ' ')}${result.version > 0 ? ` as model ${result.version}` : ''}; ${result.detail}`,
    );
    const none: Training = newTraining(time.now(), 0);
    await changeTraining(store, none, (before) => ended(before, result, time.now())).catch((error: Error) =>
      log(`What came of the training could not be written down: ${error.message}`),
    );
  }
}
