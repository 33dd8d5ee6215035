import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { type Features, linearProbe } from '../../src/evaluate/index.js';

/** Classes that differ in one feature of ten, which is a hundredth of the others. */
function drawn(seed: string, count: number): { features: Features; labels: Int32Array } {
  const generator = key(seed).generator();
  const labels = Int32Array.from({ length: count }, (_, row) => row % 3);
  const rows = Array.from(labels, (label) =>
    Array.from({ length: 10 }, (_, at) =>
      at === 0 ? 0.01 * (generator.normal() * 0.1 + Number(label === 1)) : generator.normal(),
    ),
  );
  // The second feature tells the third class.
  for (const [row, values] of rows.entries()) values[1] = generator.normal() * 0.1 + Number(labels[row] === 2) + 5;
  return { labels, features: { values: Float32Array.from(rows.flat()), count, width: 10 } };
}

describe('linearProbe', () => {
  const [bank, asked] = [drawn('bank', 300), drawn('asked', 90)];
  const probe = (labels: Int32Array, wanted = asked.labels) =>
    linearProbe(bank.features, labels, asked.features, wanted, { classes: 3 });

  it('finds classes in features of any mean and size', async () => {
    const { accuracy, correct } = await probe(bank.labels);
    expect(accuracy).toBeGreaterThan(0.95);
    expect(correct.filter(Boolean)).toHaveLength(Math.round(90 * accuracy));
  });

  it('finds nothing where there is nothing', async () => {
    const shuffled = key('labels').generator().shuffle(bank.labels.slice());
    expect((await probe(shuffled)).accuracy).toBeLessThan(0.55);
  });

  it('takes a feature that never changes', async () => {
    const still = (features: Features) => ({
      ...features,
      values: features.values.map((value, at) => (at % 10 === 9 ? 1 : value)),
    });
    const { accuracy } = await linearProbe(still(bank.features), bank.labels, still(asked.features), asked.labels, {
      classes: 3,
    });
    expect(accuracy).toBeGreaterThan(0.95);
  });

  it('refuses labels that do not fit', async () => {
    await expect(probe(bank.labels.slice(1))).rejects.toThrow(/train labels/);
    await expect(
      probe(
        bank.labels,
        asked.labels.map(() => 3),
      ),
    ).rejects.toThrow(/test labels/);
  });
});
