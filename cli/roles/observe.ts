/** What every role shows of itself: heartbeats for status, and /metrics, /healthz, /readyz over HTTP. */
import { createServer } from 'node:http';
import process from 'node:process';
import { type Bus, thisHost } from '#bus/mod.ts';
import { type Heartbeat, heartbeatEveryMs, LogweirError, pack, type RoleName, subjects } from '#protocol/mod.ts';

export type Counters = () => Record<string, number>;

/** Prometheus text of a role's counters: `logweir_<role>_<name>_total`, gauges where the name ends in a unit. */
export function prometheusText(role: RoleName, counters: Record<string, number>): string {
  const lines: string[] = [];
  for (const [name, value] of Object.entries(counters)) {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const gauge = /_(bytes|ms|seconds|rows|now)$/.test(snake);
    const metric = `logweir_${role}_${snake}${gauge ? '' : '_total'}`;
    lines.push(`# TYPE ${metric} ${gauge ? 'gauge' : 'counter'}`, `${metric} ${value}`);
  }
  lines.push('# TYPE process_resident_memory_bytes gauge', `process_resident_memory_bytes ${thisHost.rssBytes()}`);
  const cpu = process.cpuUsage();
  lines.push('# TYPE process_cpu_seconds_total counter', `process_cpu_seconds_total ${(cpu.user + cpu.system) / 1e6}`);
  return `${lines.join('\n')}\n`;
}

/** Sends heartbeats of a role that has no partitions. Returns the way to stop. */
export function startHeartbeat(bus: Bus, role: RoleName, id: string, records: string, counters: Counters): () => void {
  let last = counters()[records] ?? 0;
  let lastMs = Date.now();
  const beat = (leaving: boolean): void => {
    const now = Date.now();
    const values = counters();
    const total = values[records] ?? 0;
    const message: Heartbeat = {
      role,
      id,
      host: thisHost.name,
      pid: thisHost.pid,
      atMs: now,
      rssBytes: thisHost.rssBytes(),
      leaving,
      recordsPerSecond: ((total - last) * 1_000) / Math.max(now - lastMs, 1),
      counters: values,
      partitions: [],
      services: [],
    };
    last = total;
    lastMs = now;
    bus.tell(subjects.heartbeat(role, id), pack(message));
  };
  const timer = setInterval(() => beat(false), heartbeatEveryMs);
  return () => {
    clearInterval(timer);
    beat(true);
  };
}

export interface ObservedServer {
  port: number;
  close(): Promise<void>;
}

/** Serves /metrics, /healthz and /readyz of a role that has no HTTP server of its own. Port 0 takes any free one. */
export function serveMetrics(options: {
  host: string;
  port: number;
  /** A text says why not. */
  ready: () => boolean | string;
  metrics: () => string;
}): Promise<ObservedServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      response.end(text);
    };
    if (request.url === '/metrics') answer(200, options.metrics());
    else if (request.url === '/healthz') answer(200, 'ok\n');
    else if (request.url === '/readyz') {
      const ready = options.ready();
      if (ready === true) answer(200, 'ok\n');
      else answer(503, `${ready === false ? 'not ready' : ready}\n`);
    } else answer(404, 'Served here: /metrics, /healthz, /readyz.\n');
  });
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new LogweirError(
              'PORT_TAKEN',
              `Port ${options.port} is used by another program.`,
              'Set ports.metrics to another, or to 0 for any.',
              { cause },
            )
          : cause,
      ),
    );
    server.listen(options.port, options.host, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      resolve({
        port,
        close: () =>
          new Promise((done) => {
            server.closeAllConnections();
            server.close(() => done());
          }),
      });
    });
  });
}
