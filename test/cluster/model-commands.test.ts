/** Models and corrections from the command line and the API against a real cluster, and the fold that must agree. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Cluster, until } from './start.ts';

const cluster = new Cluster(1);
let stored = 0;

beforeAll(() => cluster.start());
beforeEach(() => cluster.showLogsOnFailure());
afterAll(() => cluster.destroy());

const kinds = [
  ['zorb {} wobbles at stage {}', 'WARN'],
  ['quux {} settled in {}', 'INFO'],
  ['frobnicator {} went sideways near {}', 'ERROR'],
] as const;

async function send(count: number, severities: boolean): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) => {
    const [text, level] = kinds[i % kinds.length]!;
    const timestamp = Date.now() - (count - i) * 1_000;
    const message = text.replace('{}', String(i)).replace('{}', String(i % 40));
    return JSON.stringify({ timestamp, service: 'shop', message, ...(severities ? { level } : {}) });
  });
  stored += (await cluster.deliver(`${lines.join('\n')}\n`, `post-${stored}`)).accepted;
  expect(await cluster.settled(stored)).toBe(stored);
}

async function run<T>(args: readonly string[], status = 0): Promise<T> {
  const ended = await cluster.logweir([...args, '--json']);
  expect({ status: ended.status, stderr: ended.stderr }, args.join(' ')).toEqual({ status, stderr: '' });
  return JSON.parse(ended.stdout) as T;
}

const told = (): Promise<unknown> =>
  until(async () => {
    const { change, published } = await run<{ change: number; published: number }>(['model', 'list']);
    return change === published;
  }, 'the model to be told');

const answers = (): Promise<{ severity: string; category: string; body: string }[]> =>
  cluster.rows(
    `SELECT PredictedSeverityText AS severity, Category AS category, any(Body) AS body FROM logweir.otel_logs
     WHERE SeverityNumber = 0 AND Sequence = (SELECT max(Sequence) FROM logweir.otel_logs) GROUP BY severity, category ORDER BY severity`,
  );

it('trains, publishes, corrects and rolls back; the fold of the stream gives the same', async () => {
  await send(600, true);
  const trained = await run<{ published: number; challenger: { severity: { accuracy: number } } }>(['model', 'train']);
  expect(trained.published).toBe(1);
  expect(trained.challenger.severity.accuracy).toBe(1);
  await told();
  expect(await run(['model', 'train'], 3)).toMatchObject({ better: false, published: null, champion: { version: 1 } });

  const correction = await run<{ id: string; service: string }>([
    'correct',
    '--service',
    'shop',
    '--body',
    'quux 4 settled in 7',
    '--category',
    'settling',
  ]);
  const api = `${cluster.file.urls.api}/api/v1`;
  await until(async () => {
    const { settled } = (await (await fetch(`${api}/corrections`)).json()) as { settled: boolean };
    return settled;
  }, 'the correction to be told');
  await send(30, false);
  const corrected = await answers();
  expect(corrected.map(({ severity }) => severity)).toEqual(['ERROR', 'INFO', 'WARN']);
  expect(corrected.find(({ severity }) => severity === 'INFO')?.category).toBe('settling');

  expect(await run(['model', 'rollback'])).toMatchObject({ serving: 0 });
  expect(await run(['correct', '--remove', correction.id])).toEqual({ id: correction.id, removed: true });
  await told();
  await send(30, false);
  const compared = await run<{ models: { version: number }[] }>(['model', 'compare', '0', '1']);
  expect(compared.models.map(({ version }) => version)).toEqual([0, 1]);

  await until(async () => {
    const status = (await (await fetch(`${api}/model`)).json()) as { settled: boolean; severity: { records: number } };
    return status.settled && status.severity.records === 0;
  }, 'workers to tell of the built-in model');
  expect(await run(['verify'])).toMatchObject({ equal: true });
});
