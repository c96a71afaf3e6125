/** The command line from outside: the launcher, exit codes, pipes, filters. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandEntry, commands } from '#cli/commands.ts';

const launcher = resolve(import.meta.dirname, '../../logweir');
const dir = mkdtempSync(join(tmpdir(), 'logweir-cli-'));
afterAll(() => rmSync(dir, { recursive: true }));

function logweir(args: readonly string[], input = '', program = launcher): SpawnSyncReturns<string> {
  return spawnSync(program, args, {
    cwd: dir,
    input,
    encoding: 'utf8',
    env: { ...process.env, CLICKHOUSE_URL: undefined },
  });
}

describe('the launcher', () => {
  it('works from any directory and through symlinks', () => {
    symlinkSync(launcher, join(dir, 'first'));
    symlinkSync('first', join(dir, 'second'));
    const { version } = JSON.parse(readFileSync(resolve(launcher, '../package.json'), 'utf8')) as { version: string };
    expect(logweir(['--version'], '', join(dir, 'second'))).toMatchObject({
      stdout: `${version}\n`,
      stderr: '',
      status: 0,
    });
  });
});

describe('help and wrong use', () => {
  it('lists every command', () => {
    const { stdout, status } = logweir(['--help']);
    expect(status).toBe(0);
    for (const [name, { summary }] of Object.entries(commands))
      expect(stdout).toMatch(new RegExp(`^  ${name} +${summary}$`, 'm'));
  });

  it.each(Object.keys(commands))('%s has help of its own, with every option', async (name) => {
    const { command } = await (commands[name] as CommandEntry).load();
    const { stdout, stderr, status } = logweir([name, '--help']);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    for (const [option, { about }] of Object.entries(command.options)) {
      expect(stdout).toContain(`--${option}`);
      expect(stdout).toContain(about);
    }
  });

  it.each([
    [[], 'Usage: logweir COMMAND'],
    [['tempaltes'], 'There is no command "tempaltes". Did you mean "templates"?'],
    [['--json'], 'There is no option --json before the command.'],
    [['templates', '--jsno'], 'There is no option --jsno for "logweir templates". Did you mean "--json"?'],
    [['templates', 'a', 'b'], '"logweir templates" does not know what to do with "b".'],
    [['up', '--port-api', 'x'], '--port-api: ports.api must be a whole number from 0 to 65535, not "x".'],
    [['detect', '--series', '--sequences'], '--series and --sequences exclude each other.'],
    [['train'], '"logweir train" needs --labels FILE and --out MODEL.'],
  ])('refuses %j with exit code 2', (args, message) => {
    const { stdout, stderr, status } = logweir(args);
    expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
    expect(stderr).toContain(message);
  });

  it('tells where a cluster was looked for', () => {
    const { stderr, status } = logweir(['sql', 'SELECT 1', '--data-dir', 'nowhere']);
    expect(stderr).toContain(`No cluster runs on the data directory ${join(dir, 'nowhere')}.`);
    expect(status).toBe(1);
  });
});

describe('filters', () => {
  const lines = ['Receiving block 1 src: 10.0.0.1', 'Receiving block 2 src: 10.0.0.2', '', 'error: disk full on sda1'];

  it('gives one template per line, in order, from stdin, a file or a packed file', () => {
    const text = lines.join('\r\n');
    writeFileSync(join(dir, 'a.log'), text);
    writeFileSync(join(dir, 'a.log.gz'), gzipSync(text));
    const { stdout, stderr, status } = logweir(['templates', '--json'], text);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const mined = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: number; templateId: string; template: string });
    expect(mined.map(({ line }) => line)).toEqual([1, 2, 3, 4]);
    expect(mined[0]?.template).toBe('Receiving block <*> src: <*>');
    expect(mined[0]?.templateId).toBe(mined[1]?.templateId);
    expect(logweir(['templates', '--json', '-'], text).stdout).toBe(stdout);
    expect(logweir(['templates', '--json', 'a.log']).stdout).toBe(stdout);
    expect(logweir(['templates', '--json', 'a.log.gz']).stdout).toBe(stdout);
  });

  it('counts templates for people', () => {
    expect(logweir(['templates'], lines.join('\n')).stdout.split('\n')[0]).toMatch(
      /^ +2 {2}[0-9a-f]{16} {2}Receiving block/,
    );
  });

  it('classifies, and learns while it predicts', () => {
    const classified = logweir(['classify', '--json'], 'connection refused by db-1\n');
    expect(JSON.parse(classified.stdout)).toMatchObject({ line: 1, severity: expect.any(String) as string });
    const records = Array.from({ length: 40 }, (_, i) =>
      JSON.stringify({ body: `zorb ${i} glimmed`, severity: 'ERROR', category: 'zorbs' }),
    );
    const { stdout } = logweir(['classify', '--json', '--prequential'], records.join('\n'));
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      line: 40,
      severity: 'ERROR',
      category: 'zorbs',
    });
  });

  it('trains on the good lines, and names the bad ones', () => {
    const lines = [
      '{"body":"a b","severity":"INFO"}',
      'no json',
      '{"severity":"INFO"}',
      '{"body":"x","severity":"LOUD"}',
    ];
    writeFileSync(join(dir, 'mixed.ndjson'), lines.join('\n'));
    const { status, stdout, stderr } = logweir(['train', '--labels', 'mixed.ndjson', '--out', 'mixed.model', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ records: 2, severities: 1, bad: 3 });
    for (const place of ['mixed.ndjson:2', 'mixed.ndjson:3', 'mixed.ndjson:4']) expect(stderr).toContain(place);
  });

  it('trains a model that classify takes', () => {
    const records = Array.from({ length: 60 }, (_, i) =>
      JSON.stringify(
        i % 2
          ? { body: `zorb ${i} glimmed`, severity: 'ERROR', category: 'zorbs' }
          : { body: `tea ${i} poured`, severity: 'INFO', category: 'tea' },
      ),
    );
    writeFileSync(join(dir, 'labels.ndjson'), records.join('\n'));
    const trained = logweir(['train', '--labels', 'labels.ndjson', '--out', 'my.model', '--json']);
    expect(JSON.parse(trained.stdout)).toMatchObject({ records: 60, severities: 60, categories: 60 });
    const { stdout } = logweir(['classify', '--json', '--model', 'my.model'], 'zorb 99 glimmed\ntea 7 poured\n');
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { category: string }).category),
    ).toEqual(['zorbs', 'tea']);
  });

  it.each([
    [['templates', 'missing.log'], 'missing.log does not exist.'],
    [['templates', '.'], '. is a directory.'],
    [['classify', '--model', 'missing.model'], 'The model missing.model cannot be read.'],
    [['classify', '--model', 'a.log'], 'This is not a usable classification model'],
    [['train', '--labels', 'a.log', '--out', 'm'], 'a.log:1 is no JSON object.'],
  ])('tells in one sentence why %j cannot be done', (args, message) => {
    const { stdout, stderr, status } = logweir(args);
    expect({ stdout, status }).toEqual({ stdout: '', status: 1 });
    expect(stderr).toContain(message);
  });

  it('scores a series row by row, before the next row is there', async () => {
    const child = spawn(launcher, ['detect', '--series', '-'], { cwd: dir, stdio: ['pipe', 'pipe', 'inherit'] });
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async (row: string): Promise<unknown> => {
      child.stdin.write(`${row}\n`);
      return (await answers.next()).value;
    };
    expect(await ask('timestamp,value')).toBe('timestamp,value,anomaly_score');
    for (let i = 0; i < 20; i++) expect(await ask(`${i},${i % 3}`)).toBe(`${i},${i % 3},0`);
    child.stdin.end();
    expect((await once(child, 'close'))[0]).toBe(0);
  });

  it.each([
    ['', '', 3, ''],
    ['timestamp,value\n', 'timestamp,value,anomaly_score\n', 3, ''],
    ['1,2\n\n3,\n5,x\n', '1,2,0\n3,,0\n5,x,0\n', 0, 'Line 3 is not "timestamp,value": "3," and 1 more like it.'],
    ['t,v\n"a;b"\n', 't,v,anomaly_score\n"a;b",0\n', 1, 'No row could be read. Line 2 is not "timestamp,value"'],
  ])('answers the series %j', (input, output, exitCode, message) => {
    const { stdout, stderr, status } = logweir(['detect', '--series'], input);
    expect({ stdout, status }).toEqual({ stdout: output, status: exitCode });
    expect(stderr).toContain(message);
  });

  it('finds the one sequence that differs', () => {
    const lines = Array.from({ length: 200 }, (_, i) =>
      i === 150 ? [`open b${i}`, `panic in b${i}`] : [`open b${i}`, `write b${i}`, `close b${i}`],
    ).flat();
    const { stdout } = logweir(['detect', '--sequences', '--key', 'b\\d+', '--json'], lines.join('\n'));
    const verdicts = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { key: string; anomalous: boolean });
    expect(verdicts).toHaveLength(200);
    expect(verdicts.filter(({ anomalous }) => anomalous).map(({ key }) => key)).toEqual(['b150']);
  });

  it('ends with 3 when there was nothing', () => {
    expect(logweir(['templates', '--json'], '').status).toBe(3);
  });

  it('takes any bytes', () => {
    writeFileSync(join(dir, 'binary'), Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7) % 256)));
    const { stdout, status } = logweir(['templates', '--json', 'binary']);
    expect(status).toBe(0);
    for (const line of stdout.trim().split('\n')) JSON.parse(line);
  });
});

describe('pipes', () => {
  beforeAll(() => writeFileSync(join(dir, 'many.log'), 'hello world 12\n'.repeat(200_000)));

  it('ends quietly when the reader has seen enough', async () => {
    const child = spawn(launcher, ['templates', '--json', 'many.log'], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const status = await new Promise((done) => {
      child.once('close', done);
      child.stdout.once('data', () => child.stdout.destroy());
    });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });
});
