import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { readDefinition } from '../../src/datasets/index.js';
import { experimentDataset } from '../../src/experiments/compile-datasets.js';
import { compileExperiment } from '../../src/experiments/index.js';

const smoke = { scale: 'smoke', seed: 1 } as const;

it('keeps the shards of each scale and seed of synthetic slides apart, beside the slides', async () => {
  // As notebook 03 draws them, so that they are drawn once.
  const experiment = await compileExperiment('segpanda200', smoke);
  const one = await experimentDataset(experiment);
  expect(one.data).toBe(join(one.list.folder, 'shards'));
  const smaller = { ...experiment, synthetic: { ...experiment.synthetic!, patients: 1, leaks: {} } };
  const other = await experimentDataset(smaller);
  expect(other.definition.name).toBe(one.definition.name);
  expect(dirname(other.data!)).not.toBe(dirname(one.data!));
}, 120_000);

it('takes a definition of the user at every scale, with its own shares', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-mine-'));
  const source = { kind: 'slides', table: 'slides.csv', folder: '.', columns: { path: 'path' } };
  const path = join(folder, 'mine.json');
  writeFileSync(path, JSON.stringify({ ...readDefinition('pcam200'), name: 'mine', source }));
  expect(await compileExperiment('pcam200', { ...smoke, data: path })).toMatchObject({
    definition: { name: 'mine' },
    synthetic: null,
    shares: {},
  });
  rmSync(folder, { recursive: true });
});

it.each<[object, RegExp]>([
  [{ scale: 'large' }, /scale is smoke, demo or paper; got "large"/],
  [{ from: '/tmp' }, /from is for real data; scale "smoke" draws its own slides/],
  [{ data: 'pcam20' }, /there is no pcam20: neither a definition in data-manifests\/ nor a file or folder/],
  [{ data: 'slides.csv' }, /there is no slides.csv: neither/],
  [{ data: 'mine.json' }, /there is no mine.json: neither/],
  [{ data: 'segpanda200-both-providers' }, /the files of segpanda200-both-providers are not here/],
])('says what is wrong with %j', async (parameters, message) => {
  await expect(compileExperiment('pcam200', { ...smoke, ...parameters })).rejects.toThrow(message);
});
