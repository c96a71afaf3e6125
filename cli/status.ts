import { type Command, exitCodes, jsonOption } from './command.ts';
import { clientOptions, clusterSettings } from './settings.ts';

/** Every process tells of itself twice a second; a little more than two beats hears all of them. */
const listenMs = 1_200;

export const command: Command = {
  about: [
    'Shows what runs: processes, partitions, rates, how far the workers are behind, the streams, the busiest services.',
    'Ends with 3 when no worker is alive or a partition has no owner, so that scripts can wait for a cluster.',
  ].join('\n'),
  options: { ...clientOptions, json: jsonOption },
  async run(ctx) {
    const settings = clusterSettings(ctx, 'natsUrl');
    const [
      { connectNats, readFacts, streamInfos },
      { Membership, viewCluster },
      { buckets, keys, subjects, unpack },
      view,
    ] = await Promise.all([
      import('#bus/mod.ts'),
      import('#coordinator/mod.ts'),
      import('#protocol/mod.ts'),
      import('./status-view.ts'),
    ]);
    const bus = await connectNats({ url: settings.urls.nats, name: 'logweir status' });
    try {
      const membership = new Membership();
      const stop = bus.listen(subjects.heartbeats, (data) => membership.hear(data, Date.now()));
      const store = await bus.keyValue(buckets.cluster);
      const facts = await readFacts(store);
      await new Promise((resolve) => setTimeout(resolve, listenMs));
      stop();
      const [leader, assignment] = await Promise.all([store.get(keys.leader), store.get(keys.assignment)]);
      const cluster = viewCluster({
        membership,
        nowMs: Date.now(),
        partitions: facts.partitions,
        leader: leader === null ? null : (unpack(leader.value) as string),
        assignment: assignment?.value ?? null,
        streams: await streamInfos(bus),
      });
      if (ctx.args.flag('json')) ctx.print(JSON.stringify(view.statusJson(cluster)));
      else await ctx.write(view.renderStatus(cluster));
      const owned = cluster.workers.reduce((sum, { beat }) => sum + beat.partitions.length, 0);
      return owned >= cluster.partitions ? exitCodes.ok : exitCodes.nothing;
    } finally {
      await bus.close();
    }
  },
};
