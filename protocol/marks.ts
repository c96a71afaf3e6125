/** What a reader of RESULTS or ANOMALIES commits to the marks bucket; the leader purges below `resumeFrom`. */
import { LogweirError } from './errors.ts';
import { pack, unpack } from './frame.ts';

export interface CommittedMarks {
  /** First stream sequence that the reader may still need after a restart. */
  resumeFrom: number;
  /** [partition, generation, LOGS sequence] a partition. */
  marks: [number, number, number][];
}

export function encodeMarks<T extends CommittedMarks>(marks: T): Uint8Array {
  return pack(marks);
}

/** @throws LogweirError MESSAGE_MALFORMED */
export function decodeMarks<T extends CommittedMarks>(bytes: Uint8Array): T {
  const value = unpack(bytes) as Partial<T> | null;
  if (value === null || !Number.isInteger(value.resumeFrom) || !Array.isArray(value.marks))
    throw new LogweirError(
      'MESSAGE_MALFORMED',
      'Stored marks cannot be read.',
      'Restore the marks bucket, or rebuild storage from the stream.',
    );
  return value as T;
}

/** What the storage writer's record tells others; JSON, as people look into it. */
export interface WriterMarks {
  /** RESULTS sequence up to which it has read and stored. */
  position: number;
  /** By partition: what it has taken. */
  marks: Record<number, { generation: number; sequence: number }>;
}

export function decodeWriterMarks(bytes: Uint8Array): WriterMarks {
  return JSON.parse(new TextDecoder().decode(bytes)) as WriterMarks;
}
