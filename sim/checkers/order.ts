/** R1: the records of a client for a service are stored in the order in which it sent them. */
import { type Sent, idIn } from '../workload.ts';
import { Broken, type Checker } from './checker.ts';

export const order: Checker = {
  name: 'order',
  judge: ({ cluster, workload }) => {
    const sentById = new Map(workload.sent.map((sent) => [sent.id, sent]));
    const last = new Map<string, Sent>();
    // By position in the stream; rows of one message stand in their order already.
    const rows = cluster.clickHouse
      .rows('otel_logs')
      .map((row) => ({ sequence: row['Sequence'] as number, body: row['Body'] as string }))
      .sort((a, b) => a.sequence - b.sequence);
    for (const { sequence, body } of rows) {
      const sent = sentById.get(idIn(body));
      if (sent?.acknowledged !== true) continue;
      const key = `client ${sent.client}, ${sent.service}`;
      const before = last.get(key);
      if (before !== undefined && before.id > sent.id)
        throw new Broken(
          'order',
          `${key}: record ${before.id} (request ${before.request}) is before ${sent.id} (request ${sent.request}) at sequence ${sequence}.`,
        );
      last.set(key, sent);
    }
  },
};
