import { describe, expect, it } from 'vitest';
import { Latency, latencyText, quantileOf } from './metrics.ts';

const receipt = { eventMs: 0, gatewayMs: 0, processingMs: 1_000, detectedMs: 0 };

describe('latency', () => {
  it('counts in buckets and tells quantiles by their bounds', () => {
    const latency = new Latency();
    for (let ms = 1; ms <= 100; ms++) latency.delivered.observe(receipt, 1_000 + ms);
    latency.delivered.observe({ ...receipt, processingMs: 0 }, 5_000);
    latency.delivered.observe(null, 5_000);
    const { delivered, queued } = latency.snapshot();
    expect(delivered).toMatchObject({ count: 100, sumMs: 5_050 });
    expect([0.1, 0.5, 0.99].map((share) => quantileOf(delivered, share))).toEqual([10, 50, 100]);
    expect(quantileOf(queued, 0.99)).toBe(0);
  });

  it('holds what is over the last bound, and what clocks turned round', () => {
    const latency = new Latency();
    latency.queued.observe(receipt, 0);
    latency.queued.observe(receipt, 10_000_000);
    expect(quantileOf(latency.queued.snapshot(), 1)).toBe(60_000);
    const text = latencyText(latency.snapshot());
    expect(text).toContain('logweir_alerting_latency_ms_bucket{station="queued",le="1"} 1\n');
    expect(text).toContain('logweir_alerting_latency_ms_bucket{station="queued",le="60000"} 1\n');
    expect(text).toContain('logweir_alerting_latency_ms_bucket{station="queued",le="+Inf"} 2\n');
  });
});
