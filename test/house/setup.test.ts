/** The launcher on a machine that has nothing yet: a copy of it with an npm that only pretends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
let home = '';
let bin = '';

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'logweir-setup-'));
  bin = join(home, 'fake-bin');
  for (const path of ['logweir', 'scripts/setup.sh']) cpSync(join(root, path), join(home, path));
  for (const dir of ['cli', 'fake-bin']) mkdirSync(join(home, dir));
  writeFileSync(join(home, 'package-lock.json'), '{}');
  writeFileSync(join(home, 'cli/main.ts'), 'console.log(`ran ${process.argv.slice(2).join(" ")}`);\n');
});
afterEach(() => rmSync(home, { recursive: true }));

/** An npm that notes that it ran, takes a moment, and makes the pinned Node appear. */
function fakeNpm(script: string): void {
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho ran >>npm-runs\n${script}\n`);
  chmodSync(join(bin, 'npm'), 0o755);
}

const works = `sleep 0.5\nmkdir -p node_modules/.bin\nln -sf "${process.execPath}" node_modules/.bin/node`;

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

function launch(...args: string[]): Promise<Outcome> {
  const child: ChildProcess = spawn(join(home, 'logweir'), args, {
    cwd: '/',
    env: { PATH: `${bin}:/usr/bin:/bin`, NODE_COMPILE_CACHE: join(home, 'cache') },
  });
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((done) => child.once('close', (code) => done({ code, out, err })));
}

const npmRuns = (): number => readFileSync(join(home, 'npm-runs'), 'utf8').trim().split('\n').length;

describe('setting up', () => {
  it('installs once, says so on stderr, and runs the command', async () => {
    fakeNpm(works);
    const first = await launch('status', '--json');
    expect(first).toMatchObject({ code: 0, out: 'ran status --json\n' });
    expect(first.err).toContain('Installing npm packages');
    expect(await launch('x')).toEqual({ code: 0, out: 'ran x\n', err: '' });
    expect(npmRuns()).toBe(1);
  });

  it('installs again when the lockfile changed', async () => {
    fakeNpm(works);
    await launch();
    writeFileSync(join(home, 'package-lock.json'), '{"changed":true}');
    await launch();
    expect(npmRuns()).toBe(2);
  });

  it('installs once when two are started at once', async () => {
    fakeNpm(works);
    const both = await Promise.all([launch('a'), launch('b')]);
    expect(both.map(({ code, out }) => [code, out])).toEqual([
      [0, 'ran a\n'],
      [0, 'ran b\n'],
    ]);
    expect(npmRuns()).toBe(1);
  });

  it('takes over from a set-up that was killed', async () => {
    fakeNpm(works);
    mkdirSync(join(home, '.setup.lock'));
    writeFileSync(join(home, '.setup.lock/pid'), '999999999\n');
    expect(await launch('a')).toMatchObject({ code: 0, out: 'ran a\n' });
  });

  it('shows what npm said when it fails, and what to do', async () => {
    fakeNpm('echo "npm error network unreachable" >&2; exit 1');
    const { code, out, err } = await launch('a');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('npm error network unreachable');
    expect(err).toContain('logweir: npm install failed.');
    fakeNpm(works);
    expect(await launch('a')).toMatchObject({ code: 0 });
  });
});
