/** What is over the limit of a request, packed or unpacked. */
import { LogweirError } from '#protocol/mod.ts';

export function tooLarge(bytesMax: number, cause?: unknown): LogweirError {
  return new LogweirError(
    'BODY_TOO_LARGE',
    `The body is over ${bytesMax} bytes.`,
    'Send it in smaller requests, or raise gateway.bodyBytesMax.',
    { cause },
  );
}
