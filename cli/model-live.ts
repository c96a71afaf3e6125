/** `logweir model show`: how the model that serves does at this moment, by what all workers tell. */
import { type ModelStatus, modelStatus, type TaskStatus } from '#api/mod.ts';
import { Membership, readCorrections, readModels, readTraining } from '#coordinator/mod.ts';
import { addFigures, latencyBoundsMs, noFigures, subjects } from '#protocol/mod.ts';
import { type CommandContext, exitCodes } from './command.ts';
import { short } from './progress.ts';
import type { ClusterSetup } from './roles/setup.ts';
import { table } from './table.ts';

/** Every worker tells of itself twice a second; a little more than two beats hears all of them. */
const listenMs = 1_200;

/** Ends with 3 where no worker is alive. */
export async function showLive(ctx: CommandContext, { bus, store }: ClusterSetup): Promise<number> {
  const membership = new Membership();
  const stop = bus.listen(subjects.heartbeats, (data) => membership.hear(data, Date.now()));
  const [models, corrections, training] = await Promise.all([
    readModels(store),
    readCorrections(store),
    readTraining(store),
  ]);
  await new Promise((resolve) => setTimeout(resolve, listenMs));
  stop();
  const sum = noFigures();
  const workers = membership.alive('worker', Date.now());
  for (const { beat } of workers) if (beat.model !== undefined) addFigures(sum, beat.model);
  const status = modelStatus(models, corrections, sum, training);
  if (ctx.args.flag('json')) ctx.print(JSON.stringify(status));
  else await ctx.write(renderLive(status, workers.length));
  return workers.length > 0 ? exitCodes.ok : exitCodes.nothing;
}

const percent = (share: number | null): string => (share === null ? '–' : `${(100 * share).toFixed(1)} %`);
const ms = (value: number | null): string => (value === null ? '–' : `${Number(value.toPrecision(2))} ms`);

export function renderLive(status: ModelStatus, workers: number): string {
  const { serving, settled, services, unknownWords, wordDrifts, latency } = status;
  const slowest =
    latency.templates === 0
      ? '–'
      : latency.p99Ms !== null
        ? `at most ${ms(latency.p99Ms)}`
        : `over ${ms(latencyBoundsMs.at(-1) ?? null)}`;
  const lines = [
    `Model ${serving}${serving === 0 ? ' (built in)' : ''} serves ${count(services, 'service')} on ${count(workers, 'worker')}${settled ? '' : '; not all have changed over yet'}.`,
    `${percent(unknownWords)} of the words of new templates are unknown to it${wordDrifts === 0 ? '' : `, a share that rose ${count(wordDrifts, 'time')}`}.`,
    `${count(latency.templates, 'template')} classified since the workers started: mean ${ms(latency.meanMs)}, p99 ${slowest}.`,
    ...taskLines('Severity', 'what senders and people said', status.severity),
    ...taskLines('Category', 'what people said', status.category),
  ];
  return `${lines.join('\n')}\n`;
}

const count = (n: number, what: string): string => `${short(n)} ${what}${n === 1 ? '' : 's'}`;

function taskLines(name: string, truth: string, task: TaskStatus): string[] {
  if (task.records === 0) return ['', `${name}: nothing to measure by yet (${truth}).`];
  const wrong = task.confusion.filter((one) => one.truth !== one.answer);
  return [
    '',
    `${name}: ${percent(task.accuracy)} of ${count(task.records, 'answer')} agree with ${truth}, ${percent(task.recentAccuracy)} of late; ${task.drifts === 0 ? 'no drift' : count(task.drifts, 'drift')}.`,
    ...table([
      ['learner', 'weight', 'right'],
      ...task.learners.map((one) => [one.name, one.weight.toFixed(2), percent(one.accuracy)]),
    ]),
    '',
    ...table([
      ['confidence', 'answers', 'right'],
      ...task.confidence
        .filter(({ records }) => records > 0)
        .map(({ from, records, right }) => [
          `${from.toFixed(1)}–${(from + 0.1).toFixed(1)}`,
          short(records),
          percent(right / records),
        ]),
    ]),
    ...(wrong.length === 0
      ? []
      : [
          '',
          ...table(
            [
              ['truth', 'taken for', 'answers'],
              ...wrong.slice(0, wrongShown).map((one) => [one.truth, one.answer, short(one.records)]),
            ],
            2,
          ),
        ]),
  ];
}

/** Pairs of labels named at most; `--json` has all. */
const wrongShown = 10;
