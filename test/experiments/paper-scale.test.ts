import { expect, it } from 'vitest';
import { disposeTensors } from '../../src/engine/index.js';
import { extractFeatures } from '../../src/evaluate/index.js';
import { pretrainExperiment, pretrainingData } from '../../src/experiments/index.js';
import { measureCost, pretrain, untrainedEncoder } from '../../src/pretrain/index.js';
import type { TrainingEvent } from '../../src/training/index.js';

/**
 * SimCLR's batch is 4: batch norm centers the projections of two patches so that they may be opposite, at a distance where the
 * loss is 0 in float32.
 */
const notebooks: [notebook: string, batchSize: number, featureSize: number, optimizer: string][] = [
  ['10-pretrain-supervised', 2, 2048, 'adamw'],
  ['11-pretrain-simclr', 4, 2048, 'lars'],
  ['12-pretrain-mocov2', 2, 2048, 'sgd'],
  ['13-pretrain-byol', 2, 2048, 'lars'],
  ['14-pretrain-dino', 2, 384, 'adamw'],
  ['15-pretrain-mae', 2, 1024, 'adamw'],
];

it.each(notebooks)(
  "%s trains three steps of the paper's settings, batch %i, from shards of 512 px",
  async (...args) => {
    const [notebook, batchSize, featureSize, optimizer] = args;
    // As notebook 11 draws them, so that they are drawn once.
    const { dataset: shards } = await pretrainingData(pretrainExperiment('11-pretrain-simclr', { scale: 'smoke' }));
    const experiment = pretrainExperiment(notebook, { scale: 'paper', data: shards.folder, batchSize });
    const { train, heldOut, dataset } = await pretrainingData(experiment);
    expect([dataset.size, train.size, train.batchSize]).toEqual([512, 512, batchSize]);
    const { method } = experiment;
    const settings = { ...experiment.settings, epochs: undefined, steps: 3 };
    expect(settings).toMatchObject({ optimizer, precision: 'bfloat16' });
    const losses: number[] = [];
    const onEvent = (event: TrainingEvent) => void (event.kind === 'step' && losses.push(event.loss));
    const { encoder } = await pretrain(method, { settings, batches: train, onEvent });
    expect(losses).toHaveLength(3);
    for (const loss of losses) expect(Number.isFinite(loss) && loss > 0, `${losses}`).toBe(true);
    expect(encoder.view).toMatchObject({ size: 224, crop: 287 / 512 });
    expect(encoder.backbone.featureSize).toBe(featureSize);
    const untrained = untrainedEncoder(method, { settings, batches: train }).model;
    const before = Object.entries(untrained.parameters);
    const moved = before.filter(([name, tensor]) => {
      const after = encoder.model.parameters[name]!.dataSync();
      return tensor.dataSync().some((value, at) => value !== after[at]);
    });
    // DINO's teacher moves by a 250th of the student's step, which norms of 1 lose in rounding.
    expect(moved.length).toBeGreaterThan(0.5 * before.length);
    disposeTensors(untrained.parameters, untrained.state);
    // Of one method, for time: features are taken in the same way from all, and so is the cost.
    if (notebook === '11-pretrain-simclr') {
      const cost = await measureCost(method, { settings: experiment.settings, batches: train });
      expect(cost.steps).toBe(40 * Math.floor(train.count / batchSize));
      expect(cost.hours).toBeCloseTo((cost.steps * cost.secondsPerStep) / 3600, 9);
      expect(cost.secondsPerStep).toBeGreaterThan(0);
      const { values, width } = await extractFeatures(encoder, heldOut);
      expect([width, values.length]).toEqual([featureSize, featureSize * heldOut.count]);
      expect(values.every(Number.isFinite)).toBe(true);
    }
    disposeTensors(encoder.model.parameters, encoder.model.state);
  },
  300_000,
);
