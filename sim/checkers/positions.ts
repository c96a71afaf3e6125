/** Marks, checkpoints, generations and epochs never fall, whoever writes them. Looks at every change of a key. */
import { buckets, decodeMarks, keys, unpack } from '#protocol/mod.ts';
import type { WriterRecord } from '#storage/mod.ts';
import type { CheckpointPointer } from '#workers/mod.ts';
import type { Cluster } from '../cluster.ts';
import { Broken } from './checker.ts';

export function watchPositions(cluster: Cluster, onBroken: (broken: Broken) => void): void {
  const highest = new Map<string, { generation: number; position: number }>();
  const rises = (what: string, generation: number, position: number): void => {
    const before = highest.get(what);
    const fell =
      before !== undefined &&
      (generation < before.generation || (generation === before.generation && position < before.position));
    if (!fell) highest.set(what, { generation, position });
    else
      onBroken(
        new Broken(
          'positions',
          `${what} fell from ${before.position} (generation ${before.generation}) to ${position} (${generation}).`,
        ),
      );
  };
  cluster.server.onKey = (bucket, key, value) => {
    if (bucket === buckets.checkpoints) {
      const newest = (unpack(value) as CheckpointPointer).entries[0];
      if (newest !== undefined) rises(`checkpoint ${key}`, newest.generation, newest.sequence);
    } else if (bucket === buckets.marks && key === keys.writer) {
      const { marks } = JSON.parse(Buffer.from(value).toString()) as WriterRecord;
      for (const [partition, mark] of Object.entries(marks)) rises(`mark ${partition}`, mark.generation, mark.sequence);
    } else if (bucket === buckets.marks && key === keys.alerting) {
      for (const [partition, generation, sequence] of decodeMarks(value).marks)
        rises(`alerting's mark ${partition}`, generation, sequence);
    } else if (bucket === buckets.cluster && key === keys.assignment) {
      rises('assignment epoch', 0, (unpack(value) as { epoch: number }).epoch);
    } else if (bucket === buckets.cluster && key === keys.facts) {
      rises('generation', 0, (unpack(value) as { generation: number }).generation);
    }
  };
}
