/** `timestamp`: a field that is the event time; and the zone of stamps that name none. */
import { type FieldRef, fieldRef } from './field.ts';
import type { Item } from './item.ts';
import { flag, group, isGroup, optionalText, text, texts, wrong } from './reading.ts';
import { missOutcome, Outcome, pass, type Step } from './step.ts';
import { type StampFormat, stampFormat } from './stamp-format.ts';
import { type Zone, zoneOf } from './zone.ts';

const formatsMax = 32;

/** @throws LogweirError CONFIG_INVALID */
export function timestampStep(raw: unknown, path: string, name: string, held: Set<string>): Step {
  const given = isGroup(raw)
    ? group(raw, path, ['field', 'formats', 'zone', 'keep', 'onMiss'])
    : { field: text(raw, path) };
  const zoneName = optionalText(given['zone'], `${path}.zone`);
  const zone = zoneName === undefined ? null : zoneOf(zoneName, `${path}.zone`);
  const set = new Outcome('ok', name, 'set');
  if (given['field'] === undefined) {
    if (zone === null)
      throw wrong(
        path,
        'names neither field nor zone',
        'Name the field that holds the time, or the zone of stamps that name none, or both.',
      );
    for (const key of ['formats', 'keep', 'onMiss'])
      if (given[key] !== undefined)
        throw wrong(`${path}.${key}`, 'is of no use without a field', 'Name the field that holds the time.');
    return new ZoneStep(zone, set);
  }
  const listed = `${path}.formats`;
  const formats =
    given['formats'] === undefined
      ? [stampFormat('auto', listed)]
      : texts(given['formats'], listed, formatsMax).map((format, i) =>
          stampFormat(format, Array.isArray(given['formats']) ? `${listed}[${i}]` : listed),
        );
  const field = fieldRef(text(given['field'], `${path}.field`), `${path}.field`);
  held.add(field.name);
  return new TimestampStep(
    field,
    formats,
    zone,
    flag(given['keep'], `${path}.keep`, false),
    set,
    missOutcome(given['onMiss'], `${path}.onMiss`, name, 'no time'),
  );
}

class TimestampStep implements Step {
  readonly outcomes: readonly Outcome[];
  private readonly field: FieldRef;
  private readonly formats: readonly StampFormat[];
  private readonly zone: Zone | null;
  private readonly keep: boolean;
  private readonly set: Outcome;
  private readonly missed: Outcome;

  constructor(
    field: FieldRef,
    formats: readonly StampFormat[],
    zone: Zone | null,
    keep: boolean,
    set: Outcome,
    missed: Outcome,
  ) {
    this.field = field;
    this.formats = formats;
    this.zone = zone;
    this.keep = keep;
    this.set = set;
    this.missed = missed;
    this.outcomes = [set, missed];
  }

  run(item: Item): Outcome {
    const value = this.field.get(item);
    if (value === undefined) return this.missed;
    for (const format of this.formats) {
      const stamp = format.read(value, item.origin.nowMs, this.zone);
      if (stamp === null) continue;
      item.setTime(stamp.timeMs, stamp.subNs, stamp.zoned ? undefined : 0);
      if (!this.keep && !this.field.isBody) this.field.remove(item);
      return this.set;
    }
    return this.missed;
  }
}

/** Times that were read as UTC, or as of the receiver's own offset, because they named no zone. */
class ZoneStep implements Step {
  readonly outcomes: readonly Outcome[];
  private readonly zone: Zone;
  private readonly set: Outcome;

  constructor(zone: Zone, set: Outcome) {
    this.zone = zone;
    this.set = set;
    this.outcomes = [set];
  }

  run(item: Item): Outcome {
    const { timeMs, zoneAssumedMinutes } = item;
    if (timeMs === undefined || zoneAssumedMinutes === undefined) return pass;
    item.setTime(this.zone.toUtc(timeMs + zoneAssumedMinutes * 60_000), item.timeSubNs, undefined);
    return this.set;
  }
}
