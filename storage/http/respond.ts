/** Writing results and failures to a response, compressed where asked for, at the client's pace. */
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import {
  constants,
  createDeflate,
  createGzip,
  createZstdCompress,
  type Deflate,
  type Gzip,
  type ZstdCompress,
} from 'node:zlib';
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

export type Encoding = 'gzip' | 'deflate' | 'zstd';

export function encodingOf(acceptEncoding: string | undefined): Encoding | null {
  const accepted = (acceptEncoding ?? '').split(',').map((part) => part.trim().split(';')[0]);
  for (const encoding of ['zstd', 'gzip', 'deflate'] as const) if (accepted.includes(encoding)) return encoding;
  return null;
}

/** Level 1: results go over loopback or a LAN, where the CPU is what is short. */
function compressorOf(encoding: Encoding): Gzip | Deflate | ZstdCompress {
  if (encoding === 'gzip') return createGzip({ level: 1 });
  if (encoding === 'deflate') return createDeflate({ level: 1 });
  return createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

/** Where a result goes: the response itself, or a compressor in front of it. */
export class ResultSink {
  private readonly response: ServerResponse;
  private readonly compressor: Writable | null;
  private broken = false;

  constructor(response: ServerResponse, encoding: Encoding | null) {
    this.response = response;
    if (encoding === null) {
      this.compressor = null;
      return;
    }
    response.setHeader('Content-Encoding', encoding);
    const compressor = compressorOf(encoding);
    this.compressor = compressor;
    compressor.pipe(response, { end: false });
    compressor.once('end', () => (this.broken ? response.socket?.end() : response.end()));
    response.once('close', () => compressor.destroy());
  }

  /** Writes, and waits where the reader is slower. False once the reader is gone. */
  async write(chunk: Uint8Array): Promise<boolean> {
    const { response } = this;
    const sink = this.compressor ?? response;
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

  end(chunk?: Uint8Array): void {
    const sink = this.compressor ?? this.response;
    if (chunk === undefined) sink.end();
    else sink.end(chunk);
  }

  /**
   * A failure after the result had begun: marked in the body by the tag that the headers named, as ClickHouse does
   * since 25.11, and the connection ends without the closing chunk so that no client takes the result for whole.
   */
  breakOff(tag: string, error: ClickHouseError): void {
    this.broken = true;
    const message = `${error.message}\n`;
    const block = `\r\n__exception__\r\n${tag}\r\n${message}${Buffer.byteLength(message)} ${tag}\r\n__exception__\r\n`;
    if (this.compressor !== null) this.compressor.end(block);
    else this.response.write(block, () => this.response.socket?.end());
  }
}
