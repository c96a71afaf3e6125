/**
 * Every bound that keeps memory flat whatever a client sends. Named once, with the reason for its size.
 * Units come last in each name.
 */

/** Largest body of one record. Loki's default line limit; larger lines are rejected and counted. */
export const recordBytesMax = 256 * 1024;
/** Rows of one batch: dictionary indices are 16 bits wide, and a worker must stay interruptible. */
export const batchRowsMax = 8192;
/** Payload of one batch before compression. Fits NATS' default max_payload of 1 MiB with room for columns. */
export const batchBytesMax = 512 * 1024;
/** Largest message published to JetStream, after compression. Under NATS' default max_payload (1 MiB). */
export const messageBytesMax = 960 * 1024;
/** Attributes of one record; the rest is folded into one attribute as JSON text. */
export const attributesMax = 128;
/** Length of a service name in bytes; longer names are cut. */
export const serviceNameBytesMax = 200;
/** Services that one partition analyses on their own; later ones are analysed as `__overflow__`. */
export const servicesPerPartitionMax = 256;
/** Service that takes what is over `servicesPerPartitionMax`. Rows keep their own service name. */
export const overflowService = '__overflow__';
/** Service of records that do not say and cannot be told. OpenTelemetry's convention. */
export const unknownService = 'unknown_service';
/** Partitions of a new cluster. Fixed for a cluster's life. */
export const partitionsDefault = 64;
/** Idempotency keys that a partition remembers, the oldest forgotten first; 40 requests a second for three minutes. */
export const idempotencyKeysMax = 8192;
/** … and how long each at most, from its first record on, stream time in ms. */
export const idempotencyKeptMs = 3_600_000;
/** Earliest and latest event time that ClickHouse's DateTime can hold (1970 to 2106), in ms. */
export const eventTimeMsMin = 0;
export const eventTimeMsMax = 4_294_967_295_000;
/** Event time further ahead of stream time than this is stored as sent, but analysed at stream time. */
export const futureSkewMsMax = 10 * 60_000;
/** Numbers that are noted of one body: detectors look at the first few. */
export const numbersMax = 16;
/** Bytes and tokens of one masked line: somewhat more than the template scanner ever makes (two lines of 8 KiB, 256 tokens). */
export const maskedLineBytesMax = 20_000;
export const maskedTokensMax = 272;
/** Bytes that a dead letter keeps of what it is about: any record and any message of a stream is whole. */
export const deadBytesMax = 960 * 1024;
/** Detail and source of a dead letter, characters. */
export const deadTextCharactersMax = 1_000;
