import { describe, expect, it } from 'vitest';
import { tf } from '../../src/engine/index.js';
import { measure } from '../../src/evaluate/index.js';
import { casesOf } from '../../src/experiments/finetune-cases.js';
import { type FineTuneParameters, fineTuneExperiment, isFineTuning } from '../../src/experiments/index.js';
import type { BatchSource } from '../../src/input/index.js';

const notebook = '20-finetune-ptcga200';

describe('a fine-tuning experiment', () => {
  it("has the paper's settings at paper scale", () => {
    const { method, settings, batchSize, imageSize, synthetic, warmupEpochs, patience } = fineTuneExperiment(notebook, {
      scale: 'paper',
    });
    expect(method.backbone.name).toBe('resnet50');
    expect(method.settings).toEqual({ dropout: 0.4, labelSmoothing: 0, weighted: false });
    expect(method.views).toMatchObject([{ size: 224, crop: { scale: [0.8, 1] } }]);
    expect(settings).toMatchObject({
      ...{ steps: 1000, optimizer: 'adamw', learningRate: 1e-4, weightDecay: 5e-5, decayTokens: false, clipNorm: 1 },
      ...{ resetBatchNorm: true, precision: 'bfloat16' },
    });
    expect(settings).not.toHaveProperty('milestones');
    expect({ batchSize, imageSize, synthetic, warmupEpochs, patience }).toEqual({
      ...{ batchSize: 512, imageSize: 512, synthetic: null, warmupEpochs: 1, patience: undefined },
    });
    // In proportion to the batch, and not 0 under 512 as in the reference code.
    expect(fineTuneExperiment(notebook, { scale: 'paper', batchSize: 128 }).settings.learningRate).toBeCloseTo(
      2.5e-5,
      12,
    );
  });

  it('puts what was asked for over the scale', () => {
    const asked = fineTuneExperiment('21-finetune-pcam200', {
      ...{
        scale: 'smoke',
        epochs: 3,
        folds: 4,
        seeds: 2,
        labels: 5,
        seed: 7,
        init: 'random, results/runs/one',
        data: 'mine',
        tile: 256,
      },
    });
    expect(asked).toMatchObject({
      folds: 4,
      seeds: 2,
      labels: 5,
      init: ['random', 'results/runs/one'],
      data: 'mine',
      tile: 256,
    });
    expect(asked.settings).toMatchObject({ epochs: 3, steps: undefined, seed: 7 });
    expect(fineTuneExperiment(notebook, { scale: 'smoke', steps: 9 }).settings).toMatchObject({
      steps: 9,
      epochs: undefined,
    });
    expect(fineTuneExperiment(notebook, { scale: 'smoke', metric: 'auroc' }).task.main).toBe('auroc');
    const segmentation = fineTuneExperiment('30-segment-segpanda200', { scale: 'demo', size: 192 });
    expect([segmentation.imageSize, segmentation.method.views[0]!.size]).toEqual([192, 192]);
    expect(isFineTuning(notebook) && !isFineTuning('toString')).toBe(true);
  });

  it.each<[Partial<Record<keyof FineTuneParameters, unknown>>, RegExp]>([
    [{ scale: 'large' }, /scale is smoke, demo or paper; got "large"/],
    [{ folds: 0 }, /folds must be an integer of 1 or more; got 0/],
    [{ seeds: 1.5 }, /seeds .* got 1.5/],
    [{ labels: 0 }, /labels must be an integer of 1 or more/],
    [{ steps: -1 }, /steps must be an integer/],
    [{ patience: 10, folds: 1 }, /patience needs validation patients: take two folds or more/],
    [{ steps: 5, epochs: 1 }, /give epochs or steps; got epochs 1 and steps 5/],
    [{ batchSize: 1 }, /batchSize must be an integer of 2 or more/],
    [{ learningRate: 0 }, /learningRate must be a number above 0/],
    [{ init: 'random,,imagenet' }, /init must be different arms with commas between.*got \["random","","imagenet"\]/],
    [{ init: 'random,random' }, /init must be different arms/],
    [{ data: 'mine', tile: 3 }, /tile must be an integer of 16 or more; got 3/],
    [{ tile: 256 }, /tile cuts images of your own data: give data too; got tile 256/],
    [{ metric: 'luck' }, /metric must be accuracy, balancedAccuracy, .*; got "luck"/],
    [{ backbone: 'none' }, /there is no backbone "none"/],
  ])('refuses %j', (wrong, message) => {
    expect(() => fineTuneExperiment(notebook, { scale: 'smoke', ...wrong } as FineTuneParameters)).toThrow(message);
  });

  it('gives values or reasons, and never NaN, for constant predictions', async () => {
    const { task } = fineTuneExperiment(notebook, { scale: 'smoke' });
    const source = {
      labels: Int32Array.of(0, 1, 1, 2),
      rows: Int32Array.of(0, 1, 2, 3),
      dataset: {
        classNames: ['a', 'b', 'c', 'without'],
        patients: { codes: Int32Array.of(0, 0, 1, 1), names: ['one', 'two'] },
        slides: { codes: Int32Array.of(0, 0, 1, 1), names: ['one', 'two'] },
      },
    } as unknown as BatchSource;
    const probabilities = tf.tensor2d(new Float32Array(16).fill(0.25), [4, 4]);
    const measured = measure(task.metrics, await task.results({ probabilities }, casesOf(source, 'patients')));
    probabilities.dispose();
    for (const [name, { value, reason }] of Object.entries(measured)) {
      expect(value === null ? typeof reason : Number.isFinite(value), name).toBe(value === null ? 'string' : true);
    }
    expect(measured.accuracy!.value).toBe(0.25);
    expect(measured.auroc!.value).toBe(0.5);
  });
});
