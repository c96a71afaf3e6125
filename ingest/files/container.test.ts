import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBus, openCluster, systemTime } from '#bus/mod.ts';
import { decodeLogsMessage, streams, unknownService } from '#protocol/mod.ts';
import { BatchPublisher } from '../batch-publisher.ts';
import { emptyCounts } from '../file-source.ts';
import { follow } from '../follow.ts';
import { previewFiles } from '../pipeline/preview.ts';
import { containerAt, FileTailer, resolveInputs } from './mod.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'logweir-containers-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const id = '0123456789abcdef'.repeat(4);
const uid = '0b5e3f6a-1111-2222-3333-444455556666';

function write(path: string, content: string | Uint8Array): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

const podLog = (name: string): string => `pods/bakery_till-7c9d_${uid}/till/${name}`;
const cri = (second: number, text: string, tag = 'F', stream = 'stdout'): string =>
  `2026-01-30T10:00:${String(second).padStart(2, '0')}.123456789Z ${stream} ${tag} ${text}\n`;

async function shown(paths: readonly string[], service?: string) {
  const { files, problems } = await resolveInputs(paths);
  expect(problems).toEqual([]);
  const options = {
    service,
    nowMs: Date.UTC(2026, 1, 1),
    counts: emptyCounts(),
    onBytes: () => {},
    onProblem: () => {},
    signal: new AbortController().signal,
  };
  const seen = [];
  for await (const batch of previewFiles(files, null, options)) seen.push(...batch);
  return seen.map(({ line, lines, record }) => [record.service, record.body, line, lines] as const);
}

describe('logs of pods', () => {
  it('are read with those that were rotated away, each of its container', async () => {
    write(podLog('0.log'), cri(5, 'half ', 'P') + cri(5, 'other', 'F', 'stderr') + cri(6, 'a line'));
    write(
      podLog('0.log.20260130-095959.gz'),
      gzipSync(cri(1, 'level=info msg=opened') + cri(2, 'service=shop level=info msg=sold')),
    );
    const found = [
      ['till', 'other', 2, 1],
      ['till', 'half a line', 1, 2],
      ['till', 'opened', 1, 1],
      ['shop', 'sold', 2, 1],
    ];
    expect(await shown([join(root, 'pods')])).toEqual(found);
    expect(await shown([join(root, 'pods')], 'mill')).toEqual(found.map(([, ...rest]) => ['mill', ...rest]));
  });

  it('are read once where links lead to them', async () => {
    const log = write(podLog('0.log'), cri(1, 'opened'));
    mkdirSync(join(root, 'containers'));
    symlinkSync(log, join(root, `containers/till-7c9d_bakery_till-${id}.log`));
    expect(await shown([join(root, 'containers'), join(root, 'pods')])).toEqual([['till', 'opened', 1, 1]]);
  });

  it('are followed through rotations', async () => {
    const log = write(podLog('0.log'), cri(1, 'opened'));
    const bus = new MemoryBus(Date.now);
    await openCluster(bus, { partitions: 1 });
    const abort = new AbortController();
    const publisher = new BatchPublisher({
      bus,
      partitions: 1,
      lane: 'live',
      source: 'file',
      time: systemTime,
      publisherId: 'p',
      pendingBytesMax: 1e6,
      giveUpAfterMs: 1_000,
    });
    const done = follow({
      paths: [join(root, 'pods')],
      stateFile: join(root, 'state', 'follow.json'),
      publisher,
      service: undefined,
      time: systemTime,
      signal: abort.signal,
      onProblem: () => {},
      onRecords: () => {},
    });
    const stored = async (): Promise<string[]> => {
      const found: string[] = [];
      const { lastSequence } = await bus.streams.info(streams.logs);
      if (lastSequence === 0) return found;
      for await (const { data, sequence } of await bus.streams.consume(streams.logs, { fromSequence: 1 })) {
        const message = decodeLogsMessage(data);
        const strings = message.kind === 'batch' ? Buffer.from(data).toString('latin1') : '';
        for (const text of ['opened', 'half a line', 'after', 'again'])
          if (strings.includes(text) && strings.includes('till') && strings.includes(uid)) found.push(text);
        if (sequence === lastSequence) break;
      }
      return found;
    };
    try {
      await expect.poll(stored).toEqual(['opened']);
      appendFileSync(log, cri(2, 'half ', 'P') + cri(2, 'a line'));
      renameSync(log, `${log}.20260130-100003`);
      write(podLog('0.log'), cri(4, 'after'));
      await expect.poll(stored).toEqual(['opened', 'half a line', 'after']);
      write(podLog('0.log.20260130-100003.gz'), gzipSync(cri(1, 'opened')));
      rmSync(`${log}.20260130-100003`);
      appendFileSync(log, cri(5, 'again'));
      await expect.poll(stored).toEqual(['opened', 'half a line', 'after', 'again']);
    } finally {
      abort.abort();
      await done;
    }
  });
});

