import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeModel, type Model, trainModel } from '#analysis/classification/mod.ts';
import {
  BatchBuilder,
  type ControlMessage,
  encodeLogsMessage,
  noFigures,
  RecordView,
  type Section,
  type TaskFigures,
  type ToldCorrection,
  uint16At,
  viewOf,
} from '#protocol/mod.ts';
import { emptyFold, PartitionFold } from './fold.ts';
import { Partition, type PartitionShell } from './partition.ts';

const model = trainModel([
  { body: 'lamp 1 glows', severity: 'ERROR', category: 'light' },
  { body: 'tap 2 drips', severity: 'DEBUG', category: 'water' },
]);
const hash = createHash('sha256').update(encodeModel(model)).digest('hex');
const shell: PartitionShell = { models: { get: (wanted): Model | undefined => (wanted === hash ? model : undefined) } };

/** Feeds a partition, which is snapshot and restored after every message. */
class Fed {
  partition = new Partition(0, shell);
  readonly messages: { sequence: number; timeMs: number; data: Uint8Array }[] = [];

  private take(data: Uint8Array): Section {
    const sequence = this.messages.length + 1;
    const message = { sequence, timeMs: 1_700_000_000_000 + sequence * 1_000, data };
    this.messages.push(message);
    const { section } = this.partition.step(message);
    this.partition = Partition.restore(this.partition.snapshot(), 0, shell);
    return section;
  }

  /** Severity, category and confidence of each body's row. */
  send(service: string, bodies: string[], severityNumber = 0): [string, string, number][] {
    const builder = new BatchBuilder('live', 'test');
    for (const body of bodies) {
      const record = { service, body, timeMs: 1_700_000_000_000, severityNumber, severityText: '' };
      builder.add(viewOf(record, { observedMs: 1_700_000_000_000, service }, new RecordView()), 1);
    }
    const { enrichment } = this.take(encodeLogsMessage({ kind: 'batch', batch: builder.take()! }));
    if (enrichment === null) throw new Error('nothing answered');
    const confidence = new DataView(enrichment.confidence.buffer, enrichment.confidence.byteOffset);
    const { predictedSeverityText: severity, category } = enrichment;
    return bodies.map((_, row) => [
      severity.values[uint16At(severity.index, row)]!,
      category.values[uint16At(category.index, row)]!,
      confidence.getFloat32(row * 4, true),
    ]);
  }

  tell(control: ControlMessage): Section {
    return this.take(encodeLogsMessage({ kind: 'control', control }));
  }
}

const correction = (part: Partial<ToldCorrection>): ToldCorrection => ({
  service: 'shop',
  text: 'gate 7 swung open',
  templateId: '',
  severity: 'ERROR',
  category: 'gates',
  ...part,
});

describe('corrections in the stream', () => {
  it('take effect at one message, for the service, and beat the classifier', () => {
    const fed = new Fed();
    const before = fed.send('shop', ['gate 7 swung open', 'user 4 logged in']);
    expect(before[0]?.[1]).not.toBe('gates');
    const section = fed.tell({ kind: 'corrections', version: 1, items: [correction({})] });
    expect(section.templates).toEqual([
      expect.objectContaining({ service: 'shop', category: 'gates', severityText: 'ERROR' }),
    ]);
    const [corrected, other] = fed.send('shop', ['gate 9 swung open', 'user 5 logged in']);
    expect(corrected).toEqual(['ERROR', 'gates', 1]);
    expect(other?.slice(0, 2)).toEqual(before[1]?.slice(0, 2));
    expect(fed.send('other', ['gate 9 swung open'])[0]?.[1]).not.toBe('gates');
  });

  it('stand against senders of other severities, and follow a template that generalises', () => {
    const fed = new Fed();
    fed.send('shop', ['gate north swung open by wind']);
    fed.tell({ kind: 'corrections', version: 1, items: [correction({ text: 'gate north swung open by wind' })] });
    const names = ['south', 'west', 'east', 'upper', 'lower', 'inner', 'outer', 'old', 'new'];
    const bodies = names.map((name) => `gate ${name} swung open by wind`);
    for (let round = 0; round < 8; round++) fed.send('shop', bodies, 9);
    expect(fed.send('shop', ['gate middle swung open by wind'])).toEqual([['ERROR', 'gates', 1]]);
  });

  it('are the truth that a classifier is taught and measured by, over what senders say', () => {
    const fed = new Fed();
    fed.send('shop', ['gate 7 swung open'], 9);
    fed.tell({ kind: 'corrections', version: 1, items: [correction({})] });
    for (let i = 0; i < 40; i++) fed.send('shop', ['gate 7 swung open'], 9);
    const figures = noFigures();
    fed.partition.addTo(figures);
    const truths = (task: TaskFigures): Set<string> => new Set(task.confusion.map(([truth]) => truth));
    expect(truths(figures.severity)).toEqual(new Set(['INFO', 'ERROR']));
    expect(truths(figures.category)).toEqual(new Set(['gates']));
    expect(figures.category.records).toBeGreaterThan(4);
    fed.tell({ kind: 'corrections', version: 2, items: [] });
    // What is like it is classified alike, though no correction holds for it.
    expect(fed.send('shop', ['gate 7 swung shut'])[0]?.slice(0, 2)).toEqual(['ERROR', 'gates']);
  });

  it('reach services that come later, and all services where none is named', () => {
    const fed = new Fed();
    fed.tell({ kind: 'corrections', version: 1, items: [correction({ service: '', severity: '' })] });
    const [first] = fed.send('late', ['gate 1 swung open']);
    expect(first?.[1]).toBe('gates');
  });

  it('prefer the closer, then the later, each question on its own', () => {
    const fed = new Fed();
    const items = [
      correction({ text: 'gate <*> swung <*>', category: 'wide', severity: 'DEBUG' }),
      correction({ text: 'gate 7 swung open', category: 'close', severity: '' }),
      correction({ service: '', text: 'gate 7 swung open', category: 'everywhere', severity: 'WARN' }),
    ];
    fed.tell({ kind: 'corrections', version: 1, items });
    expect(fed.send('shop', ['gate 1 swung open'])).toEqual([['WARN', 'close', 1]]);
  });

  it('are taken once: an older version changes nothing, a list without them ends them', () => {
    const fed = new Fed();
    fed.tell({ kind: 'corrections', version: 2, items: [correction({})] });
    fed.tell({ kind: 'corrections', version: 1, items: [] });
    expect(fed.send('shop', ['gate 1 swung open'])[0]).toEqual(['ERROR', 'gates', 1]);
    fed.tell({ kind: 'corrections', version: 3, items: [] });
    expect(fed.send('shop', ['gate 1 swung open'])[0]?.[2]).toBeLessThan(1);
  });

  it.each([
    ['no list', { items: 4 }],
    ['an unknown severity', { items: [{ ...correction({}), severity: 'LOUD' }] }],
    ['no text', { items: [{ ...correction({}), text: '' }] }],
  ])('with %s are a dead letter', (_what, part) => {
    const fed = new Fed();
    const section = fed.tell({ kind: 'corrections', version: 1, ...part } as unknown as ControlMessage);
    expect(section.deadLetter).toMatch(/control message/);
  });
});

