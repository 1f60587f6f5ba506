import t from 'tap';
import { METRICS } from '../../src/core/metrics.js';
import { createMetrics } from '../../src/ops/metrics.js';

t.test('counters, gauges and histograms come out as Prometheus text', async (t) => {
  const metrics = createMetrics();
  metrics.count('publishes_total');
  metrics.count('drops_total', 3, 'slow_consumer');
  metrics.observe('publish_seconds', 0.002);
  metrics.gauge('channels', () => 7);
  metrics.gauge('peers', () => new Map([['alive', 2]]));
  const text = await metrics.text();
  t.match(text, /^lumesh_publishes_total 1$/m);
  t.match(text, /^lumesh_drops_total\{reason="slow_consumer"\} 3$/m);
  t.match(text, /^# TYPE lumesh_publish_seconds histogram$/m);
  t.match(text, /^lumesh_publish_seconds_bucket\{le="0.001"\} 0$/m);
  t.match(text, /^lumesh_publish_seconds_bucket\{le="0.0025"\} 1$/m);
  t.match(text, /^lumesh_publish_seconds_bucket\{le="\+Inf"\} 1$/m);
  t.match(text, /^lumesh_publish_seconds_sum 0.002$/m);
  t.match(text, /^lumesh_publish_seconds_count 1$/m);
  t.match(text, /^lumesh_channels 7$/m);
  t.match(text, /^lumesh_peers\{state="alive"\} 2$/m);
  t.match(text, /^process_cpu_seconds_total /m);
});

t.test('a label that takes too many values ends up in "other"', async (t) => {
  const metrics = createMetrics();
  for (let i = 0; i < 1500; i++) metrics.count('drops_total', 1, `reason-${i}`);
  const text = await metrics.text();
  t.match(text, /^lumesh_drops_total\{reason="other"\} 500$/m);
});

t.test('every metric has a help text that ends as a sentence, and counters end in _total', async (t) => {
  for (const [name, row] of Object.entries(METRICS)) {
    t.match(row.help, /^[A-Z].{10,}\.$/, name);
    t.equal(name.endsWith('_total'), row.type === 'counter', name);
  }
});
