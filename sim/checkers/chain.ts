/**
 * R2 and R3 on RESULTS: every LOGS sequence has one result, the same whoever published it; each partition's chain has
 * no lasting gap. ANOMALIES likewise.
 */
import { crc32 } from 'node:zlib';
import { admit, type Mark, startMark } from '#bus/mod.ts';
import {
  decodeAnomalies,
  decodeResults,
  isEmptySection,
  pack,
  partitionOfSubject,
  streams,
  type Section,
} from '#protocol/mod.ts';
import { Broken, type Checker } from './checker.ts';

export const chain: Checker = {
  name: 'chain',
  judge: ({ cluster }) => {
    const { server } = cluster;
    const contents = new Map<number, Section>();
    const marks = new Map<number, Mark>();
    for (const { data, sequence } of server.stream(streams.results).history) {
      const message = decodeResults(data);
      for (const section of message.sections) same(contents, section, sequence);
      const decision = admit(marks.get(message.partition) ?? startMark, message, message.part);
      if (decision.verdict === 'take' || decision.verdict === 'take-part') marks.set(message.partition, decision.mark);
    }
    const ends = new Map<number, number>();
    for (const { subject, sequence } of server.stream(streams.logs).history)
      ends.set(partitionOfSubject(subject), sequence);
    for (const [partition, end] of ends) {
      const mark = marks.get(partition)?.sequence ?? 0;
      if (mark !== end && cluster.lostResultsMs === null)
        throw new Broken('chain', `RESULTS of partition ${partition} reach ${mark}, and its LOGS end at ${end}.`);
    }
    const found = new Map<number, Mark>();
    const behind = new Set<number>();
    for (const { data } of server.stream(streams.anomalies).history) {
      const message = decodeAnomalies(data);
      const decision = admit(found.get(message.partition) ?? startMark, message);
      if (decision.verdict === 'take') found.set(message.partition, decision.mark);
      if (decision.verdict === 'gap') behind.add(message.partition);
      else behind.delete(message.partition);
    }
    for (const partition of behind) throw new Broken('chain', `ANOMALIES of partition ${partition} end in a gap.`);
  },
};

/** Columns as bytes, whoever packed them. */
function same(contents: Map<number, Section>, section: Section, at: number): void {
  if (isEmptySection(section)) return;
  const known = contents.get(section.sequence);
  if (known === undefined) contents.set(section.sequence, section);
  else if (bytesOf(known) !== bytesOf(section))
    throw new Broken('chain', `LOGS ${section.sequence} has two different results; the second is RESULTS ${at}.`);
}

function bytesOf({ batchBody: _packed, ...rest }: Section): number {
  return crc32(pack(rest));
}
