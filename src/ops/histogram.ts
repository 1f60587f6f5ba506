/**
 * A histogram that is cheap to feed: prom-client's own hashes its labels and walks objects for each value, about 1 us, and
 * these are fed once per publish and per callback. This one finds the bucket in a sorted array and adds one.
 */
import type { MetricObjectWithValues, MetricValueWithName } from 'prom-client';

interface Series {
  /** How many values each bucket holds; the last holds what is beyond every bound. */
  readonly counts: Float64Array;
  sum: number;
}

export interface HistogramShape {
  readonly name: string;
  readonly help: string;
  readonly label: string | undefined;
  /** Upper bounds, rising. */
  readonly bounds: readonly number[];
  /** One more value of the label than this is counted under "other". */
  readonly maxSeries: number;
}

export class FastHistogram {
  private readonly series = new Map<string, Series>();

  constructor(private readonly shape: HistogramShape) {
    if (shape.label === undefined) this.add('');
  }

  /** What the registry knows a metric by. */
  get name(): string {
    return this.shape.name;
  }

  observe(value: number, label: string): void {
    const series = this.series.get(label) ?? this.add(label);
    const { bounds } = this.shape;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= bounds[middle]) high = middle;
      else low = middle + 1;
    }
    series.counts[low]++;
    series.sum += value;
  }

  private add(label: string): Series {
    const key = this.series.size < this.shape.maxSeries ? label : 'other';
    let series = this.series.get(key);
    if (series === undefined) {
      series = { counts: new Float64Array(this.shape.bounds.length + 1), sum: 0 };
      this.series.set(key, series);
    }
    return series;
  }

  /** Called by the registry when somebody scrapes. */
  async get(): Promise<
    Omit<MetricObjectWithValues<MetricValueWithName<string>>, 'collect' | 'type'> & { type: string }
  > {
    const { name, help, label, bounds } = this.shape;
    const values: MetricValueWithName<string>[] = [];
    for (const [key, { counts, sum }] of this.series) {
      const labels: Record<string, string> = label === undefined ? {} : { [label]: key };
      let below = 0;
      for (const [i, count] of counts.entries()) {
        below += count;
        const le = i < bounds.length ? bounds[i] : '+Inf';
        values.push({ metricName: `${name}_bucket`, labels: { le, ...labels }, value: below });
      }
      values.push(
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: below },
      );
    }
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  }
}
