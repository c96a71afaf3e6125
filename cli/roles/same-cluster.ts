/**
 * A role that runs on while its cluster is wiped from NATS and made anew would go by the old facts: another number of
 * partitions, positions of streams that are gone. It notices, says so and ends; whoever supervises it starts it anew.
 */
import { type Bus, type Cancel, type ClusterFacts, type KeyValue, readFacts, type Time } from '#bus/mod.ts';
import { LogweirError, streams } from '#protocol/mod.ts';

const lookEveryMs = 3_000;

export interface ClusterWatch {
  /** Rejects when the cluster is no longer the one that this process joined. */
  readonly failed: Promise<never>;
  readonly changed: boolean;
  stop(): void;
}

export function watchCluster(options: { bus: Bus; store: KeyValue; facts: ClusterFacts; time: Time }): ClusterWatch {
  const { bus, store, facts, time } = options;
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Whoever does not look at it is not to die of it.
  failed.catch(() => {});
  let cancel: Cancel = () => {};
  let changed = false;
  let busy = false;
  const look = async (): Promise<void> => {
    if (busy || !bus.connected) return;
    busy = true;
    const why = await difference(bus, store, facts);
    busy = false;
    if (why === null || changed) return;
    changed = true;
    cancel();
    fail(
      new LogweirError(
        'CLUSTER_MISMATCH',
        `This cluster was made anew while this process ran: ${why}.`,
        'It ends, and joins the new one when it is started again.',
      ),
    );
  };
  cancel = time.every(lookEveryMs, () => void look());
  return {
    failed,
    get changed() {
      return changed;
    },
    stop: () => cancel(),
  };
}

/** Null where it is the same, or where nobody can tell at present. */
async function difference(bus: Bus, store: KeyValue, facts: ClusterFacts): Promise<string | null> {
  try {
    // First, as a server without streams does not answer at all when it is asked for a key.
    await bus.streams.info(streams.logs);
    const now = await readFacts(store);
    if (now.firstGeneration !== facts.firstGeneration)
      return `it began with generation ${now.firstGeneration}, not ${facts.firstGeneration}`;
    if (now.partitions !== facts.partitions) return `it has ${now.partitions} partitions, not ${facts.partitions}`;
    return null;
  } catch (error) {
    if (error instanceof LogweirError && error.code === 'CLUSTER_NOT_FOUND') return 'its facts are gone';
    return error instanceof Error && /not found/i.test(error.message) ? 'its streams are gone' : null;
  }
}
