/** Nothing acknowledged is lost, nothing is stored twice, nothing is stored that nobody sent. */
import { idIn } from '../workload.ts';
import { Broken, type Checker, some } from './checker.ts';

export const acknowledged: Checker = {
  name: 'acknowledged',
  judge: ({ cluster, workload }) => {
    const stored = new Map<number, number>();
    for (const row of cluster.clickHouse.rows('otel_logs')) {
      const id = idIn(row['Body'] as string);
      stored.set(id, (stored.get(id) ?? 0) + 1);
    }
    const lost = workload.sent.filter((sent) => sent.acknowledged && !stored.has(sent.id));
    if (lost.length > 0)
      throw new Broken(
        'acknowledged',
        `${lost.length} acknowledged records are not stored: ${some(lost.map((sent) => JSON.stringify(sent)))}.`,
      );
    const twice = [...stored].filter(([, count]) => count > 1);
    if (twice.length > 0)
      throw new Broken(
        'acknowledged',
        `${twice.length} records are stored more than once: ${some(twice.map(([id, count]) => `${id} (${count} times)`))}.`,
      );
    const known = new Set(workload.sent.map(({ id }) => id));
    const strange = [...stored.keys()].filter((id) => !known.has(id));
    if (strange.length > 0) throw new Broken('acknowledged', `Nobody sent what is stored: ${some(strange)}.`);
  },
};
