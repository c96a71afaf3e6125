/** Columns that analysis adds beside a batch. Hot path: one call a record. */
import { DictionaryBuilder, type Enrichment } from '#protocol/mod.ts';
import type { RecordAnswer } from './actor.ts';

export class EnrichmentBuilder {
  private readonly templateId = new DictionaryBuilder<string>();
  private readonly category = new DictionaryBuilder<string>();
  private readonly severityText = new DictionaryBuilder<string>();
  private readonly severityNumber: Uint8Array;
  private readonly confidence: DataView;
  private row = 0;

  constructor(rows: number) {
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
      templateId: this.templateId.take(),
      category: this.category.take(),
      predictedSeverityText: this.severityText.take(),
      predictedSeverityNumber: this.severityNumber,
      confidence: new Uint8Array(this.confidence.buffer),
    };
  }
}
