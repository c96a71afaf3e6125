/** The storage role, put together: engine (or a server by URL), schema, HTTP face, writers. */
import { type Bus, sleep, type Time } from '#bus/mod.ts';
import { LogweirError } from '#protocol/mod.ts';
import { EmbeddedClickHouse } from './engine/embedded.ts';
import { HttpClickHouse } from './engine/http.ts';
import type { ClickHouse } from './engine/port.ts';
import { type ClickHouseServer, type ClickHouseServerOptions, serveClickHouse } from './http/server.ts';
import { migrate, type Retention, retentionDefault } from './schema.ts';
import { keepCorrections } from './writer/corrections.ts';
import { startAlertsWriter } from './writer/alerts.ts';
import { startWriter, type Writer } from './writer/run.ts';
import type { WriterOptions } from './writer/session.ts';

export interface StorageOptions {
  bus: Bus;
  /** `directory`: embedded, served on ClickHouse's HTTP interface. `url`: a server; nothing is served. */
  engine: { directory: string; serve?: Omit<ClickHouseServerOptions, 'engine'> } | { url: string };
  retention?: Retention;
  time: Time;
  log: WriterOptions['log'];
  writer?: Pick<WriterOptions, 'limits' | 'lingerMs' | 'lingerMaxMs' | 'firstGeneration'>;
  /** How long a server may take to answer at first, in ms, default 60_000. */
  waitMs?: number;
}

export interface Storage {
  /** Where queries go: our own HTTP face, or the server's URL. */
  readonly url: string;
  readonly clickHouse: ClickHouse;
  readonly writer: Writer;
  /** Rejects where the writer was replaced by another. */
  readonly done: Promise<void>;
  /** Stores what was taken, then ends. */
  drain(): Promise<void>;
}

/** The embedded engine's lock says that no other writer lives; beside a server one may, ms. */
const standbyMs = 10_000;

/** @throws LogweirError DATA_DIR_IN_USE | DATA_DIR_UNUSABLE | PORT_TAKEN | CLICKHOUSE_UNAVAILABLE */
export async function startStorage(options: StorageOptions): Promise<Storage> {
  const { bus, time, log } = options;
  const ending: (() => Promise<void>)[] = [];
  const end = async (): Promise<void> => {
    for (const step of ending.reverse().splice(0)) await step();
  };
  try {
    let clickHouse: ClickHouse;
    let server: ClickHouseServer | null = null;
    if ('directory' in options.engine) {
      const engine = EmbeddedClickHouse.open({ directory: options.engine.directory });
      ending.push(() => engine.close());
      await migrate(engine, options.retention ?? retentionDefault);
      server = await serveClickHouse({ ...options.engine.serve, engine });
      ending.push(server.close);
      clickHouse = engine;
    } else {
      clickHouse = await reach(options.engine.url, time, options.waitMs ?? 60_000);
      await migrate(clickHouse, options.retention ?? retentionDefault);
    }
    const alerts = await startAlertsWriter({ bus, clickHouse, time, log });
    ending.push(() => alerts.stop());
    const corrections = await keepCorrections({ bus, clickHouse, time, log });
    ending.push(() => corrections.stop());
    const writer = await startWriter({
      ...options.writer,
      bus,
      clickHouse,
      time,
      log,
      standbyMs: 'directory' in options.engine ? 0 : standbyMs,
    });
    ending.push(() => writer.drain());
    const url = server?.url ?? (options.engine as { url: string }).url;
    return { url, clickHouse, writer, done: writer.done, drain: end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function reach(url: string, time: Time, waitMs: number): Promise<HttpClickHouse> {
  const server = new HttpClickHouse({ url });
  const until = time.now() + waitMs;
  while (!(await server.ping())) {
    if (time.now() >= until) {
      throw new LogweirError(
        'CLICKHOUSE_UNAVAILABLE',
        `ClickHouse does not answer at ${server.origin}.`,
        'Start it, or set CLICKHOUSE_URL to where it listens.',
      );
    }
    await sleep(time, 500);
  }
  return server;
}
