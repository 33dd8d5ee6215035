/** One value of a metric. */
export interface Point {
  step: number;
  value: number;
}

/**
 * A metric over an unknown number of steps, downsampled while it grows. Steps fall into buckets of equal width, and
 * each bucket's minimum and maximum are kept, so that a spike of one step stays visible. With buckets about as wide as
 * the drawn line, it looks like the line through all points (min-max aggregation; Jugel et al., M4, VLDB 2014). Largest
 * triangle three buckets keeps one point per bucket, so it loses one of two extremes, and it needs all points in
 * advance. When there are too many points, the bucket width doubles.
 */
export class Series {
  private buckets = new Map<number, { low: Point; high: Point }>();
  private width = 1;
  /** Points in the buckets: one or two each. */
  private extremes = 0;
  private first: Point | undefined;
  private last: Point | undefined;

  /** @param limit points that are kept at most, 4 or more */
  constructor(private readonly limit = 1000) {
    if (!(limit >= 4)) throw new RangeError(`a series keeps 4 points or more; got a limit of ${limit}`);
  }

  add(point: Point): void {
    if (!this.first || point.step < this.first.step) this.first = point;
    if (!this.last || point.step > this.last.step) this.last = point;
    this.place(point);
    // The first and the last point may not be extremes.
    while (this.extremes > this.limit - 2) this.widen();
  }

  /** The points that are kept, by step: the first, the last, and each bucket's extremes. */
  points(): Point[] {
    const kept = new Set<Point>();
    for (const { low, high } of this.buckets.values()) kept.add(low).add(high);
    for (const end of [this.first, this.last]) if (end) kept.add(end);
    return [...kept].sort((one, other) => one.step - other.step);
  }

  private place(point: Point): void {
    const index = Math.floor(point.step / this.width);
    const bucket = this.buckets.get(index);
    const isNew = !bucket || (bucket.low === bucket.high && point.value !== bucket.low.value);
    if (isNew) this.extremes++;
    if (!bucket) this.buckets.set(index, { low: point, high: point });
    else if (point.value < bucket.low.value) bucket.low = point;
    else if (point.value > bucket.high.value) bucket.high = point;
  }

  private widen(): void {
    this.width *= 2;
    const buckets = [...this.buckets.values()];
    this.buckets = new Map();
    this.extremes = 0;
    for (const { low, high } of buckets) {
      this.place(low);
      this.place(high);
    }
  }
}

/** The same points, or fewer in which the extremes stay. */
export function downsample(points: readonly Point[], limit: number): readonly Point[] {
  if (points.length <= limit) return points;
  const series = new Series(limit);
  for (const point of points) series.add(point);
  return series.points();
}

/** Downsamples the longest series first, until all together have at most `limit` points. */
export function downsampleTogether(all: readonly (readonly Point[])[], limit: number): (readonly Point[])[] {
  const thinned = [...all];
  const shortestFirst = [...all.keys()].sort((one, other) => all[one]!.length - all[other]!.length);
  let left = limit;
  shortestFirst.forEach((index, place) => {
    const points = downsample(all[index]!, Math.floor(left / (all.length - place)));
    thinned[index] = points;
    left -= points.length;
  });
  return thinned;
}
