/** What collectors and container engines call things, by OpenTelemetry's semantic conventions. */
import { type LogRecord, unknownService } from '#protocol/mod.ts';

const names: ReadonlyMap<string, string> = new Map([
  ['container_id', 'container.id'],
  ['container_name', 'container.name'],
  ['image_id', 'container.image.id'],
  ['image_name', 'container.image.name'],
  ['kubernetes.namespace_name', 'k8s.namespace.name'],
  ['kubernetes.pod_name', 'k8s.pod.name'],
  ['kubernetes.pod_id', 'k8s.pod.uid'],
  ['kubernetes.container_name', 'k8s.container.name'],
  ['kubernetes.container_image', 'container.image.name'],
  ['kubernetes.docker_id', 'container.id'],
  ['kubernetes.host', 'k8s.node.name'],
  ['stream', 'log.iostream'],
  ['source', 'log.iostream'],
]);
const streamNames: ReadonlySet<string> = new Set(['stdout', 'stderr']);

/** Renames the fields of a record in place, and completes its service. */
export function withConventions(record: LogRecord, fallbackService: string): LogRecord {
  const { attributes } = record;
  for (let i = 0; attributes !== undefined && i < attributes.length; i += 2) {
    const name = names.get(attributes[i] as string);
    if (name === undefined || attributes.includes(name)) continue;
    if (name === 'log.iostream' && !streamNames.has(attributes[i + 1] as string)) continue;
    attributes[i] = name;
  }
  // Docker's names of containers begin with a slash.
  if (record.service?.startsWith('/')) record.service = record.service.slice(1);
  if (record.service === undefined || record.service === '') record.service = fallbackService || unknownService;
  return record;
}
