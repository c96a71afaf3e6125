/** Findings, configurations and servers for the tests of alerting. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '#bus/mod.ts';
import type { AlertTransition, Anomaly, IncidentVersion, Receipt } from '#protocol/mod.ts';
import { parseAlertingConfig } from '../config/mod.ts';
import { decide } from '../core/decide.ts';
import { emptyState } from '../core/state.ts';
import type { AlertingEvent, AlertingState, DecideConfig, Notification } from '../core/types.ts';

export const startMs = Date.UTC(2030, 0, 1, 12);

export function finding(over: Partial<Anomaly> = {}): { anomaly: Anomaly; receipt: Receipt } {
  const anomaly: Anomaly = {
    anomalyId: 'a0a1a2a3a4a5a6a7',
    service: 'checkout',
    lane: 'live',
    detector: 'error_spike',
    subject: '',
    startMs: startMs - 30_000,
    endMs: startMs,
    decidedAtMs: startMs,
    score: 80,
    actual: 41,
    typical: 2,
    description: '41 errors within 60 s, usually 2',
    influencers: [{ kind: 'template', name: 'connection to <*> refused', share: 0.9 }],
    samples: ['connection to db-1 refused'],
    watermarkMs: startMs,
    lateCount: 0,
    revised: false,
    version: 7,
    eventMs: startMs,
    ...over,
  };
  return {
    anomaly,
    receipt: { eventMs: anomaly.eventMs, gatewayMs: startMs + 1, processingMs: startMs + 2, detectedMs: startMs + 3 },
  };
}

/** Two channels, `hook` and `other`; one route. Groups are by service where nothing is said: what an incident is has tests of its own. */
export function configOf(over: Record<string, unknown> = {}): DecideConfig {
  const config = parseAlertingConfig({
    channels: [
      { name: 'hook', type: 'webhook', url: 'http://127.0.0.1:1/' },
      { name: 'other', type: 'webhook', url: 'http://127.0.0.1:2/' },
    ],
    routes: [{ name: 'all', channels: ['hook'] }],
    ...over,
  }).decide;
  const said = (over['routes'] ?? []) as { name: string; groupBy?: unknown }[];
  const routes = config.routes.map((route) =>
    said.some(({ name, groupBy }) => name === route.name && groupBy !== undefined)
      ? route
      : { ...route, groupBy: ['service' as const] },
  );
  return { ...config, routes };
}

/** Runs events and gathers what each gave, in short. */
export class Play {
  state: AlertingState;
  config: DecideConfig;
  transitions: AlertTransition[] = [];
  notifications: Notification[] = [];
  incidents: IncidentVersion[] = [];

  constructor(config: DecideConfig, state: AlertingState = emptyState()) {
    this.config = config;
    this.state = state;
  }

  run(event: AlertingEvent): this {
    const { state, effects } = decide(this.state, event, this.config);
    this.state = state;
    for (const effect of effects) {
      if (effect.kind === 'transition') this.transitions.push(effect.transition);
      else if (effect.kind === 'notify') this.notifications.push(effect.notification);
      else this.incidents.push(effect.incident);
    }
    return this;
  }

  /** Findings `afterMs` after the start. */
  find(afterMs: number, ...anomalies: Partial<Anomaly>[]): this {
    return this.run({ kind: 'anomalies', atMs: startMs + afterMs, findings: anomalies.map(finding) });
  }

  tick(afterMs: number): this {
    return this.run({ kind: 'tick', atMs: startMs + afterMs });
  }

  /** Takes what was told so far: `hook firing 1+0 …`. */
  told(): string[] {
    return this.notifications
      .splice(0)
      .map(
        ({ channel, reason, firing, resolved, more, atMs }) =>
          `${atMs - startMs} ${channel} ${reason} ${firing.length}+${resolved.length}${more === 0 ? '' : ` and ${more}`}`,
      );
  }

  /** Takes the transitions so far. */
  changed(): string[] {
    return this.transitions
      .splice(0)
      .map(
        ({ service, state, transition, atMs, suppressedBy }) =>
          `${atMs - startMs} ${service} ${state} ${transition}${suppressedBy === '' ? '' : ` ${suppressedBy}`}`,
      );
  }
}

/** Waits until a condition holds; fails after `ms`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`Waited ${ms} ms for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface Server {
  port: number;
  /** Ends the process at once, as a power cut would. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes its directory. */
  end(): Promise<void>;
}

async function serverOf(command: string, argumentsOf: (port: number, dir: string) => string[]): Promise<Server> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'logweir-alerting-'));
  let child: ChildProcess | null = null;
  const server: Server = {
    port,
    async start() {
      child = spawn(command, argumentsOf(port, dir), { stdio: 'ignore' });
      await until(command, () => answers(port));
    },
    async kill() {
      const ending = child;
      child = null;
      if (ending === null) return;
      await new Promise((resolve) => {
        ending.once('exit', resolve);
        ending.kill('SIGKILL');
      });
    },
    async end() {
      await server.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** `keeps`: what it held is there again after a kill. */
export function startRedis(keeps: boolean): Promise<Server> {
  const persistence = keeps ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--save', ''];
  return serverOf('redis-server', (port, dir) => [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    ...persistence,
  ]);
}

export function startNats(): Promise<Server> {
  return serverOf('nats-server', (port, dir) => ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', dir]);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (value: boolean) => () => {
      socket.destroy();
      resolve(value);
    };
    socket.once('connect', settle(true)).once('error', settle(false));
  });
}

export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
  /** Wall clock, ms. */
  atMs: number;
}

/** An HTTP server that keeps what it is sent; `answer` says what to reply (default 200). */
export async function startReceiver(
  answer: (nth: number) => { status: number; headers?: Record<string, string>; body?: string } | 'hang' = () => ({
    status: 200,
  }),
): Promise<{ url: string; received: Received[]; end: () => Promise<void> }> {
  const received: Received[] = [];
  const server = createHttpServer((request, response) => {
    const atMs = Date.now();
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      received.push({ headers: request.headers, body, atMs });
      const reply = answer(received.length);
      if (reply === 'hang') return;
      response.writeHead(reply.status, reply.headers ?? {});
      response.end(reply.body ?? '');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    end: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
