/**
 * Turns the table core/metrics.ts into Prometheus metrics (prom-client) and takes the numbers that the Meter port brings.
 * Counting is a map update, because it is done per message; prom-client sees the sums when somebody scrapes.
 */
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import { type CounterName, type GaugeName, type HistogramName, METRICS, type MetricRow } from '../core/metrics.js';
import type { Meter } from '../core/ports.js';
import { FastHistogram } from './histogram.js';

/** Label values of one metric beyond this are counted under "other": a hostile name must not fill the memory. */
const MAX_LABEL_VALUES = 1000;

/** A reading of a gauge: one number, or one per label value. */
export type Reading = number | ReadonlyMap<string, number>;

export interface Metrics extends Meter {
  /** Sets where a gauge's value comes from; it is read at each scrape. */
  gauge(name: GaugeName, read: () => Reading): void;
  /** Everything in Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

const ROWS: Readonly<Record<string, MetricRow>> = METRICS;

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges under names of counters, which Prometheus' own check refuses; what they count has names of its own beside them.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  const sums = new Map<string, Map<string, number>>();
  const histograms = new Map<string, FastHistogram>();
  for (const [name, row] of Object.entries(ROWS)) {
    if (row.type === 'counter') sums.set(name, counter(registry, name));
    if (row.type === 'histogram') histograms.set(name, histogram(registry, name));
  }
  return {
    count(name: CounterName, by = 1, label = '') {
      const sum = sums.get(name);
      if (!sum) return;
      const key = sum.has(label) || sum.size < MAX_LABEL_VALUES ? label : 'other';
      sum.set(key, (sum.get(key) ?? 0) + by);
    },
    observe(name: HistogramName, value: number, label = '') {
      histograms.get(name)?.observe(value, label);
    },
    gauge(name: GaugeName, read: () => Reading) {
      new Gauge({
        ...shape(registry, name),
        collect() {
          const reading = read();
          this.reset();
          if (typeof reading === 'number') this.set(reading);
          else for (const [value, number] of reading) this.set(labels(name, value), number);
        },
      });
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** Registers a counter and returns the sums by label value that it shows. */
function counter(registry: Registry, name: string): Map<string, number> {
  const sums = new Map<string, number>(ROWS[name].label ? [] : [['', 0]]);
  new Counter({
    ...shape(registry, name),
    collect() {
      this.reset();
      for (const [value, sum] of sums) this.inc(labels(name, value), sum);
    },
  });
  return sums;
}

function histogram(registry: Registry, name: string): FastHistogram {
  const { help, label, buckets = [] } = ROWS[name];
  const made = new FastHistogram({ name: `lumesh_${name}`, help, label, bounds: buckets, maxSeries: MAX_LABEL_VALUES });
  // The registry asks a metric for its name and its values, and for nothing else.
  registry.registerMetric(made as unknown as Metric);
  return made;
}

function shape(registry: Registry, name: string) {
  const { help, label } = ROWS[name];
  return { name: `lumesh_${name}`, help, labelNames: label ? [label] : [], registers: [registry] };
}

function labels(name: string, value: string): Record<string, string> {
  const { label } = ROWS[name];
  return label ? { [label]: value } : {};
}
