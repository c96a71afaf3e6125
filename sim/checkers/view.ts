/** The view behind the log table has what the table has, whatever was cut off between the two. */
import { Broken, type Checker } from './checker.ts';

export const view: Checker = {
  name: 'view',
  evenLossy: true,
  judge: ({ cluster }) => {
    const counts = new Map<string, number>();
    for (const row of cluster.clickHouse.rows('otel_logs')) {
      const service = row['ServiceName'] as string;
      counts.set(service, (counts.get(service) ?? 0) + 1);
    }
    for (const [service, count] of counts) {
      const seen = cluster.clickHouse.view.get(service) ?? 0;
      if (seen !== count)
        throw new Broken('view', `The view counts ${seen} rows of ${service}; the table has ${count}.`);
    }
  },
};
