/** Listens to the cluster on core NATS: heartbeats, and renewals of the leader's lease. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { buckets, type Heartbeat, keys, subjects, unpack } from '#protocol/mod.ts';

export interface Observer {
  connection: NatsConnection;
  close(): Promise<void>;
}

export async function observe(
  url: string,
  on: { beat: (beat: Heartbeat) => void; leads: (id: string) => void },
): Promise<Observer> {
  const connection = await connect({
    servers: url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    name: 'loadtest',
  });
  const listen = (subject: string, take: (data: Uint8Array) => void): void => {
    connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null && message.data.length > 0) take(message.data);
      },
    });
  };
  listen(subjects.heartbeats, (data) => on.beat(unpack(data) as Heartbeat));
  listen(`$KV.${buckets.cluster}.${keys.leader}`, (data) => on.leads(unpack(data) as string));
  return { connection, close: () => connection.close() };
}
