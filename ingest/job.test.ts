import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { MemoryBus, openCluster, systemTime } from '#bus/mod.ts';
import { decodeLogsMessage, streams } from '#protocol/mod.ts';
import { BatchPublisher } from './batch-publisher.ts';
import { resolveInputs } from './files/mod.ts';
import { runJob } from './job.ts';

const directory = mkdtempSync(join(tmpdir(), 'logweir-job-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function kindsAfter(abortAt: number | null): Promise<{ kinds: string[]; failed: boolean }> {
  const bus = new MemoryBus(Date.now);
  await openCluster(bus);
  const path = join(directory, 'shop.log');
  writeFileSync(path, Array.from({ length: 50_000 }, (_, i) => `2026-01-01T00:00:00Z INFO line ${i}\n`).join(''));
  const { files } = await resolveInputs([path]);
  const publisher = new BatchPublisher({
    bus,
    partitions: 2,
    lane: 'job-1',
    source: 'file',
    time: systemTime,
    publisherId: 'p',
    pendingBytesMax: 1e7,
    giveUpAfterMs: 1_000,
  });
  const abort = new AbortController();
  let failed = false;
  await runJob({
    files,
    publisher,
    lane: 'job-1',
    service: undefined,
    time: systemTime,
    signal: abort.signal,
    onBytes: (bytes) => {
      if (abortAt !== null && bytes >= abortAt) abort.abort();
    },
    onProblem: () => {},
  }).catch(() => {
    failed = true;
  });
  const { lastSequence } = await bus.streams.info(streams.logs);
  const kinds: string[] = [];
  for await (const message of await bus.streams.consume(streams.logs, { fromSequence: 1 })) {
    kinds.push(decodeLogsMessage(message.data).kind);
    if (message.sequence === lastSequence) break;
  }
  return { kinds, failed };
}

it('ends its lane in every partition, after its last record, finished or aborted', async () => {
  const whole = await kindsAfter(null);
  expect(whole).toMatchObject({ failed: false });
  const aborted = await kindsAfter(1);
  expect(aborted.failed).toBe(true);
  for (const { kinds } of [whole, aborted]) {
    expect(kinds.slice(-2)).toEqual(['end', 'end']);
    expect(kinds.filter((kind) => kind === 'end')).toHaveLength(2);
  }
});
