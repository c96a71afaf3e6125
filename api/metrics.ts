/** The API's own lines for /metrics: requests by route class and status, their time, live connections. */
import type { LiveCounters } from './live.ts';

/** Upper bounds of the duration histogram, in seconds. */
const bucketsSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The part of a request that is counted: the route's pattern, never the URL, so that clients cannot grow the set. */
export interface CountedRequest {
  routeOptions: { url?: string | undefined };
}

export interface Meter {
  begin(request: CountedRequest): void;
  end(request: CountedRequest, status: number): void;
  text(live: LiveCounters): string;
}

export function createMeter(clock: () => number): Meter {
  const startedMs = new WeakMap<object, number>();
  const byRoute = new Map<string, number>();
  const buckets = new Array<number>(bucketsSeconds.length + 1).fill(0);
  let seconds = 0;
  let requests = 0;

  return {
    begin(request) {
      startedMs.set(request, clock());
    },
    end(request, status) {
      const took = Math.max(0, clock() - (startedMs.get(request) ?? clock())) / 1000;
      const key = `route="${request.routeOptions.url ?? 'none'}",status="${status}"`;
      byRoute.set(key, (byRoute.get(key) ?? 0) + 1);
      const index = bucketsSeconds.findIndex((bound) => took <= bound);
      const bucket = index === -1 ? bucketsSeconds.length : index;
      buckets[bucket] = (buckets[bucket] as number) + 1;
      seconds += took;
      requests++;
    },
    text(live) {
      const lines = [
        '# HELP logweir_api_requests_total Requests answered, by route and status.',
        '# TYPE logweir_api_requests_total counter',
      ];
      for (const [key, count] of byRoute) lines.push(`logweir_api_requests_total{${key}} ${count}`);
      lines.push(
        '# HELP logweir_api_request_seconds Time to answer a request.',
        '# TYPE logweir_api_request_seconds histogram',
      );
      let cumulative = 0;
      for (const [index, bound] of [...bucketsSeconds, '+Inf'].entries()) {
        cumulative += buckets[index] as number;
        lines.push(`logweir_api_request_seconds_bucket{le="${bound}"} ${cumulative}`);
      }
      lines.push(`logweir_api_request_seconds_sum ${seconds}`, `logweir_api_request_seconds_count ${requests}`);
      lines.push(
        '# HELP logweir_api_live_clients Live connections open.',
        '# TYPE logweir_api_live_clients gauge',
        `logweir_api_live_clients ${live.clients}`,
      );
      lines.push(
        '# HELP logweir_api_live_events_total Live events offered, once per client.',
        '# TYPE logweir_api_live_events_total counter',
        `logweir_api_live_events_total ${live.offeredTotal}`,
      );
      lines.push(
        '# HELP logweir_api_live_dropped_total Live events that a client was too slow for.',
        '# TYPE logweir_api_live_dropped_total counter',
        `logweir_api_live_dropped_total ${live.droppedTotal}`,
      );
      return `${lines.join('\n')}\n`;
    },
  };
}
