import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { compileExperiment, experimentDataset } from '../../src/experiments/index.js';
import { key } from '../../src/runs/index.js';

it('keeps the shards of each scale and seed of synthetic slides apart, beside the slides', async () => {
  const experiment = compileExperiment('segpanda200', { scale: 'smoke' });
  // As notebook 03 draws them, so that they are drawn once.
  const drawn = key(1).fold('slides');
  const one = await experimentDataset(experiment, drawn);
  expect(one.data).toBe(join(one.folder, 'shards'));
  const smaller = { ...experiment, synthetic: { ...experiment.synthetic!, patients: 1, leaks: {} } };
  const other = await experimentDataset(smaller, drawn);
  expect(other.definition.name).toBe(one.definition.name);
  expect(dirname(other.data!)).not.toBe(dirname(one.data!));
}, 120_000);