describe("Docker's logs", () => {
  const directory = `docker/containers/${id}`;
  const log = `${directory}/${id}-json.log`;
  const wrapped = `${JSON.stringify({ log: 'opened\n', stream: 'stdout', time: '2026-01-30T10:00:00.1Z' })}\n`;

  it('are named by the notes beside them, or by their id', () => {
    const path = write(log, wrapped);
    expect(containerAt(path)).toEqual({ service: id.slice(0, 12), resource: ['container.id', id] });
    write(`${directory}/config.v2.json`, '{"Name":"/bakery-till-1","Config":{"Image":"bakery/till:3"}}');
    const resource = ['container.id', id, 'container.name', 'bakery-till-1', 'container.image.name', 'bakery/till:3'];
    expect(containerAt(path)).toEqual({ service: 'bakery-till-1', resource });
    const labels = { 'com.docker.compose.service': 'till' };
    write(`${directory}/config.v2.json`, JSON.stringify({ Name: '/bakery-till-1', Config: { Labels: labels } }));
    expect(containerAt(path)?.service).toBe('till');
    const kubernetes = { 'io.kubernetes.container.name': 'oven', 'io.kubernetes.pod.uid': uid };
    write(`${directory}/config.v2.json`, JSON.stringify({ Name: '/k8s_oven', Config: { Labels: kubernetes } }));
    expect(containerAt(`${path}.1`)).toEqual({
      service: 'oven',
      resource: ['container.id', id, 'container.name', 'k8s_oven', 'k8s.container.name', 'oven', 'k8s.pod.uid', uid],
    });
    expect(containerAt(join(root, 'shop.log'))).toBeUndefined();
  });

  it.each([
    '',
    'null',
    '[]',
    '7',
    '{"Name":7,"Config":null}',
    '{"Config":{"Labels":7}}',
    '{"Config":{"Labels":{"x":{}}}}',
  ])('are known by their id where the notes are odd: %s', (notes) => {
    const path = write(log, wrapped);
    write(`${directory}/config.v2.json`, notes);
    expect(containerAt(path)).toEqual({ service: id.slice(0, 12), resource: ['container.id', id] });
  });

  it('are read and followed without what else Docker keeps there', async () => {
    const path = write(log, wrapped);
    write(`${directory}/config.v2.json`, '{"Name":"/till","Config":{"Env":["PASSWORD=rye"]}}\n');
    write(`${directory}/hostname`, `${id.slice(0, 12)}\n`);
    write(`${directory}/local-logs/container.log`, 'words\n');
    for (const given of ['docker', 'docker/containers/*/*']) {
      expect(await shown([join(root, given)])).toEqual([['till', 'opened', 1, 1]]);
      const tailer = new FileTailer({ paths: [join(root, given)], stateFile: join(root, 'state', 'follow.json') });
      const found: string[] = [];
      const done = (async () => {
        for await (const batch of tailer.batches()) found.push(batch.source.path);
      })();
      await expect.poll(() => found).toEqual([path]);
      expect(tailer.counts.files).toBe(1);
      tailer.close();
      await done;
    }
    // Whoever names it means it.
    const named = await shown([join(root, directory, 'hostname')]);
    expect(named).toEqual([['hostname', id.slice(0, 12), 1, 1]]);
    expect(named[0]?.[0]).not.toBe(unknownService);
  });
});
