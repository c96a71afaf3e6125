/** What OTLP answers: ExportLogsServiceResponse and google.rpc.Status, as protobuf. */
import { ByteWriter, type ErrorCode, LogweirError } from '#protocol/mod.ts';

/** Codes of gRPC that are used. Source: grpc.github.io/grpc/core/md_doc_statuscodes.html. */
export const grpcCode = { invalidArgument: 3, resourceExhausted: 8, unimplemented: 12, internal: 13, unavailable: 14 };

const codes: Partial<Record<ErrorCode, number>> = {
  REQUEST_INVALID: grpcCode.invalidArgument,
  RECORD_REJECTED: grpcCode.invalidArgument,
  BODY_TOO_LARGE: grpcCode.resourceExhausted,
  ENCODING_UNSUPPORTED: grpcCode.unimplemented,
  NATS_UNAVAILABLE: grpcCode.unavailable,
  STREAM_FULL: grpcCode.unavailable,
  SHARE_EXCEEDED: grpcCode.resourceExhausted,
  QUOTA_EXCEEDED: grpcCode.resourceExhausted,
};

export interface Status {
  code: number;
  message: string;
}

export function statusOf(error: unknown): Status {
  const message = (error as Error).message;
  return error instanceof LogweirError
    ? { code: codes[error.code] ?? grpcCode.internal, message: `${message} ${error.remedy}` }
    : { code: grpcCode.internal, message };
}

export interface Rejections {
  rejected: number;
  /** The first few, named. */
  reasons: string[];
}

const reasonsNamedMax = 20;

export function reject(rejections: Rejections, index: number, reason: string): void {
  rejections.rejected++;
  if (rejections.reasons.length < reasonsNamedMax) rejections.reasons.push(`record ${index}: ${reason}`);
}

export function partialMessage({ rejected, reasons }: Rejections): string {
  const more = rejected - reasons.length;
  return `${reasons.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/** Empty where all was taken. */
export function encodeResponse(rejections: Rejections): Buffer {
  if (rejections.rejected === 0) return Buffer.alloc(0);
  const partial = new ByteWriter(256);
  partial.uint8(0x08);
  partial.varint(rejections.rejected);
  partial.uint8(0x12);
  partial.string(partialMessage(rejections));
  return Buffer.from(delimited(0x0a, partial.view()));
}

/** google.rpc.Status; with `retryAfterMs` it carries RetryInfo, without which clients of gRPC do not try again. */
export function encodeStatus({ code, message }: Status, retryAfterMs?: number): Buffer {
  const status = new ByteWriter(256);
  status.uint8(0x08);
  status.varint(code);
  status.uint8(0x12);
  status.string(message);
  if (retryAfterMs !== undefined) {
    const duration = new ByteWriter(16);
    duration.uint8(0x08);
    duration.varint(Math.floor(retryAfterMs / 1_000));
    duration.uint8(0x10);
    duration.varint((retryAfterMs % 1_000) * 1_000_000);
    const any = new ByteWriter(128);
    any.uint8(0x0a);
    any.string('type.googleapis.com/google.rpc.RetryInfo');
    const info = delimited(0x0a, duration.view());
    any.uint8(0x12);
    any.slice(info, 0, info.length);
    status.uint8(0x1a);
    status.slice(any.view(), 0, any.length);
  }
  return Buffer.from(status.copy());
}

function delimited(tag: number, content: Uint8Array): Uint8Array {
  const writer = new ByteWriter(content.length + 8);
  writer.uint8(tag);
  writer.slice(content, 0, content.length);
  return writer.copy();
}
