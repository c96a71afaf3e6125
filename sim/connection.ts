/**
 * A process's connection to the simulated server, as the ports that the real code uses. Like TCP it keeps order in each
 * direction; unlike a test double it delays, loses requests and answers, does things twice, and breaks. What was sent
 * while it was broken waits for the next connection, as in the NATS client, and may arrive after its sender gave up.
 */
import type {
  Bus,
  ConsumeOptions,
  KeyValue,
  KeyValueEntry,
  Objects,
  PublishOptions,
  StreamMessage,
  StreamSettings,
  Subscription,
} from '#bus/mod.ts';
import { LogweirError, type StreamName } from '#protocol/mod.ts';
import type { Process } from './process.ts';
import type { Consumer, Server } from './server.ts';

/** Chances per request, and how slow the network is. */
export interface Weather {
  /** Never arrives; the sender sees a timeout. */
  lost: number;
  /** Done, but the sender sees a timeout. */
  deaf: number;
  /** Not done, and the sender is told so. */
  refused: number;
  /** Done twice. */
  twice: number;
  /** Takes up to `slowMs` longer. */
  slow: number;
  slowMs: number;
  /** An object is stored cut short, and the sender sees a timeout. */
  torn: number;
}

export const fair: Weather = { lost: 0, deaf: 0, refused: 0, twice: 0, slow: 0.01, slowMs: 20, torn: 0 };

const callTimeoutMs = 5_000;
const messagesAheadDefault = 64;

type Fate = 'ok' | 'lost' | 'deaf' | 'refused' | 'twice';

export class Connection implements Bus {
  readonly payloadBytesMax = 1024 * 1024;
  readonly streams: Bus['streams'];
  weather: Weather = fair;
  private readonly server: Server;
  private readonly process: Process;
  private up = true;
  /** Counts connections: what was under way on an earlier one never arrives. */
  private era = 0;
  /** When the last thing sent arrives, each way. */
  private outMs = 0;
  private inMs = 0;
  /** Requests without an answer: how they learn that none will come. */
  private readonly open = new Set<() => void>();
  /** Arrived at the server while it was paused. */
  private readonly stalled: (() => void)[] = [];
  /** Sent while the connection was broken. */
  private readonly waiting: (() => void)[] = [];
  /** To be made again on each new connection. */
  private readonly lasting = new Set<() => void>();
  private readonly atServer = new Set<() => void>();

  constructor(server: Server, process: Process) {
    this.server = server;
    this.process = process;
    const streams = {
      ensure: (settings: StreamSettings) => this.call('ensure', () => server.ensure(settings)),
      publish: (subject: string, data: Uint8Array, options: PublishOptions = {}) =>
        this.call('publish', () => server.publish(process.name, subject, data, options), options.timeoutMs),
      publishAfter: (subject: string, data: Uint8Array, lastSequence: number) =>
        this.call('publish', () => server.publishAfter(process.name, subject, data, lastSequence)),
      consume: (stream: StreamName, options: ConsumeOptions) => this.consume(stream, options),
      read: (stream: StreamName, sequence: number) => this.call('read', () => server.messageAt(stream, sequence)),
      remove: (stream: StreamName, sequence: number) =>
        this.call('remove', () => server.removeMessage(stream, sequence)),
      subjects: (stream: StreamName) => this.call('subjects', () => server.subjectCounts(stream)),
      last: (stream: StreamName, subject: string) => this.call('last', () => server.last(stream, subject)),
      info: (stream: StreamName) => this.call('info', () => server.info(stream)),
      purge: (stream: StreamName, below: number, subject?: string) =>
        this.call('purge', () => server.purge(stream, below, subject)),
    };
    this.streams = streams;
  }

  get connected(): boolean {
    return this.up;
  }

  get connections(): number {
    return this.era + (this.up ? 1 : 0);
  }

  private latencyMs(): number {
    const { random } = this.server.world;
    const usual = 0.1 + random.below(8) / 16;
    return random.next() < this.weather.slow ? usual + random.below(this.weather.slowMs * 4) / 4 : usual;
  }

  private fate(): Fate {
    const { lost, deaf, refused, twice } = this.weather;
    if (lost + deaf + refused + twice === 0) return 'ok';
    const roll = this.server.world.random.next();
    if (roll < lost) return 'lost';
    if (roll < lost + deaf) return 'deaf';
    if (roll < lost + deaf + refused) return 'refused';
    return roll < lost + deaf + refused + twice ? 'twice' : 'ok';
  }

