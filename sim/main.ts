/**
 * `npm run simulate`: runs seeds, each twice, over worker processes. Exit code 1 where one failed.
 *
 *   --seed N [--trace]                 one seed; --trace shows every event
 *   --seeds N [--from S] [--jobs J]    N seeds from S (default 1) on, J at a time (default: all cores)
 *   --minutes M                        as many as fit
 *   --size small|large                 all worlds of one size; without it the seed says
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { SizeName } from './sizes.ts';
import { type Verdict, verify } from './verify.ts';

const lastEvents = 40;
/** A seed is over before what it made grows old: room for it to die young, MiB. */
const execArgv = ['--max-semi-space-size=64'];

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    size: { type: 'string' },
    /** Of a worker process: seeds from `from` on, this far apart. */
    step: { type: 'string' },
  },
});

function whole(text: string, name: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  console.error(`--${name} is ${text}; it must be a whole number.`);
  return process.exit(2);
}

const size = sizeNamed(values.size);

if (values.step !== undefined) await work(whole(values.from, 'from'), whole(values.step, 'step'));
else if (values.seed !== undefined) process.exitCode = await single(whole(values.seed, 'seed'));
else process.exitCode = await many();

function sizeNamed(text: string | undefined): SizeName | undefined {
  if (text === undefined || text === 'small' || text === 'large') return text;
  console.error(`--size is ${text}; it must be small or large.`);
  return process.exit(2);
}

async function single(seed: number): Promise<number> {
  console.log(`seed ${seed}`);
  const verdict = await verify(seed, values.trace ? (line) => console.log(line) : undefined, { size });
  console.log(describe(verdict, values.trace));
  return verdict.failure === null ? 0 : 1;
}

function describe(
  { seed, size: world, failure, hash, events, virtualMs, records, last }: Verdict,
  traced = false,
): string {
  if (failure === null)
    return `seed ${seed}: all promises kept in a ${world} world; ${records} records, ${events} events in ${virtualMs / 1_000} virtual seconds, trace ${hash >>> 0}.`;
  const tail = traced ? [] : ['The last events:', ...last.slice(-lastEvents).map((line) => `  ${line.slice(0, 240)}`)];
  return [
    `seed ${seed}: broken (${failure.checker}) in a ${world} world`,
    `  ${failure.message}`,
    ...tail,
    `Again, with every event: npm run simulate -- --seed ${seed} --size ${world} --trace`,
  ].join('\n');
}

/** Seeds without end, told one by one; ends with its parent. */
async function work(from: number, step: number): Promise<void> {
  process.on('disconnect', () => process.exit());
  for (let seed = from; ; seed += step) {
    const verdict = await verify(seed, undefined, { size });
    process.send?.({ ...verdict, last: verdict.last.slice(-lastEvents) });
  }
}

async function many(): Promise<number> {
  const from = whole(values.from, 'from');
  const minutes = values.minutes === undefined ? null : Number(values.minutes);
  const count =
    values.seeds === undefined ? (minutes === null ? 100 : Number.POSITIVE_INFINITY) : whole(values.seeds, 'seeds');
  const jobs = Math.min(Math.max(whole(values.jobs, 'jobs'), 1), count);
  console.log(Number.isFinite(count) ? `seeds ${from} to ${from + count - 1}` : `seeds from ${from} on`);
  const own = ['--step', String(jobs), ...(size === undefined ? [] : ['--size', size])];
  const startedMs = performance.now();
  let done = 0;
  let failed = 0;
  const line = (): string => {
    const seconds = (performance.now() - startedMs) / 1_000;
    return `${done} runs, ${failed} failed, ${Math.round((done / seconds) * 60)} a minute`;
  };
  await new Promise<void>((finish) => {
    const children = Array.from({ length: jobs }, (_, job) => {
      const child = fork(import.meta.filename, [...own, '--from', String(from + job)], { execArgv });
      child.on('message', (verdict: Verdict) => {
        if (verdict.seed >= from + count) return;
        done++;
        if (verdict.failure !== null) {
          failed++;
          if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
          console.log(describe(verdict));
        }
        if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line()}`);
        if (done >= count) end();
      });
      child.on('exit', (code) => {
        if (ended || code === null) return;
        console.log(`A worker process ended with exit code ${code}.`);
        failed++;
        end();
      });
      return child;
    });
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      for (const child of children) child.kill();
      finish();
    };
    const timer = minutes === null ? undefined : setTimeout(end, minutes * 60_000);
    process.once('SIGINT', end);
  });
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
  console.log(line());
  return failed === 0 ? 0 : 1;
}
