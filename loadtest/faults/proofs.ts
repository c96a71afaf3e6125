/** `logweir verify` and `logweir reconcile` of the cluster under test, run as anybody would. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import process from 'node:process';
import type { Fleet } from './fleet.ts';
import type { Check } from './report.ts';

const main = resolve(import.meta.dirname, '../../cli/main.ts');

interface Verdict {
  equal: boolean;
  totals: { messages: number; rows: number; duplicates: number; deadLetters: number };
  compared: { what: string; folded: number; different: number; examples: string[] }[];
}

interface Books {
  balanced: boolean;
  totals: { streamRows: number; storedRows: number; duplicates: number; deadRows: number; deadLetters: number };
  partitions: { partition: number; streamRows: number; storedRows: number; duplicates: number; deadRows: number }[];
}

export async function verify(fleet: Fleet, signal: AbortSignal): Promise<Check> {
  const { status, stdout, stderr } = await logweir(fleet, ['verify', '--json'], signal);
  if (stdout === '') return { name: 'logweir verify', ok: false, said: `exit ${status}: ${stderr.slice(-300)}` };
  const { equal, totals, compared } = JSON.parse(stdout) as Verdict;
  const sizes = compared.map(
    ({ what, folded, different }) => `${folded} ${what.split(' ')[0]}${different > 0 ? `, ${different} DIFFER` : ''}`,
  );
  return {
    name: 'logweir verify',
    ok: equal && status === 0,
    said: `${equal ? 'equal' : 'NOT equal'} to the one-process fold of ${totals.messages} messages: ${sizes.join(' · ')}`,
    examples: compared.flatMap(({ what, examples }) => examples.map((text) => `${what}: ${text}`)),
  };
}

export async function reconcile(fleet: Fleet, signal: AbortSignal): Promise<Check> {
  const { status, stdout, stderr } = await logweir(fleet, ['reconcile', '--json'], signal);
  if (stdout === '') return { name: 'logweir reconcile', ok: false, said: `exit ${status}: ${stderr.slice(-300)}` };
  const { balanced, totals, partitions } = JSON.parse(stdout) as Books;
  const wrong = partitions.filter((one) => one.streamRows !== one.storedRows + one.duplicates + one.deadRows);
  return {
    name: 'logweir reconcile',
    ok: balanced && status === 0,
    said: `${totals.streamRows} on the stream = ${totals.storedRows} stored + ${totals.duplicates} duplicates + ${totals.deadRows} set aside, in ${totals.deadLetters} dead letters`,
    examples: wrong.map((one) => JSON.stringify(one)),
  };
}

async function logweir(
  fleet: Fleet,
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [main, ...args, '--config', `${fleet.dir}/logweir.yaml`], {
    cwd: fleet.dir,
    env: fleet.clientEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (status) => done({ status, stdout: stdout.trim(), stderr: stderr.trim() }));
  });
}
