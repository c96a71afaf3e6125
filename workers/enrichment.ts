/** Columns that analysis adds beside a batch. Hot path: one call a record. */
import { ByteWriter, type Dictionary, type Enrichment } from '#protocol/mod.ts';
import type { RecordAnswer } from './actor.ts';

class TextColumn {
  private readonly values: string[] = [];
  private readonly ids = new Map<string, number>();
  private readonly index: ByteWriter;

  constructor(rows: number) {
    this.index = new ByteWriter(rows * 2);
  }

  add(value: string): void {
    let id = this.ids.get(value);
    if (id === undefined) {
      id = this.values.length;
      this.values.push(value);
      this.ids.set(value, id);
    }
    this.index.uint16(id);
  }

  build(): Dictionary {
    return { values: this.values, index: this.index.view() };
  }
}

export class EnrichmentBuilder {
  private readonly templateId: TextColumn;
  private readonly category: TextColumn;
  private readonly severityText: TextColumn;
  private readonly severityNumber: Uint8Array;
  private readonly confidence: DataView;
  private row = 0;

  constructor(rows: number) {
    this.templateId = new TextColumn(rows);
    this.category = new TextColumn(rows);
    this.severityText = new TextColumn(rows);
    this.severityNumber = new Uint8Array(rows);
    this.confidence = new DataView(new ArrayBuffer(rows * 4));
  }

  add(answer: RecordAnswer): void {
    const { classification } = answer;
    this.templateId.add(answer.templateId);
    this.category.add(classification.category);
    this.severityText.add(classification.severity);
    this.severityNumber[this.row] = classification.severityNumber;
    this.confidence.setFloat32(this.row * 4, classification.confidence, true);
    this.row++;
  }

  build(): Enrichment {
    return {
      templateId: this.templateId.build(),
      category: this.category.build(),
      predictedSeverityText: this.severityText.build(),
      predictedSeverityNumber: this.severityNumber,
      confidence: new Uint8Array(this.confidence.buffer),
    };
  }
}
