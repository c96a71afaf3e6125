/** One seed of the fuzz suite against a world, in parts by receiver. The seed alone decides what is sent. */
import { LineParser } from '#analysis/formats/mod.ts';
import { LogweirError } from '#protocol/mod.ts';
import { readSources } from '../files/mod.ts';
import { damaged, type Random, randomFrom } from '../testing/fuzz.ts';
import { open, post, talk } from './clients.ts';
import { hostileBytes, hostileRequest, pick } from './hostile.ts';
import { inputs, writeInput } from './inputs.ts';
import { rawAttacks, smuggledService } from './raw-http.ts';
import { datagramTargets, httpTargets, lines, socketTargets } from './targets.ts';
import type { FuzzWorld } from './world.ts';

const requestsAtOnce = 6;
const messagesPerConnection = 4;

/** Parts of the suite: each receiver by its name, and what is beside them. */
export const parts: readonly string[] = [
  ...new Set([...httpTargets, ...socketTargets].map(({ receiver }) => receiver)),
  'nats',
  'http',
  'floods',
  'formats',
  'files',
];

/** @throws Error that names what did not hold */
export async function runSeed(world: FuzzWorld, seed: number, only?: string): Promise<void> {
  for (const part of parts) {
    if (only !== undefined && only !== part) continue;
    // Each part has numbers of its own: one alone sends what it sends among the others.
    const random = randomFrom(seed * 1_000_003 + parts.indexOf(part));
    try {
      await inTime(runPart(world, part, random).then(() => world.check()));
    } catch (cause) {
      throw new Error(`seed ${seed}, ${part}: ${(cause as Error).message}`, { cause });
    }
  }
}

/** A part that waits for what never comes. */
const partMsMax = 60_000;

