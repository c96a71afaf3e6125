/** What the path of a container's log says, as the kubelet and Docker lay them out. */

export interface ContainerOrigin {
  /** Service of lines that name none. */
  service: string;
  /** Flat name, value list by OpenTelemetry's conventions. */
  resource: string[];
}

/** `<namespace>_<pod>_<uid>/<container>/<restarts>.log`, and what rotation adds to it. Static pods have a hash for a uid. */
const podLog =
  /(?:^|\/)([a-z0-9-]+)_([a-z0-9.-]+)_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})\/([a-z0-9-]+)\/(\d{1,9})\.log(?:[.-][^/]*)?$/;
/** `<pod>_<namespace>_<container>-<id>.log`: links to the former. */
const containerLink = /(?:^|\/)([a-z0-9.-]+)_([a-z0-9-]+)_([a-z0-9-]+)-([0-9a-f]{64})\.log(?:[.-][^/]*)?$/;
const dockerLog = /(?:^|\/)([0-9a-f]{64})-json\.log(?:[.-][^/]*)?$/;
/** As `docker ps` shows it. */
const shortIdCharacters = 12;
/** Longer ones are no paths of runtimes. */
const pathCharactersMax = 4_096;

/** Null where the path is not that of a container's log. */
export function containerOfPath(path: string): ContainerOrigin | null {
  if (path.length > pathCharactersMax) return null;
  const pod = podLog.exec(path);
  if (pod !== null) {
    const [, namespace = '', name = '', uid = '', container = '', restarts = ''] = pod;
    const resource = kubernetes(namespace, name, container);
    resource.push('k8s.pod.uid', uid, 'k8s.container.restart_count', String(Number(restarts)));
    return { service: container, resource };
  }
  const link = containerLink.exec(path);
  if (link !== null) {
    const [, name = '', namespace = '', container = '', id = ''] = link;
    return { service: container, resource: [...kubernetes(namespace, name, container), 'container.id', id] };
  }
  const docker = dockerLog.exec(path);
  if (docker === null) return null;
  const id = docker[1] as string;
  return { service: id.slice(0, shortIdCharacters), resource: ['container.id', id] };
}

function kubernetes(namespace: string, pod: string, container: string): string[] {
  return ['k8s.namespace.name', namespace, 'k8s.pod.name', pod, 'k8s.container.name', container];
}

/** Whether a file in a container's folder is Docker's own: its settings, with the secrets that were given to it, and more. */
export function isDockersOwn(path: string): boolean {
  return /(?:^|\/)([0-9a-f]{64})\/(?!\1-json\.log)/.test(path);
}
