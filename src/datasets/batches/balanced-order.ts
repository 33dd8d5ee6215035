import type { Generator, Key } from '../../runs/index.js';
import { chunksOf, type Sample, SampleOrder, type SampleStream } from './sample-order.js';
import type { ShardDataset } from './shard-dataset.js';

/** Draws a class, each as likely as any other, and then the next patch in that class's own endless order. */
export class BalancedOrder implements SampleStream {
  private readonly classes: SampleOrder[];
  private readonly draw: Generator;

  /** @param patches rows of the index, each of a class */
  constructor(dataset: ShardDataset, patches: Int32Array, { key, bufferSize }: { key: Key; bufferSize: number }) {
    const present = [...new Set(patches.map((patch) => dataset.labels[patch]!))].sort((one, other) => one - other);
    this.draw = key.fold('class').generator();
    this.classes = present.map(
      (label) =>
        new SampleOrder(
          chunksOf(
            patches.filter((patch) => dataset.labels[patch] === label),
            dataset.shards,
          ),
          {
            key: key.fold('patches').fold(label),
            bufferSize: Math.ceil(bufferSize / present.length),
            worker: { index: 0, count: 1 },
          },
        ),
    );
  }

  get waiting(): readonly Sample[] {
    return this.classes.flatMap(({ waiting }) => waiting);
  }

  next(): Sample {
    return this.draw.pick(this.classes).next();
  }

  skip(samples: number): void {
    const drawn = new Map(this.classes.map((order) => [order, 0]));
    for (let sample = 0; sample < samples; sample++) {
      const order = this.draw.pick(this.classes);
      drawn.set(order, drawn.get(order)! + 1);
    }
    for (const [order, count] of drawn) order.skip(count);
  }
}
