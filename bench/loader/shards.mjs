import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { compileDataset, readDefinition, sampleSlide, shardFolder } from '../../dist/datasets/index.js';

/**
 * The shards that benchmarks read, compiled on first use: the real sample slide under many names, as many shards as a
 * small dataset has, at the paper's geometry. Its classes take turns.
 *
 * @returns {Promise<{folder: string, patches: number, classNames: string[]}>}
 */
export async function benchShards() {
  const definition = { ...readDefinition('ptcga200'), name: 'bench-loader' };
  const { classes } = definition.labels;
  const none = { patient: null, site: null, mask: null, annotation: null };
  const names = Array.from({ length: 32 }, (_, index) => `sample-${String(index + 1).padStart(2, '0')}`);
  const slides = names.map((id, index) => ({
    ...sampleSlide(),
    ...none,
    id,
    class: classes[index % classes.length].name,
  }));
  if (!existsSync(join(shardFolder(definition), 'index.arrow'))) console.error('compiling the shards, once');
  const { folder, report } = await compileDataset({ definition, slides });
  return { folder, patches: report.counts.patches, classNames: classes.map(({ name }) => name) };
}
