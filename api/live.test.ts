import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createLiveHub, frame, type LiveSink, liveClientsMax, liveQueueMax } from './live.ts';
import { startApi } from './mod.ts';
import { fakeDeps, fakeLive } from './testing/fake.ts';
import { seedAlerts } from './testing/seed.ts';
import type { LiveEvent } from './types.ts';

const rate = (recordsPerSecond: number): LiveEvent => ({
  type: 'rate',
  sample: { timeMs: 0, recordsPerSecond, errorsPerSecond: 0, services: [] },
});
const [someAlert] = seedAlerts(1_700_000_000_000);
if (someAlert === undefined) throw new Error('the seed has alerts');
const alert: LiveEvent = { type: 'alert', alert: someAlert };

/** A socket whose buffer is full whenever `slow` is set. */
class Sink extends EventEmitter implements LiveSink {
  readonly written: string[] = [];
  slow = false;
  ended = false;
  write(chunk: string): boolean {
    this.written.push(chunk);
    return !this.slow;
  }
  end(): void {
    this.ended = true;
  }
}

describe('live hub', () => {
  it('sends to all, and to nobody once closed', () => {
    const { source, push, listeners } = fakeLive();
    const hub = createLiveHub(source);
    const sinks = [new Sink(), new Sink()];
    for (const sink of sinks) hub.attach(sink);
    push(alert);
    for (const sink of sinks) expect(sink.written.at(-1)).toBe(frame(alert));
    hub.close();
    expect(sinks.every(({ ended }) => ended)).toBe(true);
    expect(listeners()).toBe(0);
  });

  it('a slow client keeps the newest rate, loses findings beyond its bound, and is told how many', () => {
    const { source, push } = fakeLive();
    const hub = createLiveHub(source);
    const slow = new Sink();
    const quick = new Sink();
    hub.attach(slow);
    hub.attach(quick);
    slow.slow = true;
    push(rate(1));
    const before = slow.written.length;
    for (let i = 2; i <= 10; i++) push(rate(i));
    for (let i = 0; i < liveQueueMax + 5; i++) push(alert);
    expect(slow.written).toHaveLength(before);
    expect(quick.written).toHaveLength(1 + 10 + liveQueueMax + 5);
    expect(hub.counters().droppedTotal).toBe(8 + 5);
    slow.slow = false;
    slow.emit('drain');
    const after = slow.written.slice(before);
    expect(after).toHaveLength(liveQueueMax + 2);
    expect(after.at(-2)).toBe(frame({ type: 'dropped', total: 5 }));
    expect(after.at(-1)).toBe(frame(rate(10)));
    hub.close();
  });

  it('takes a bounded number of clients, and a new one where one left', () => {
    const hub = createLiveHub(fakeLive().source);
    const sinks = Array.from({ length: liveClientsMax }, () => new Sink());
    for (const sink of sinks) expect(hub.attach(sink)).toBe(true);
    expect(hub.attach(new Sink())).toBe(false);
    sinks[0]?.emit('close');
    expect(hub.full()).toBe(false);
    hub.close();
  });

  it('a body cannot break out of its event', () => {
    const text = frame({ type: 'alert', alert: { ...someAlert, description: 'a\n\nevent: rate\ndata: {}\r\n' } });
    expect(text.split('\n').filter((line) => line !== '')).toHaveLength(2);
  });

  it('streams over HTTP, ends with the server', async () => {
    const { source, push, listeners } = fakeLive();
    const api = await startApi(fakeDeps(0, { live: source }));
    const response = await fetch(`${api.url}/api/v1/live`);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('retry')) text += (await reader.read()).value ?? '';
    push(alert);
    while (!text.includes('event: alert')) text += (await reader.read()).value ?? '';
    expect(text).toContain(someAlert.id);
    await api.close();
    await reader.read().catch(() => undefined);
    expect(listeners()).toBe(0);
  });
});
