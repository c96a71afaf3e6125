/** The container that a log on its host is of: by its path, and by what Docker notes down beside it. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type ContainerOrigin, containerOfPath, serviceOfLabels } from '#analysis/formats/mod.ts';

/** Docker's notes have a few KiB. */
const notesBytesMax = 1024 * 1024;

/** Labels by which the kubelet marked containers that it ran by Docker, and what they are called here. */
const kubernetesLabels = [
  ['io.kubernetes.pod.namespace', 'k8s.namespace.name'],
  ['io.kubernetes.pod.name', 'k8s.pod.name'],
  ['io.kubernetes.container.name', 'k8s.container.name'],
  ['io.kubernetes.pod.uid', 'k8s.pod.uid'],
] as const;

/** Undefined where the file is no container's log. Reads a small file for those of Docker. */
export function containerAt(path: string): ContainerOrigin | undefined {
  const container = containerOfPath(resolve(path));
  if (container === null) return undefined;
  if (container.resource[0] === 'container.id') addNotes(container, join(dirname(path), 'config.v2.json'));
  return container;
}

interface Notes {
  Name?: unknown;
  Config?: { Image?: unknown; Labels?: Record<string, unknown> | null } | null;
}

/** Where they are not there or may not be read, the container is known by its id. */
function addNotes(container: ContainerOrigin, path: string): void {
  let notes: Notes | null;
  try {
    if (statSync(path).size > notesBytesMax) return;
    notes = JSON.parse(readFileSync(path, 'utf8')) as Notes | null;
  } catch {
    return;
  }
  const { resource } = container;
  const image = notes?.Config?.Image;
  const labels = notes?.Config?.Labels;
  const name = typeof notes?.Name === 'string' ? notes.Name.replace(/^\//, '') : '';
  if (name !== '') resource.push('container.name', name);
  if (typeof image === 'string' && image !== '') resource.push('container.image.name', image);
  for (const [label, called] of kubernetesLabels) {
    const value = labels?.[label];
    if (typeof value === 'string' && value !== '') resource.push(called, value);
  }
  const inPod = labels?.['io.kubernetes.container.name'];
  const service = typeof inPod === 'string' ? inPod : serviceOfLabels(labels) || name;
  if (service !== '') container.service = service;
}
