/** A supervisor in a process of its own that a test can kill. Prints a line when the cluster runs. */
import process from 'node:process';
import { startFakeCluster } from './fake-cluster.ts';

const controller = new AbortController();
process.on('SIGTERM', () => controller.abort());
const cluster = await startFakeCluster(process.argv[2] ?? '', { signal: controller.signal });
process.stdout.write('running\n');
await cluster.ended;
process.exit(0);
