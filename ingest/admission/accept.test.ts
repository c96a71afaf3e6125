import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connectTo } from '../sockets.fixture.ts';
import { acceptMore, checkFree, sharing } from './mod.ts';

describe('a port with several sockets', () => {
  it('takes every connection once, and is not shared with another program', async () => {
    let accepted = 0;
    const server = createServer(() => void accepted++);
    await new Promise<void>((resolve) => void server.listen({ port: 0, host: '127.0.0.1', ...sharing }, resolve));
    const { port } = server.address() as { port: number };
    const close = await acceptMore(server, '127.0.0.1', port);
    const sockets = await Promise.all(Array.from({ length: 40 }, () => connectTo(port)));
    await expect.poll(() => accepted).toBe(40);
    await expect(checkFree('127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const closed = close();
    for (const socket of sockets) socket.destroy();
    await closed;
    await new Promise((resolve) => server.close(resolve));
    await checkFree('127.0.0.1', port);
  });
});