async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not end within ${partMsMax} ms`)), partMsMax);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function runPart(world: FuzzWorld, part: string, random: Random): Promise<void> {
  switch (part) {
    case 'http':
      return rawHttp(world, random);
    case 'floods':
      return floods(world, random);
    case 'formats':
      return formats(random);
    case 'files':
      return files(random);
    case 'nats':
      return nats(world, random);
    default:
      await requests(world, part, random);
      await conversations(world, part, random);
      await datagrams(world, part, random);
  }
}

async function requests(world: FuzzWorld, receiver: string, random: Random): Promise<void> {
  for (const target of httpTargets) {
    if (target.receiver !== receiver) continue;
    const sent = Array.from({ length: requestsAtOnce }, async () => {
      const { body, headers } = hostileRequest(target.body, target.headers, random);
      const { status, body: answer } = await post(world.portOf(target), target, body, headers);
      if (status === 500 || status > 503)
        throw failed(`${target.path} was answered ${status} ${answer.slice(0, 300)}`, body, headers);
    });
    await Promise.all([...sent, world.neighbour(target)]);
    await world.neighbour(target);
  }
}

async function conversations(world: FuzzWorld, receiver: string, random: Random): Promise<void> {
  for (const target of socketTargets) {
    if (target.receiver !== receiver) continue;
    const hostile = Array.from({ length: messagesPerConnection }, () =>
      random() < 0.3 ? target.message : hostileBytes(target.message, random),
    );
    const stream = Buffer.concat(hostile);
    const port = world.sockets.port(target.receiver);
    await Promise.all([talk(port, cut(stream, random)), world.socketNeighbour(target)]);
    await world.socketNeighbour(target);
  }
}

async function datagrams(world: FuzzWorld, receiver: string, random: Random): Promise<void> {
  for (const target of datagramTargets)
    if (target.receiver === receiver)
      await world.datagrams(target.receiver, [
        hostileBytes(target.message, random),
        target.message,
        damaged(target.message, random),
      ]);
}

/** As the network cuts it. */
function cut(stream: Buffer, random: Random): Buffer[] {
  if (random() < 0.3) return [stream];
  const chunks: Buffer[] = [];
  const most = random() < 0.2 ? 3 : 2_000;
  for (let at = 0; at < stream.length && chunks.length < 400; ) {
    const size = chunks.length === 399 ? stream.length : 1 + Math.floor(random() * most);
    chunks.push(stream.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

async function nats(world: FuzzWorld, random: Random): Promise<void> {
  const { bus } = world.sockets;
  const [target] = httpTargets;
  const body = target?.body ?? Buffer.alloc(0);
  for (let i = 0; i < 10; i++)
    bus.tell(`logs.in.${pick(random, ['a', 'a.b', '', '\u001b', 'x'.repeat(300)])}`, hostileBytes(body, random));
  const answer = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('a message in order was not answered')), 5_000);
    bus.tell('logs.in.fuzzed', body, (bytes) => {
      clearTimeout(timer);
      resolve(Buffer.from(bytes).toString());
    });
  });
  if (answer !== '{"accepted":2,"rejected":0}') throw new Error(`a message in order was answered ${answer}`);
}

/** A few of the raw attacks, and one of them damaged. */
async function rawHttp(world: FuzzWorld, random: Random): Promise<void> {
  const { gateway } = world.gateway;
  const ports = [gateway.port, ...Object.values(gateway.ports)];
  for (let i = 0; i < 6; i++) {
    const { name, chunks } = pick(random, rawAttacks);
    // Damage may make two requests in order of one that was none: what is inside has another name then.
    const sent = i < 5 ? chunks : chunks.map((chunk) => damaged(renamed(chunk), random));
    for (const port of i === 0 ? ports : [gateway.port]) {
      const answer = await talk(port, sent);
      if (/^HTTP\/1\.1 50[0-2]/m.test(answer)) throw new Error(`${name} was answered ${answer.slice(0, 200)}`);
    }
  }
  const [target] = httpTargets;
  if (target !== undefined) await world.neighbour(target);
}

const renamed = (chunk: Buffer): Buffer =>
  Buffer.from(chunk.toString('latin1').replaceAll(smuggledService, 'neighbour'), 'latin1');

/** Connections that say nothing, little, or too slowly; others get through. */
async function floods(world: FuzzWorld, random: Random): Promise<void> {
  const { gateway } = world.gateway;
  const slow = pick(random, [
    '',
    'POST /ingest HTTP/1.1\r\nHost: x\r\nX-',
    'POST /ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n{"a":',
  ]);
  const held = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const socket = await open(gateway.port);
      socket.on('error', () => {});
      socket.write(slow);
      return socket;
    }),
  );
  for (const { receiver, message } of socketTargets) {
    const count = random() < 0.2 ? 300 : 20;
    for (let i = 0; i < count; i++) {
      const socket = await open(world.sockets.port(receiver)).catch(() => undefined);
      socket?.on('error', () => {});
      socket?.write(message.subarray(0, Math.floor(random() * message.length)));
      if (socket !== undefined) held.push(socket);
    }
  }
  try {
    for (const target of httpTargets.slice(0, 4)) await world.neighbour(target);
    for (const target of socketTargets.slice(0, 4)) await world.socketNeighbour(target);
  } finally {
    for (const socket of held) socket.destroy();
  }
}

const lineMsMax = 2_000;

function formats(random: Random): Promise<void> {
  const parser = new LineParser({ observedMs: 1_763_700_000_000 });
  let emitted = 0;
  for (let i = 0; i < 200; i++) {
    const line = Buffer.from(pick(random, lines));
    const hostile = random() < 0.2 ? line : hostileBytes(line, random);
    const startedMs = performance.now();
    parser.push(hostile, () => emitted++);
    const tookMs = performance.now() - startedMs;
    if (tookMs > lineMsMax) throw failed(`a line took ${Math.round(tookMs)} ms`, hostile, {});
  }
  parser.flush(() => emitted++);
  const { counts } = parser;
  if (counts.lines !== counts.records + counts.folded + counts.blank + counts.rejected || counts.records !== emitted)
    throw new Error(`lines do not add up: ${JSON.stringify(counts)}`);
  return Promise.resolve();
}

async function files(random: Random): Promise<void> {
  for (let i = 0; i < 6; i++) {
    const bytes = damaged(pick(random, inputs), random);
    const file = writeInput(bytes);
    try {
      for await (const batch of readSources(file)) if (batch.lines.length < 0) return;
    } catch (error) {
      if (!(error instanceof LogweirError)) throw failed(`a file ended with ${String(error)}`, bytes, {});
    }
  }
}

function failed(what: string, body: Buffer, headers: Record<string, string>): Error {
  const shown = JSON.stringify(headers);
  return new Error(
    `${what}\n  headers ${shown}\n  body (${body.length} bytes) ${body.subarray(0, 600).toString('base64')}`,
  );
}
