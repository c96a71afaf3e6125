/** Ports to streams, key-value and objects, their two adapters, and the chain rule (R3). */
export { type Admission, admit, type Mark, startMark } from './chain.ts';
export {
  type ClusterFacts,
  type ClusterSettings,
  type DeadStreamSettings,
  generationAfter,
  openCluster,
  openDeadStream,
  readFacts,
  streamInfos,
  unpackFacts,
} from './cluster.ts';
export { type DeadHeader, deadHeaders, readDeadLetter, removeDeadLetter } from './dead-shelf.ts';
export { CollectedDeadLetters, type DeadLetters, DeadLetterSink, noDeadLetters } from './dead-letters.ts';
export { GoBackN, type GoBackNOptions } from './go-back-n.ts';
export { type Host, thisHost } from './host.ts';
export { freePort } from './host-ports.ts';
export { MemoryBus } from './memory.ts';
export { connectNats, type NatsOptions } from './nats.ts';
export type {
  Bus,
  ConsumeOptions,
  Hear,
  KeyValue,
  KeyValueEntry,
  Objects,
  PublishOptions,
  StreamInfo,
  StreamMessage,
  StreamSettings,
  Streams,
  Subscription,
} from './ports.ts';
export { type Cancel, sleep, systemTime, type Time } from './time.ts';
export { reserveBytesOf, Room } from './room.ts';
