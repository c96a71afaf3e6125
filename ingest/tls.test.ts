/** HTTPS and gRPC over TLS on the ports that speak plain HTTP, and what is refused there. */
import { readFileSync } from 'node:fs';
import { credentials, Client } from '@grpc/grpc-js';
import { Client as ElasticClient } from '@elastic/elasticsearch';
import { get, request as requestPlain } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { testCertificate } from './certificate.fixture.ts';
import { openGateway, type TestGateway } from './testing/gateway.ts';
import type { Tls } from './tls.ts';

const { cert, key } = testCertificate();
const open: TestGateway[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});

async function start(tls: Partial<Tls> = {}): Promise<TestGateway & { ports: Record<string, number> }> {
  const port = { port: 0, mayBeTaken: false };
  const one = await openGateway({
    tls: { cert, key, clientCa: '', required: false, ...tls },
    receiverPorts: { otlpGrpc: port, otlpHttp: port, journald: port },
  });
  open.push(one);
  return { ...one, ports: one.gateway.ports };
}

function post(port: number, path: string, body: string, more: RequestOptions = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: 'localhost', port, path, method: 'POST', ca: cert, headers: { 'content-type': 'text/plain' }, ...more },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('TLS on the HTTP ports', () => {
  it('is taken beside plain HTTP, on every port', async () => {
    const one = await start();
    expect(await post(one.gateway.port, '/ingest?service=tls', 'a')).toBe(200);
    expect(await post(one.ports['otlpHttp'] as number, '/ingest?service=tls', 'b')).toBe(200);
    const journal = { headers: { 'content-type': 'application/vnd.fdo.journal' } };
    expect(await post(one.ports['journald'] as number, '/upload', 'MESSAGE=c\n\n', journal)).toBe(202);
    expect((await fetch(`${one.url}/ingest?service=plain`, { method: 'POST', body: 'd' })).status).toBe(200);
    expect((await one.records()).map(({ body }) => body).sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  it("lets Elastic's client in, with its certificate checked", async () => {
    const one = await start();
    const client = new ElasticClient({ node: `https://localhost:${one.gateway.port}`, tls: { ca: cert } });
    const { errors } = await client.bulk({ operations: [{ index: { _index: 'i' } }, { message: 'm' }] });
    await client.close();
    expect(errors).toBe(false);
  });

  it('carries gRPC, over HTTP/2', async () => {
    const one = await start();
    const client = new Client(`localhost:${one.ports['otlpGrpc']}`, credentials.createSsl(Buffer.from(cert)));
    const same = (bytes: Buffer): Buffer => bytes;
    const answer = await new Promise((resolve, reject) =>
      client.makeUnaryRequest(
        '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
        same,
        same,
        Buffer.alloc(0),
        (error, value) => (error === null ? resolve(value) : reject(error)),
      ),
    );
    client.close();
    expect(answer).toEqual(Buffer.alloc(0));
  });

  it('asks clients for a certificate where it is told to', async () => {
    const one = await start({ clientCa: cert });
    await expect(post(one.gateway.port, '/ingest', 'a')).rejects.toThrow(/certificate|ECONNRESET|socket/i);
    expect(await post(one.gateway.port, '/ingest', 'a', { cert, key })).toBe(200);
  });

  it('survives handshakes that are none or refused, and connections that say nothing', async () => {
    const one = await start();
    const { port } = one.gateway;
    const refusing = Array.from({ length: 10 }, () => connectTls({ port, host: 'localhost', ca: [] }));
    const rubbish = Array.from({ length: 10 }, () =>
      connect({ port }).end(Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0]), Buffer.alloc(517, 1)])),
    );
    await Promise.all(
      [...refusing, ...rubbish].map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.resume();
            socket.on('error', () => socket.destroy());
            socket.once('close', () => resolve());
          }),
      ),
    );
    const silent = await new Promise<Socket>((resolve) => {
      const socket = connect({ port }, () => resolve(socket));
      socket.on('error', () => {});
    });
    while (one.gateway.connections.now > 1) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await post(port, '/ingest', 'a')).toBe(200);
    // It keeps nobody from stopping.
    await one.stop();
    open.splice(0);
    silent.destroy();
  });

  it('keeps connections alive, and large bodies whole', async () => {
    const one = await start();
    const body = `${'x'.repeat(200_000)}\n`.repeat(20);
    expect(await post(one.gateway.port, '/ingest?service=large', body)).toBe(200);
    expect(await one.records()).toHaveLength(20);
    for (const send of [get, requestPlain]) {
      const status = await new Promise((resolve) =>
        send({ port: one.gateway.port, path: '/healthz' }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).end(),
      );
      expect(status).toBe(200);
    }
  });

  it('cannot be had with a certificate that is none', async () => {
    await expect(start({ cert: readFileSync(import.meta.filename, 'utf8') })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});
