/**
 * The threshold that splits the values into the two classes with the most variance between them
 * (Otsu, IEEE Transactions on Systems, Man, and Cybernetics 1979;9:62-66); 256 bins from 0 to the largest value.
 */
export function otsuThreshold(values: Float32Array): number {
  const bins = 256;
  const max = values.reduce((largest, value) => Math.max(largest, value), 0);
  if (max === 0) return 0;
  const histogram = new Float64Array(bins);
  for (const value of values) histogram[Math.min(bins - 1, Math.floor((value / max) * bins))]!++;
  const total = values.length;
  const sum = histogram.reduce((running, count, bin) => running + count * bin, 0);
  let below = 0;
  let sumBelow = 0;
  let best = 0;
  let bestVariance = -1;
  for (let bin = 0; bin < bins - 1; bin++) {
    below += histogram[bin]!;
    sumBelow += histogram[bin]! * bin;
    if (below === 0 || below === total) continue;
    const difference = sumBelow / below - (sum - sumBelow) / (total - below);
    const variance = below * (total - below) * difference ** 2;
    if (variance > bestVariance) {
      bestVariance = variance;
      best = bin;
    }
  }
  return ((best + 1) / bins) * max;
}
