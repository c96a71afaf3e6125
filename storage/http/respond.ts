/** Writing results and failures to a response, compressed where asked for, at the client's pace. */
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { createDeflate, createGzip, createZstdCompress, constants } from 'node:zlib';
import type { ClickHouseError } from '../engine/error.ts';

/** Status by ClickHouse's exception code. Source: ClickHouse's HTTPHandler, exceptionCodeToHTTPStatus. */
const statuses: ReadonlyMap<number, number> = new Map([
  ...[26, 27, 36, 38, 41, 43, 53, 62, 69, 70, 72, 117, 457].map((code) => [code, 400] as const),
  ...[46, 47, 50, 55, 56, 60, 81, 115].map((code) => [code, 404] as const),
  [1, 501],
  [48, 501],
  [159, 408],
  [164, 403],
  [194, 401],
  [202, 503],
  [396, 413],
  [456, 400],
  [497, 403],
  [516, 401],
]);

export function statusOf(error: ClickHouseError): number {
  return statuses.get(error.exceptionCode) ?? 500;
}

/** A whole response for a failure that came before anything was sent. */
export function sendException(response: ServerResponse, error: ClickHouseError): void {
  response.statusCode = statusOf(error);
  response.setHeader('X-ClickHouse-Exception-Code', error.exceptionCode);
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  response.removeHeader('Content-Encoding');
  if (response.statusCode === 503) response.setHeader('Retry-After', 1);
  response.end(`${error.message}\n`);
}

/** What a result is written to: the response itself, or a compressor in front of it. */
export function resultSink(response: ServerResponse, encoding: 'gzip' | 'deflate' | 'zstd' | null): Writable {
  if (encoding === null) return response;
  response.setHeader('Content-Encoding', encoding);
  // Level 1: results go over loopback or a LAN, where the CPU is what is short.
  const compressor =
    encoding === 'gzip'
      ? createGzip({ level: 1 })
      : encoding === 'deflate'
        ? createDeflate({ level: 1 })
        : createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  compressor.pipe(response);
  return compressor;
}

export function encodingOf(acceptEncoding: string | undefined): 'gzip' | 'deflate' | 'zstd' | null {
  const accepted = (acceptEncoding ?? '').split(',').map((part) => part.trim().split(';')[0]);
  for (const encoding of ['zstd', 'gzip', 'deflate'] as const) if (accepted.includes(encoding)) return encoding;
  return null;
}

/** Writes, and waits where the reader is slower. False once the reader is gone. */
export async function write(sink: Writable, chunk: Uint8Array, response: ServerResponse): Promise<boolean> {
  if (response.destroyed) return false;
  if (!sink.write(chunk)) {
    const gone = new AbortController();
    const stop = (): void => gone.abort();
    response.once('close', stop);
    try {
      await once(sink, 'drain', { signal: gone.signal });
    } catch {
      return false;
    } finally {
      response.off('close', stop);
    }
  }
  return !response.destroyed;
}

/**
 * A failure after the result had begun: marked in the body by the tag that the headers named, as ClickHouse does
 * since 25.11, and the connection is ended without the closing chunk so that no client takes the result for whole.
 */
export function breakOff(sink: Writable, response: ServerResponse, tag: string, error: ClickHouseError): void {
  const message = `${error.message}\n`;
  const block = `\r\n__exception__\r\n${tag}\r\n${message}${Buffer.byteLength(message)} ${tag}\r\n__exception__\r\n`;
  if (sink === response) {
    response.write(block, () => response.socket?.end());
  } else {
    response.socket?.setTimeout(5_000, () => response.destroy());
    sink.end(block);
  }
}
