/** The load test's random faults, in short: kill -9 and frozen processes under load, then every check that it has. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { afterEach, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

interface Report {
  ok: boolean;
  problems: string[];
  acknowledged: number;
  faults: unknown[];
  checks: { name: string; ok: boolean; said: string; examples?: string[] }[];
  dir: string;
}

let child: ChildProcess | null = null;
afterEach(async () => {
  if (child === null || child.exitCode !== null) return;
  const ended = new Promise((done) => child?.once('close', done));
  child.kill('SIGINT');
  await ended;
});

/** Processes that name a directory of the run in their arguments or environment. */
function leftOver(dir: string): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && process.kill(Number(pid), 0) && cmdline(pid).includes(dir);
    } catch {
      return false;
    }
  });
}

const cmdline = (pid: string): string => readFileSync(join('/proc', pid, 'cmdline'), 'utf8');

it('keeps every promise while its processes die and stand still', async () => {
  const args = ['faults', '--faults', '8', '--minutes', '0.3', '--rate', '1000', '--seed', '4', '--json'];
  const running = spawn(process.execPath, [join(root, 'loadtest/main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = running;
  let stdout = '';
  let stderr = '';
  running.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  running.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const status = await new Promise((done) => running.once('close', done));
  expect(stdout, stderr).not.toBe('');
  const report = JSON.parse(stdout) as Report;
  const broken = report.checks.filter(({ ok }) => !ok);
  expect({ status, broken }, stderr).toEqual({ status: 0, broken: [] });
  expect(report.checks.map(({ name }) => name)).toEqual([
    'drained',
    'stored once',
    'order',
    'rollups',
    'alerts',
    'answers',
    'healed',
    'logweir verify',
    'logweir reconcile',
  ]);
  expect(report.faults).toHaveLength(8);
  expect(report.acknowledged).toBeGreaterThan(5_000);
  expect(leftOver(report.dir)).toEqual([]);
}, 600_000);
