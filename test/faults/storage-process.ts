/** A storage role over the embedded engine, to be killed: `node storage-process.ts DIRECTORY NATS_URL`. */
import process from 'node:process';
import { connectNats, openCluster, systemTime } from '#bus/mod.ts';
import { startStorage } from '#storage/mod.ts';

const [directory = '', url = ''] = process.argv.slice(2);
const bus = await connectNats({ url, name: 'storage' });
await openCluster(bus);
const tell = (message: string): void => console.error(message);
const days = 10_000;
const storage = await startStorage({
  bus,
  engine: { directory, serve: { port: 0 } },
  retention: { logsDays: days, findingsDays: days, rollupsDays: days },
  time: systemTime,
  log: { info: tell, warn: tell, error: tell },
  writer: { lingerMs: 20, lingerMaxMs: 20, limits: { rowsMax: 20_000 } },
});
console.log(storage.url);
process.once('SIGTERM', () => {
  void storage
    .drain()
    .then(() => bus.close())
    .then(() => process.exit(0));
});