  /** One request and its answer. `work` runs at the server, when the request arrives there. */
  private call<T>(what: string, work: () => T, timeoutMs: number = callTimeoutMs, extraMs = 0): Promise<T> {
    const { process, server } = this;
    const { world } = server;
    return new Promise((resolve, reject) => {
      const giveUpMs = world.nowMs + timeoutMs;
      let over = false;
      const settle = (run: () => void): void =>
        process.enter(() => {
          if (over) return;
          over = true;
          this.open.delete(timeOut);
          run();
        });
      const timeOut = (): void => {
        this.open.delete(timeOut);
        world.at(giveUpMs, () => settle(() => reject(unavailable(what, 'no answer in time'))));
      };
      const send = (): void => {
        const { era } = this;
        const fate = this.fate();
        if (fate === 'lost') {
          world.note(process.name, 'loses', what);
          return timeOut();
        }
        this.open.add(timeOut);
        const handle = (): void => {
          if (era !== this.era) return;
          let answer: () => void;
          if (fate === 'refused') {
            world.note(process.name, 'is refused', what);
            answer = () => reject(unavailable(what, 'the server cannot do it now'));
          } else {
            try {
              const result = work();
              if (fate === 'twice') work();
              answer = () => resolve(result);
            } catch (error) {
              answer = () => reject(error);
            }
          }
          if (fate === 'deaf') {
            world.note(process.name, 'does not hear of', what);
            return timeOut();
          }
          this.inMs = Math.max(this.inMs, world.nowMs + this.latencyMs());
          world.at(this.inMs, () => {
            if (era === this.era) settle(answer);
          });
        };
        this.outMs = Math.max(this.outMs, world.nowMs + this.latencyMs() + extraMs);
        world.at(this.outMs, () => {
          if (server.pausedUntilMs <= world.nowMs && this.stalled.length === 0) return handle();
          if (server.pausedUntilMs >= giveUpMs) timeOut();
          this.stall(handle);
        });
      };
      if (this.up) return send();
      this.waiting.push(send);
      return timeOut();
    });
  }

  /** Keeps what arrives at a paused server in order, however long the pause becomes. */
  private stall(handle: () => void): void {
    this.stalled.push(handle);
    if (this.stalled.length > 1) return;
    const { server } = this;
    const drain = (): void => {
      if (server.pausedUntilMs > server.world.nowMs) server.world.at(server.pausedUntilMs, drain);
      else for (const one of this.stalled.splice(0)) one();
    };
    server.world.at(server.pausedUntilMs, drain);
  }

  /** Something from the server that nobody asked for just now. */
  private deliver(run: () => void): void {
    const { world } = this.server;
    const { era } = this;
    this.inMs = Math.max(this.inMs, world.nowMs + this.latencyMs(), this.server.pausedUntilMs);
    world.at(this.inMs, () => {
      if (era === this.era) this.process.enter(run);
    });
  }

  /** Breaks: what is under way never arrives. */
  break(): void {
    if (!this.up) return;
    this.up = false;
    this.era++;
    for (const end of this.atServer) end();
    this.atServer.clear();
    const unanswered = [...this.open];
    this.open.clear();
    for (const timeOut of unanswered) timeOut();
  }

  mend(): void {
    if (this.up) return;
    this.up = true;
    this.outMs = 0;
    this.inMs = 0;
    for (const again of this.lasting) again();
    for (const send of this.waiting.splice(0)) send();
  }

