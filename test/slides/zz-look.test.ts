import { test } from 'vitest';
import { key } from '../../src/runs/index.js';
import { loadPatchSet, patchTable, sampleSlide, selectPatches, splitBySlide, syntheticCohort } from '../../src/datasets/index.js';
import { colorHistogramFeatures, knnClassify } from '../../src/evaluate/index.js';
test('look', async () => {
  let t = performance.now();
  const cohort = await syntheticCohort({ slides: 8 }, key(1).fold('cohort'), { onProgress: (d, n) => console.log(d, n) });
  console.log('cohort s', (performance.now() - t) / 1000, cohort.folder);
  for (const size of [64, 96, 400]) {
    t = performance.now();
    const set = await loadPatchSet([sampleSlide(), ...cohort.slides], { size });
    console.log('load s', (performance.now() - t) / 1000, set.count);
    if (size === 64) { patchTable(set).print(4); console.log(patchTable(set).groupby('class').count().objects(), set.sources[1]); }
    for (const seed of [1, 2, 3]) {
    const split = splitBySlide(set, { heldOut: 0.25 }, key(seed));
    const bank = selectPatches(set, split.trainLabelled), queries = selectPatches(set, split.heldOut);
    for (const bins of [4, 8]) for (const neighbors of [1, 20]) {
      const r = await knnClassify(colorHistogramFeatures(bank, bins), bank.labels, colorHistogramFeatures(queries, bins), queries.labels, { neighbors, classes: set.classNames.length });
      console.log(size, seed, split.heldOutSlides, bins, neighbors, r.accuracy.toFixed(3));
    } }
  }
}, 120000);
