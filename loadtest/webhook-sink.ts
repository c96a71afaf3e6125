/** A local webhook that takes the time of every notification. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The part of a notification that the load test reads; times are wall-clock ms. */
export interface Notification {
  alerts: { service: string }[];
  receipt: { eventMs: number; gatewayMs: number; processingMs: number; detectedMs: number } | null;
}

export interface WebhookSink {
  url: string;
  close(): Promise<void>;
}

/** Wall clock with the resolution of the monotonic one, ms. */
export const preciseNow = (): number => performance.timeOrigin + performance.now();

/** @param take is given each notification with the time at which its request came in */
export async function openWebhookSink(take: (notification: Notification, atMs: number) => void): Promise<WebhookSink> {
  const server = createServer((request, response) => {
    const atMs = preciseNow();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.end();
      take(JSON.parse(Buffer.concat(chunks).toString()) as Notification, atMs);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}
