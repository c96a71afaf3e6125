/** Why the assignment has not settled, or null: every partition has one owner, which lives and alone runs it. */
import { buckets, keys, unpack } from '#protocol/mod.ts';
import type { Cluster } from '../cluster.ts';

export function converged(cluster: Cluster): string | null {
  const entry = cluster.server.bucket(buckets.cluster).entries.get(keys.assignment);
  if (entry === undefined) return 'there is no assignment';
  const { owners } = unpack(entry.value) as { owners: (string | null)[] };
  const running = cluster.living('worker');
  for (const [partition, owner] of owners.entries()) {
    const runs = running.filter(({ worker }) => worker?.running.includes(partition)).map(({ process }) => process.name);
    if (runs.length !== 1 || runs[0] !== owner)
      return `partition ${partition} is given to ${owner} and runs at ${runs.join(', ') || 'nobody'}`;
  }
  return null;
}
