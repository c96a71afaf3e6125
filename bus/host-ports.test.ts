import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, createServer, type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { holdAnyPort, holdPort, roomBeside } from './host-ports.ts';

/** What another process gets that asks for the port. */
function askElsewhere(port: number): string {
  const script = `import { holdPort } from ${JSON.stringify(resolve(import.meta.dirname, 'host-ports.ts'))};
console.log((await holdPort(${port})) === undefined ? 'held' : 'free');`;
  return execFileSync(process.execPath, ['--input-type=module-typescript', '-e', script], {
    encoding: 'utf8',
    cwd: resolve(import.meta.dirname, '..'),
  }).trim();
}

describe('ports of this machine', () => {
  it('are not of those that outgoing connections get', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => server.once('listening', done));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await new Promise((done) => socket.once('connect', done));
    const held = await holdAnyPort();
    expect(held.port).toBeGreaterThanOrEqual(20_000);
    expect(held.port).toBeLessThan(socket.localPort as number);
    socket.destroy();
    server.close();
    held.release();
  });

  it('are held, and can be listened on meanwhile', async () => {
    const held = await holdAnyPort();
    const server = createServer().listen(held.port, '127.0.0.1');
    await new Promise((done) => server.once('listening', done));
    await new Promise((done) => server.close(done));
    expect(await holdPort(held.port)).toBeUndefined();
    held.release();
    const again = await holdPort(held.port);
    expect(again?.port).toBe(held.port);
    again?.release();
  });

  it.runIf(process.platform === 'linux')('are held against other processes', async () => {
    const held = await holdAnyPort();
    expect(askElsewhere(held.port)).toBe('held');
    held.release();
    expect(askElsewhere(held.port)).toBe('free');
  });

  it('are those that nobody listens on, for datagrams where asked', async () => {
    const { port, release } = await holdAnyPort();
    release();
    const socket = createSocket('udp4');
    await new Promise<void>((done) => socket.bind(port, '127.0.0.1', done));
    expect(await holdPort(port, { datagrams: true })).toBeUndefined();
    (await holdPort(port))?.release();
    socket.close();
    const server = createServer().listen(port, '127.0.0.1');
    await new Promise((done) => server.once('listening', done));
    expect(await holdPort(port)).toBeUndefined();
    server.close();
  });

  it.each([
    [
      { from: 32_768, to: 60_999 },
      { from: 20_000, to: 32_767 },
    ],
    [
      { from: 49_152, to: 65_535 },
      { from: 20_000, to: 32_767 },
    ],
    [
      { from: 25_000, to: 60_999 },
      { from: 20_000, to: 24_999 },
    ],
    [
      { from: 10_000, to: 60_000 },
      { from: 60_001, to: 65_535 },
    ],
    [
      { from: 1_024, to: 65_535 },
      { from: 20_000, to: 32_767 },
    ],
    [undefined, { from: 20_000, to: 32_767 }],
  ])('beside %j are %j', (outgoing, room) => {
    expect(roomBeside(outgoing)).toEqual(room);
  });
});
