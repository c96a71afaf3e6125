/**
 * Names of other worlds (Elastic Common Schema, Kubernetes metadata of Fluent Bit and Filebeat, labels of Promtail, tags of
 * Datadog) to OpenTelemetry's. Source: opentelemetry.io/docs/specs/semconv and its ECS mapping.
 */

const names: ReadonlyMap<string, string> = new Map([
  ['kubernetes.namespace', 'k8s.namespace.name'],
  ['kubernetes.namespace_name', 'k8s.namespace.name'],
  ['kubernetes.pod.name', 'k8s.pod.name'],
  ['kubernetes.pod_name', 'k8s.pod.name'],
  ['kubernetes.pod.uid', 'k8s.pod.uid'],
  ['kubernetes.pod_id', 'k8s.pod.uid'],
  ['kubernetes.container.name', 'k8s.container.name'],
  ['kubernetes.container_name', 'k8s.container.name'],
  ['kubernetes.node.name', 'k8s.node.name'],
  ['kubernetes.host', 'k8s.node.name'],
  ['kubernetes.deployment.name', 'k8s.deployment.name'],
  ['kubernetes.statefulset.name', 'k8s.statefulset.name'],
  ['kubernetes.daemonset.name', 'k8s.daemonset.name'],
  ['kubernetes.cronjob.name', 'k8s.cronjob.name'],
  ['kubernetes.job.name', 'k8s.job.name'],
  ['kubernetes.replicaset.name', 'k8s.replicaset.name'],
  ['kubernetes.docker_id', 'container.id'],
  ['kubernetes.container_image', 'container.image.name'],
  ['docker.container.id', 'container.id'],
  ['docker.container.name', 'container.name'],
  ['docker.container.image', 'container.image.name'],
  ['container_id', 'container.id'],
  ['container_name', 'container.name'],
  ['error.message', 'exception.message'],
  ['error.type', 'exception.type'],
  ['error.stack_trace', 'exception.stacktrace'],
  ['error.stack', 'exception.stacktrace'],
  ['stream', 'log.iostream'],
  ['service.environment', 'deployment.environment.name'],
]);

/** Prefixes that carry names over, `kubernetes.labels.app` → `k8s.pod.label.app`. */
const prefixes: readonly (readonly [string, string])[] = [
  ['kubernetes.labels.', 'k8s.pod.label.'],
  ['kubernetes.annotations.', 'k8s.pod.annotation.'],
];

/** Attributes that tell what sends rather than what happened. */
const resourcePrefixes = [
  'host.',
  'cloud.',
  'container.',
  'k8s.',
  'os.',
  'service.',
  'deployment.',
  'device.',
  'faas.',
];

/** OpenTelemetry's name; the same where it has none. */
export function conventional(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  for (const [from, to] of prefixes) if (name.startsWith(from)) return to + name.slice(from.length);
  return name;
}

export const isOfResource = (name: string): boolean => resourcePrefixes.some((prefix) => name.startsWith(prefix));

/** Labels of Promtail, Alloy and Docker's driver, which have no dots. */
const labelNames: ReadonlyMap<string, string> = new Map([
  ['service_name', 'service.name'],
  ['service_namespace', 'service.namespace'],
  ['service_version', 'service.version'],
  ['namespace', 'k8s.namespace.name'],
  ['pod', 'k8s.pod.name'],
  ['container', 'k8s.container.name'],
  ['container_name', 'container.name'],
  ['container_id', 'container.id'],
  ['node_name', 'k8s.node.name'],
  ['node', 'k8s.node.name'],
  ['cluster', 'k8s.cluster.name'],
  ['deployment', 'k8s.deployment.name'],
  ['statefulset', 'k8s.statefulset.name'],
  ['daemonset', 'k8s.daemonset.name'],
  ['host', 'host.name'],
  ['hostname', 'host.name'],
  ['filename', 'log.file.path'],
  ['stream', 'log.iostream'],
  ['env', 'deployment.environment.name'],
  ['environment', 'deployment.environment.name'],
]);

/** A label's name in OpenTelemetry's words; the same where it has none. */
export const conventionalLabel = (name: string): string => labelNames.get(name) ?? name;

/** Labels that say the level, and those that say the service, the most telling first: Loki's own order. */
export const levelLabels: readonly string[] = [
  'level',
  'severity',
  'severity_text',
  'lvl',
  'loglevel',
  'log_level',
  'detected_level',
];
export const serviceLabels: readonly string[] = [
  'service_name',
  'service',
  'app',
  'application',
  'app_name',
  'name',
  'app_kubernetes_io_name',
  'container',
  'container_name',
  'k8s_container_name',
  'component',
  'workload',
  'job',
  'k8s_job_name',
];
