/**
 * Server-Sent Events. Each client has a bounded queue of its own: while its socket takes no more, rate samples only
 * replace each other (the newest is the true one), and findings over the bound are dropped, counted, and told to the
 * client as soon as it reads again, so that it can fetch what it missed. A slow client costs the others nothing.
 */
import type { LiveSource } from './ports.ts';
import type { LiveEvent } from './types.ts';

/** Connections at once: a browser keeps one per tab; 256 tabs on one coordinator is a bound, not a goal. */
export const liveClientsMax = 256;
/** Findings kept for a client that does not read: about a minute of a storm of alerts. */
export const liveQueueMax = 256;
/** Comment sent on a quiet connection, so that proxies (60 s is common) keep it and dead ones are noticed. */
export const heartbeatMs = 15_000;

/** The part of a response that the hub needs; node's ServerResponse is one. */
export interface LiveSink {
  /** False: the socket's buffer is full, 'drain' follows. */
  write(chunk: string): boolean;
  on(event: 'drain' | 'close', listener: () => void): unknown;
  end(): void;
}

export interface LiveCounters {
  clients: number;
  /** Events times clients, dropped ones included. */
  offeredTotal: number;
  droppedTotal: number;
}

export interface LiveHub {
  /** Takes a connection whose head is sent; false when there are too many. */
  attach(sink: LiveSink): boolean;
  /** True when no further connection is taken. */
  full(): boolean;
  counters(): LiveCounters;
  close(): void;
}

/** One event as it goes over the wire: the type is the event's name, the rest its JSON data. */
export function frame(event: LiveEvent): string {
  const { type, ...data } = event;
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

class Client {
  readonly #sink: LiveSink;
  readonly #queue: string[] = [];
  #rate: string | undefined;
  #blocked = false;
  #dropped = 0;
  #droppedTold = 0;

  constructor(sink: LiveSink) {
    this.#sink = sink;
    sink.on('drain', () => this.#drain());
  }

  /** Returns how many events were dropped for it: 0 or 1. */
  send(text: string, replaceable: boolean): number {
    if (!this.#blocked) {
      this.#blocked = !this.#sink.write(text);
      return 0;
    }
    if (replaceable) {
      const replaced = this.#rate !== undefined;
      this.#rate = text;
      return replaced ? 1 : 0;
    }
    if (this.#queue.length >= liveQueueMax) {
      this.#dropped++;
      return 1;
    }
    this.#queue.push(text);
    return 0;
  }

  heartbeat(): void {
    if (!this.#blocked) this.#blocked = !this.#sink.write(': still here\n\n');
  }

  end(): void {
    this.#sink.end();
  }

  #drain(): void {
    this.#blocked = false;
    while (!this.#blocked) {
      const text = this.#next();
      if (text === undefined) return;
      this.#blocked = !this.#sink.write(text);
    }
  }

  #next(): string | undefined {
    const queued = this.#queue.shift();
    if (queued !== undefined) return queued;
    if (this.#dropped > this.#droppedTold) {
      this.#droppedTold = this.#dropped;
      return frame({ type: 'dropped', total: this.#dropped });
    }
    const rate = this.#rate;
    this.#rate = undefined;
    return rate;
  }
}

export function createLiveHub(source: LiveSource): LiveHub {
  const clients = new Set<Client>();
  let offeredTotal = 0;
  let droppedTotal = 0;
  const unsubscribe = source.subscribe((event) => {
    if (clients.size === 0) return;
    // Written once for all: most events go to every client unchanged.
    const text = frame(event);
    for (const client of clients) droppedTotal += client.send(text, event.type === 'rate');
    offeredTotal += clients.size;
  });
  const beat = setInterval(() => {
    for (const client of clients) client.heartbeat();
  }, heartbeatMs);
  beat.unref();

  return {
    attach(sink) {
      if (clients.size >= liveClientsMax) return false;
      const client = new Client(sink);
      clients.add(client);
      sink.on('close', () => clients.delete(client));
      sink.write('retry: 2000\n\n');
      return true;
    },
    full: () => clients.size >= liveClientsMax,
    counters: () => ({ clients: clients.size, offeredTotal, droppedTotal }),
    close() {
      unsubscribe();
      clearInterval(beat);
      for (const client of clients) client.end();
      clients.clear();
    },
  };
}
