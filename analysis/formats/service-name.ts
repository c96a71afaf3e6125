/** The service that a file's name stands for, where its lines do not say. */
import { unknownService } from '#protocol/mod.ts';

/** What rotation, compression and sampling add to a name; taken off the end until nothing is left to take. */
const endings = [
  /\.(?:gz|zst|zstd|bz2|xz|lz4|zip|tgz|tar)$/i,
  /\.(?:log|logs|txt|out|json|jsonl|ndjson|csv|err|stdout|stderr)$/i,
  /[._-]\d{1,4}$/,
  /[._-]\d+[kKmM]$/,
  /[._-]\d{4}[._-]?\d{2}[._-]?\d{2}(?:[T._-]?\d{1,2}[.:_-]?\d{2}(?:[.:_-]?\d{2})?Z?)?$/,
  /[._-](?:old|bak|orig|current|rotated)$/i,
];

/** Names already resolved: prefixes of lines repeat. A memo, emptied when full. */
const resolved = new Map<string, string>();
const resolvedMax = 1024;

/** `nova-api.log.1.2017-05-16_13:53:08` is nova-api, `App_2k.log.gz` is App; a name of digits only is kept. */
export function serviceFromFileName(name: string): string {
  let service = resolved.get(name);
  if (service === undefined) {
    service = resolve(name);
    if (resolved.size >= resolvedMax) resolved.clear();
    resolved.set(name, service);
  }
  return service;
}

function resolve(name: string): string {
  let base = name.slice(name.lastIndexOf('/') + 1).slice(0, 255);
  for (let changed = true; changed; ) {
    changed = false;
    for (const ending of endings) {
      const shorter = base.replace(ending, '');
      if (shorter !== base && shorter !== '') {
        base = shorter;
        changed = true;
      }
    }
  }
  base = base.replace(/^\d{4}-?\d{2}-?\d{2}[._-]/, '').replace(/[._-]+$/, '');
  return base === '' || base === '-' || /^std(?:in|out|err)$/.test(base) ? unknownService : base;
}
