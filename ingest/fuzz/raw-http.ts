/**
 * Requests that two servers in a row might read differently, and other HTTP that is none. Each holds a second request inside:
 * if ever a record of it is stored, somebody behind a proxy could speak in another's name.
 */
export interface RawAttack {
  name: string;
  chunks: Buffer[];
}

/** Service of the request inside. */
export const smuggledService = 'smuggled';

const inner = `POST /ingest?service=${smuggledService} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\ninner`;

const attack = (name: string, head: string, body: string | Buffer = `0\r\n\r\n${inner}`): RawAttack => ({
  name,
  chunks: [
    Buffer.from(`POST /ingest?service=outer HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n${head}\r\n\r\n`),
    Buffer.from(body),
  ],
});
const plain = (name: string, text: string | Buffer): RawAttack => ({ name, chunks: [Buffer.from(text)] });

const length = Buffer.byteLength(`0\r\n\r\n${inner}`);
const chunked = 'Transfer-Encoding: chunked';

export const rawAttacks: readonly RawAttack[] = [
  attack('a length beside chunks', `Content-Length: ${length}\r\n${chunked}`),
  attack('chunks beside a length', `${chunked}\r\nContent-Length: 4`, `5c\r\n${inner}\r\n0\r\n\r\n`),
  attack('two lengths', `Content-Length: 0\r\nContent-Length: ${inner.length}`, inner),
  attack('two lengths in one header', `Content-Length: 0, ${inner.length}`, inner),
  ...['+5', '-5', '0x5', '5 5', '5,', '', '99999999999999999999', '5\0'].map((value) =>
    attack(`length ${JSON.stringify(value)}`, `Content-Length: ${value}`, `hello${inner}`),
  ),
  ...[
    'xchunked',
    'identity, chunked, identity',
    'chunked, identity',
    'chunked;q=1',
    '"chunked"',
    'gzip',
    'chunked\0',
    '\vchunked',
    'Chunked x',
  ].map((value) => attack(`encoding ${JSON.stringify(value)}`, `Transfer-Encoding: ${value}\r\nContent-Length: 5`)),
  attack('a space before the colon', `Transfer-Encoding : chunked\r\nContent-Length: ${length}`),
  attack('two encodings', `${chunked}\r\nTransfer-Encoding: identity\r\nContent-Length: 4`),
  attack('a folded encoding', `Transfer-Encoding:\r\n chunked\r\nContent-Length: ${length}`),
  attack('a folded header', `X-Fold: a\r\n\tContent-Length: 0\r\nContent-Length: ${length}`),
  attack('a bare line feed', `X: y\nContent-Length: 0\r\nContent-Length: ${inner.length}`, inner),
  attack('a bare carriage return', `X: y\rContent-Length: 0\r\nContent-Length: ${inner.length}`, inner),
  ...[
    '-1',
    'ffffffffffffffff',
    '0x5',
    '5 ',
    ' 5',
    '5;a\nb',
    '5\n',
    '',
    'g',
    '00000000000000005',
    `5;${'x'.repeat(70_000)}`,
  ].map((size) =>
    attack(
      `chunk size ${JSON.stringify(size.slice(0, 24))}`,
      chunked,
      `${size}\r\nhello\r\n0\r\nX: y\r\n\r\n${inner.slice(0, -1)}`,
    ),
  ),
  attack('a chunk longer than it says', chunked, `3\r\nhello\r\n0\r\n\r\n${inner}`),
  attack('endless trailers', chunked, `0\r\n${'X: y\r\n'.repeat(20_000)}\r\n`),
  attack('one huge header', `X: ${'y'.repeat(200_000)}\r\nContent-Length: 0`, ''),
  attack(
    'many headers',
    `${Array.from({ length: 5_000 }, (_, i) => `X-${i}: y`).join('\r\n')}\r\nContent-Length: 0`,
    '',
  ),
  attack('NUL in a header', 'X: a\0b\r\nContent-Length: 0', ''),
  attack('an escape in a header', 'Idempotency-Key: \u001b[31m\r\nContent-Length: 1', 'x'),
  attack('an expectation nobody knows', 'Expect: 200-ok\r\nContent-Length: 5', 'hello'),
  attack(
    'an upgrade',
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 5',
    'hello',
  ),
  plain('HTTP/0.9', 'GET /ingest\r\n\r\n'),
  plain('HTTP/1.0 in chunks', `POST /ingest HTTP/1.0\r\n${chunked}\r\n\r\n0\r\n\r\n${inner}`),
  plain('HTTP/9.9', 'POST /ingest HTTP/9.9\r\nHost: x\r\n\r\n'),
  plain('no host', 'POST /ingest HTTP/1.1\r\nContent-Length: 0\r\n\r\n'),
  plain('two hosts', 'POST /ingest HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n'),
  plain('a long path', `POST /${'a'.repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`),
  plain(
    'a path that is none',
    'POST /%ff%00%zz/../../etc/passwd?%=%&&&== HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n',
  ),
  plain('an odd index', 'POST /%00%0a%ff/_bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'),
  plain('CONNECT', 'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n'),
  plain('TRACE', 'TRACE / HTTP/1.1\r\nHost: x\r\n\r\n'),
  plain('an odd method', 'PO\0ST /ingest HTTP/1.1\r\nHost: x\r\n\r\n'),
  plain('a preface of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\0'.repeat(200)}`),
  plain('a TLS handshake', Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0]), Buffer.alloc(517, 1)])),
  plain('noise', Buffer.from(Array.from({ length: 2_000 }, (_, i) => (i * 7919) % 256))),
  plain('nothing', ''),
];
