/** What a record is about: its service, and the other attributes of its resource, in OpenTelemetry's words. */
import { cutService } from '#analysis/formats/mod.ts';
import { Memo, unknownService } from '#protocol/mod.ts';

export interface Resource {
  /** `unknown_service` where nothing tells. */
  service: string;
  /** Flat key, value list without `service.name`; the same array for the same resource, null where empty. */
  pairs: string[] | null;
}

/** Where no `service.name` is, the first of these names the service, and stays an attribute. */
const serviceStandIns = [
  'faas.name',
  'k8s.deployment.name',
  'k8s.statefulset.name',
  'k8s.daemonset.name',
  'k8s.cronjob.name',
  'k8s.job.name',
  'k8s.container.name',
  'container.name',
  'process.executable.name',
];
/** Memo for what clients say of many records alike: more of it than a gateway's clients have, keys of at most 16 MiB. */
export const rememberOften = <T>(): Memo<T> => new Memo(2_048, 4_096);

const resources = rememberOften<Resource>();

/** From a flat key, value list in OpenTelemetry's names. `fallback`: the service of who names none. */
export function resourceOf(pairs: readonly string[], fallback = unknownService): Resource {
  return resources.get(`${fallback}\0${pairs.join('\0')}`, () => {
    const rest: string[] = [];
    let service = '';
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      if (pairs[i] === 'service.name') service = pairs[i + 1] as string;
      else rest.push(pairs[i] as string, pairs[i + 1] as string);
    }
    for (const name of serviceStandIns) {
      if (service !== '' || fallback !== unknownService) break;
      const at = rest.findIndex((part, i) => i % 2 === 0 && part === name);
      if (at >= 0) service = rest[at + 1] as string;
    }
    return { service: cutService(service || fallback), pairs: rest.length === 0 ? null : rest };
  });
}
