import { expect, it } from 'vitest';
import { disposeTensors } from '../../src/engine/index.js';
import { extractFeatures } from '../../src/evaluate/index.js';
import { pretrainingData, simclrExperiment } from '../../src/experiments/index.js';
import { measureCost, pretrain } from '../../src/pretrain/index.js';
import type { TrainingEvent } from '../../src/training/index.js';

it("SimCLR trains three steps of the paper's settings from shards of 512 px", async () => {
  // As notebook 11 draws them, so that they are drawn once.
  const { dataset: shards } = await pretrainingData(simclrExperiment({ scale: 'smoke' }));
  const experiment = simclrExperiment({ scale: 'paper', data: shards.folder, batchSize: 4 });
  const { train, heldOut, dataset } = await pretrainingData(experiment);
  expect([dataset.size, train.size, train.batchSize]).toEqual([512, 512, 4]);
  const { method } = experiment;
  const settings = { ...experiment.settings, epochs: undefined, steps: 3 };
  expect(settings).toMatchObject({ optimizer: 'lars', precision: 'bfloat16' });
  const cost = await measureCost(method, { settings: experiment.settings, batches: train });
  expect(cost.steps).toBe(40 * Math.floor(train.count / 4));
  expect(cost.peakGibibytes).toBeGreaterThan(1);

  const losses: number[] = [];
  const onEvent = (event: TrainingEvent) => void (event.kind === 'step' && losses.push(event.loss));
  const { encoder } = await pretrain(method, { settings, batches: train, onEvent });
  expect(losses).toHaveLength(3);
  for (const loss of losses) expect(Number.isFinite(loss) && loss > 0, `${losses}`).toBe(true);
  expect(encoder.view).toMatchObject({ size: 224, crop: 287 / 512 });
  const { values, width } = await extractFeatures(encoder, heldOut);
  expect([width, values.length]).toEqual([2048, 2048 * heldOut.count]);
  expect(values.every(Number.isFinite)).toBe(true);
  disposeTensors(encoder.model.parameters, encoder.model.state);
}, 300_000);
