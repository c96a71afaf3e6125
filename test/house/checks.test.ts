/** The static checks, as tests, so that one run and one summary tell whether everything holds. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const bin = join(root, 'node_modules/.bin');
const timeoutMs = 180_000;

interface Outcome {
  status: number;
  output: string;
}

function run(tool: string, ...args: string[]): Promise<Outcome> {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}`, NO_COLOR: '1' };
  return new Promise((done) => {
    execFile(join(bin, tool), args, { cwd: root, env, maxBuffer: 64 << 20, timeout: timeoutMs }, (error, out, err) => {
      done({ status: error === null ? 0 : Number(error.code ?? 1), output: `${out}${err}` });
    });
  });
}

async function passes(tool: string, ...args: string[]): Promise<void> {
  const { status, output } = await run(tool, ...args);
  expect(status, output).toBe(0);
}

describe('static checks', () => {
  it('types: tsc', () => passes('tsc', '-p', '.'), timeoutMs);
  it('types of the page: tsc', () => passes('tsc', '-p', 'dashboard'), timeoutMs);
  it('lint and import rule: oxlint', () => passes('oxlint'), timeoutMs);
  it('formatting: biome', () => passes('biome', 'format'), timeoutMs);
  it('no unused files, exports, dependencies: knip', () => passes('knip'), timeoutMs);
});
