/**
 * The load of each stage that is not a worker, from traffic by partition: how many messages the gateways send, what each
 * slice of the LOGS and RESULTS streams carries, what each writer stores. Arithmetic alone.
 */

export interface StageLimits {
  /** Bytes of a record in LOGS and in RESULTS, compressed. */
  logsBytes: number;
  resultsBytes: number;
  /** What one stream takes, bytes per second, replication included. */
  streamBytesPerSecond: number;
  /** Messages per second that one stream takes. */
  streamMessagesPerSecond: number;
  /** Rows per second of one writer and one ClickHouse shard. */
  writerRowsPerSecond: number;
  /** Records in a batch at most. */
  batchRecordsMax: number;
}

export interface StageShape {
  gateways: number;
  /** How long a batch gathers at the gateway, seconds. */
  lingerSeconds: number;
  /** Pairs of LOGS and RESULTS streams, each a Raft group of its own, holding every so-manieth partition. */
  slices: number;
  writers: number;
}

export interface StageLoad {
  /** Share of its limit that the busiest of a stage uses, and the mean of all. */
  busiest: number;
  mean: number;
}

export interface StageReport {
  recordsPerMessage: number;
  messagesPerSecond: number;
  logsStreams: StageLoad;
  resultsStreams: StageLoad;
  messages: StageLoad;
  writers: StageLoad;
}

export function loadStages(byPartition: Float64Array, shape: StageShape, limits: StageLimits): StageReport {
  const { gateways, lingerSeconds, slices, writers } = shape;
  const records = new Float64Array(slices);
  const messages = new Float64Array(slices);
  const rows = new Float64Array(writers);
  let total = 0;
  let sent = 0;
  for (const [partition, rate] of byPartition.entries()) {
    const perGateway = rate / gateways;
    // A batch leaves when its time is over or when it is full, whichever is first; none leaves empty.
    const batches = gateways * Math.max(perGateway / limits.batchRecordsMax, Math.min(1 / lingerSeconds, perGateway));
    add(records, partition % slices, rate);
    add(messages, partition % slices, batches);
    // A writer reads whole slices.
    add(rows, (partition % slices) % writers, rate);
    total += rate;
    sent += batches;
  }
  return {
    recordsPerMessage: sent === 0 ? 0 : total / sent,
    messagesPerSecond: sent,
    logsStreams: shareOf(records, limits.streamBytesPerSecond / limits.logsBytes),
    resultsStreams: shareOf(records, limits.streamBytesPerSecond / limits.resultsBytes),
    messages: shareOf(messages, limits.streamMessagesPerSecond),
    writers: shareOf(rows, limits.writerRowsPerSecond),
  };
}

function add(into: Float64Array, at: number, value: number): void {
  into[at] = (into[at] as number) + value;
}

function shareOf(loads: Float64Array, limit: number): StageLoad {
  const sum = loads.reduce((a, b) => a + b, 0);
  return { busiest: Math.max(...loads) / limit, mean: sum / loads.length / limit };
}