  private async consume(stream: StreamName, options: ConsumeOptions): Promise<Subscription> {
    const { server } = this;
    const { world } = server;
    const ahead = options.messagesAhead ?? messagesAheadDefault;
    const received: StreamMessage[] = [];
    let next = Math.max(options.fromSequence, 1);
    let taken = 0;
    let stopped = false;
    let wake = (): void => {};
    let consumer: Consumer | null = null;
    const begin = (): void => {
      if (stopped) return;
      const mine: Consumer = {
        stream,
        subject: options.subject ?? null,
        next,
        outstanding: received.length,
        ahead,
        send: (messages) =>
          this.deliver(() => {
            if (consumer !== mine) return;
            for (const message of messages) received.push(message);
            next = (messages.at(-1) as StreamMessage).sequence + 1;
            wake();
          }),
      };
      consumer = mine;
      taken = 0;
      server.subscribe(mine);
      this.atServer.add(() => server.unsubscribe(mine));
    };
    await this.call('consume', begin);
    const again = (): void => {
      void this.call('consume', begin).catch(() => world.after(250, () => this.up && this.process.enter(again)));
    };
    this.lasting.add(again);
    const onTaken = (): void => {
      taken++;
      const mine = consumer;
      if (taken < ahead / 2 || mine === null) return;
      const asked = taken;
      taken = 0;
      world.after(this.latencyMs(), () => {
        mine.outstanding -= asked;
        server.pump(mine);
      });
    };
    return {
      stop: async () => {
        stopped = true;
        this.lasting.delete(again);
        if (consumer !== null) server.unsubscribe(consumer);
        wake();
      },
      async *[Symbol.asyncIterator]() {
        while (!stopped) {
          const message = received.shift();
          if (message !== undefined) {
            onTaken();
            yield message;
          } else {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
      },
    };
  }

  async keyValue(name: string): Promise<KeyValue> {
    const { server } = this;
    const bucket = await this.call('bucket', () => server.bucket(name));
    return {
      get: (key) => this.call(`get ${key}`, () => bucket.entries.get(key) ?? null),
      create: (key, value) =>
        this.call(`create ${key}`, () => (bucket.entries.has(key) ? null : server.set(name, key, value))),
      update: (key, value, revision) =>
        this.call(`update ${key}`, () =>
          bucket.entries.get(key)?.revision === revision ? server.set(name, key, value) : null,
        ),
      put: (key, value) => this.call(`put ${key}`, () => server.set(name, key, value)),
      delete: (key) => this.call(`delete ${key}`, () => server.remove(name, key)),
      keys: () => this.call('keys', () => [...bucket.entries.keys()]),
      watch: (key, onChange) => this.watch(name, key, onChange),
    };
  }

  private async watch(name: string, key: string, onChange: (entry: KeyValueEntry | null) => void): Promise<() => void> {
    const bucket = this.server.bucket(name);
    let stopped = false;
    const begin = (): void => {
      if (stopped) return;
      const changed = (entry: KeyValueEntry | null): void => this.deliver(() => !stopped && onChange(entry));
      const watcher = { key, changed };
      bucket.watchers.add(watcher);
      this.atServer.add(() => bucket.watchers.delete(watcher));
      changed(bucket.entries.get(key) ?? null);
    };
    await this.call('watch', begin);
    const again = (): void => {
      void this.call('watch', begin).catch(
        () => void this.server.world.after(250, () => this.up && this.process.enter(again)),
      );
    };
    this.lasting.add(again);
    return () => {
      stopped = true;
      this.lasting.delete(again);
    };
  }

  async objects(name: string): Promise<Objects> {
    const { server } = this;
    const { world } = server;
    const store = await this.call('objects', () => server.objects(name));
    return {
      put: (object, data) => {
        const torn = world.random.next() < this.weather.torn;
        const kept = torn ? data.slice(0, world.random.below(data.length)) : data.slice();
        const stored = this.call(
          `store ${object}`,
          () => void store.set(object, kept),
          callTimeoutMs,
          data.length / 50_000,
        );
        return torn ? stored.then(() => Promise.reject(unavailable('put', 'it broke off'))) : stored;
      },
      get: (object) => this.call(`load ${object}`, () => store.get(object) ?? null),
      delete: (object) => this.call(`drop ${object}`, () => void store.delete(object)),
      list: () => this.call('list', () => [...store.keys()]),
    };
  }

  tell(subject: string, data: Uint8Array): void {
    if (!this.up || this.fate() === 'lost') return;
    const { world } = this.server;
    const { era } = this;
    this.outMs = Math.max(this.outMs, world.nowMs + this.latencyMs(), this.server.pausedUntilMs);
    world.at(this.outMs, () => {
      if (era === this.era) this.server.tell(subject, data);
    });
  }

  listen(pattern: string, onMessage: (data: Uint8Array, subject: string) => void): () => void {
    let end = (): void => {};
    const begin = (): void => {
      end = this.server.listen({ pattern, hear: (data, subject) => this.deliver(() => onMessage(data, subject)) });
      this.atServer.add(end);
    };
    begin();
    this.lasting.add(begin);
    return () => {
      end();
      this.lasting.delete(begin);
    };
  }

  async close(): Promise<void> {
    this.break();
  }
}

function unavailable(what: string, why: string): LogweirError {
  return new LogweirError('NATS_UNAVAILABLE', `NATS did not answer (${what}): ${why}.`, 'It is asked again.');
}