describe('models in the stream', () => {
  it('serve from one message on, and go back', () => {
    const fed = new Fed();
    const bodies = ['lamp 4 glows', 'tap 8 drips'];
    const builtIn = fed.send('shop', bodies);
    fed.tell({ kind: 'model', version: 1, hash });
    const served = fed.send('shop', bodies);
    expect(served.map(([severity, category]) => [severity, category])).toEqual([
      ['ERROR', 'light'],
      ['DEBUG', 'water'],
    ]);
    fed.tell({ kind: 'model', version: 1, hash: '' });
    expect(fed.send('shop', bodies)).toEqual(served);
    const figures = noFigures();
    fed.partition.addTo(figures);
    expect(figures.models).toEqual([[hash, 1]]);
    fed.tell({ kind: 'model', version: 2, hash: '' });
    expect(fed.send('shop', bodies)).toEqual(builtIn);
  });

  it('are measured from the next record of each template on, however many came before', () => {
    const fed = new Fed();
    for (let i = 0; i < 9; i++) fed.send('shop', ['lamp 4 glows', 'tap 8 drips'], 9);
    fed.tell({ kind: 'model', version: 1, hash });
    const records = (): number => {
      const figures = noFigures();
      fed.partition.addTo(figures);
      return figures.severity.records;
    };
    expect(records()).toBe(0);
    fed.send('shop', ['lamp 5 glows', 'tap 9 drips'], 9);
    expect(records()).toBe(2);
  });

  it('keep what was learned of templates, categories by their names', () => {
    const fed = new Fed();
    fed.send('shop', ['robot 4 sleeps'], 17);
    fed.tell({ kind: 'corrections', version: 1, items: [correction({ text: 'robot 4 sleeps', severity: '' })] });
    fed.tell({ kind: 'model', version: 1, hash });
    fed.tell({ kind: 'corrections', version: 2, items: [] });
    const [answer] = fed.send('shop', ['robot 5 sleeps']);
    expect(answer?.slice(0, 2)).toEqual(['ERROR', 'gates']);
  });

  it('that are not loaded change nothing and answer nothing', () => {
    const fed = new Fed();
    fed.send('shop', ['lamp 4 glows']);
    const before = fed.partition.snapshot();
    const data = encodeLogsMessage({ kind: 'control', control: { kind: 'model', version: 1, hash: 'f'.repeat(64) } });
    const message = { sequence: 2, timeMs: 1_700_000_002_000, data };
    const missing = expect.objectContaining({ code: 'MODEL_MISSING' });
    expect(() => fed.partition.step(message)).toThrowError(missing);
    expect(fed.partition.sequence).toBe(1);
    expect(Buffer.compare(Partition.restore(before, 0, shell).snapshot(), fed.partition.snapshot())).toBe(0);
    const fold = new PartitionFold(0);
    expect(() => fold.take(message, emptyFold())).toThrowError(missing);
    fed.tell({ kind: 'model', version: 1, hash });
    expect(() => Partition.restore(fed.partition.snapshot(), 0)).toThrowError(missing);
  });

  it('are folded as they were served', () => {
    const fed = new Fed();
    fed.send('shop', ['lamp 4 glows'], 9);
    fed.tell({ kind: 'model', version: 1, hash });
    fed.send('shop', ['lamp 5 glows']);
    const fold = new PartitionFold(0, shell);
    const result = emptyFold();
    for (const message of fed.messages) fold.take(message, result);
    const straight = new Partition(0, shell);
    for (const message of fed.messages) straight.step(message);
    expect(straight.snapshot().length).toBe(fed.partition.snapshot().length);
    expect([...result.rows.keys()].some((key) => key.includes('/light/'))).toBe(true);
  });
});
