/**
 * Block builder and insert: rows per second from sections of RESULTS to rows in the embedded engine.
 * Run: node loadtest/bench/storage.bench.ts [rows, default 3 000 000] [rows a section, default 500]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeResults, encodeResults, type Section } from '#protocol/mod.ts';
import { EmbeddedClickHouse, migrate } from '#storage/mod.ts';
import { makeSection } from '#storage/testing/sections.ts';
import { BlockBuilder } from '#storage/writer/block.ts';
import { insertToken } from '#storage/writer/state.ts';

const rowsTotal = Number(process.argv[2] ?? 3_000_000);
const sectionRows = Number(process.argv[3] ?? 500);

const sections: Uint8Array[] = [];
const now = Date.now();
for (let sequence = 1; sequence <= 600; sequence++) {
  const section: Section = makeSection({
    sequence,
    rows: sectionRows,
    startMs: now + sequence * 10,
    services: 30,
    attributes: sequence % 2 === 0,
    resource: true,
  });
  // Decoded anew for each block, so that buffers are shared as they are when they come from the stream.
  sections.push(
    encodeResults({
      partition: sequence % 64,
      generation: 1,
      from: sequence - 1,
      to: sequence,
      toMs: 1,
      anomaliesTo: 0,
      sections: [section],
      part: null,
    }),
  );
}

const directory = mkdtempSync(join(tmpdir(), 'logweir-bench-'));
const engine = EmbeddedClickHouse.open({ directory });
await migrate(engine, { logsDays: 10_000, findingsDays: 10_000, rollupsDays: 10_000 });
const spent = { decode: 0, add: 0, finish: 0, insert: 0 };
const timed = async <T>(part: keyof typeof spent, work: () => T | Promise<T>): Promise<T> => {
  // Of this thread, as other programs on the machine take the wall's time; the engine's own threads are not in it.
  const before = process.threadCpuUsage();
  const result = await work();
  const { user, system } = process.threadCpuUsage(before);
  spent[part] += (user + system) / 1000;
  return result;
};
const cpuBefore = process.cpuUsage();
const started = performance.now();
let rows = 0;
let blocks = 0;
for (let at = 0; rows < rowsTotal; blocks++) {
  const builder = new BlockBuilder();
  while (!builder.full) {
    const message = await timed('decode', () => decodeResults(sections[at++ % sections.length] as Uint8Array));
    await timed('add', () => builder.add(message, message.sections[0] as Section));
  }
  const inserts = await timed('finish', () => builder.finish());
  for (const [index, { table, structure, chunks }] of inserts.entries()) {
    await timed('insert', () => engine.insertNative(table, structure, chunks, insertToken(`bench-${blocks}`, index)));
  }
  rows += builder.logRows;
}
const seconds = (performance.now() - started) / 1000;
const cpu = process.cpuUsage(cpuBefore);
const stored = Buffer.from(await engine.query('SELECT count() FROM logweir.otel_logs', { format: 'TSV' }))
  .toString()
  .trim();
const perMillion = (ms: number): string => (ms / 1000 / (rows / 1e6)).toFixed(3);
console.log(
  `${rows} rows in ${blocks} blocks, ${stored} stored: ${Math.round(rows / seconds)} rows/s, one after the other`,
);
console.log(`CPU ${((cpu.user + cpu.system) / 1e6 / (rows / 1e6)).toFixed(2)} s per million rows, merges included`);
console.log(
  `JavaScript thread's CPU seconds per million rows: ${Object.entries(spent)
    .map(([part, ms]) => `${part} ${perMillion(ms)}`)
    .join(', ')}`,
);
await engine.close();
rmSync(directory, { recursive: true, force: true });
