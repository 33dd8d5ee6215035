import { describe, expect, it } from 'vitest';
import { tf } from '../../src/engine/index.js';
import { measure } from '../../src/evaluate/index.js';
import { casesOf } from '../../src/experiments/finetune-cases.js';
import {
  type FineTuneData,
  type FineTuneParameters,
  fineTuneExperiment,
  isFineTuning,
  runFineTunings,
} from '../../src/experiments/index.js';
import type { BatchSource } from '../../src/input/index.js';
import type { Run } from '../../src/runs/index.js';

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

  it("is trained by BiT's rule where it is asked to be, on as many patches as that is for", async () => {
    const { settings, method, warmupEpochs, paper, ...bit } = fineTuneExperiment(notebook, {
      ...{ scale: 'paper', protocol: 'bit', batchSize: 128 },
    });
    expect(settings).toMatchObject({ steps: 500, optimizer: 'sgd', momentum: 0.9, weightDecay: 0, warmup: 0.2 });
    expect(settings.learningRate).toBeCloseTo(0.003 / 4, 12);
    expect([settings.clipNorm, warmupEpochs, method.settings.dropout]).toEqual([undefined, undefined, 0]);
    expect([paper.protocol, paper.settings.optimizer, paper.method.settings.dropout]).toEqual(['paper', 'adamw', 0.4]);
    const small = fineTuneExperiment(notebook, { scale: 'demo', protocol: 'bit' });
    expect(small.settings).toMatchObject({ steps: 40, optimizer: 'sgd', milestones: [0.4, 0.6, 0.8], warmup: 0.2 });
    const folds = new Map([[1, [{ train: new Int32Array(20_000), validation: new Int32Array() }]]]);
    const experiment = { ...bit, settings, method, warmupEpochs, paper };
    await expect(
      runFineTunings(experiment, { folds } as unknown as FineTuneData, [], { run: {} as Run }),
    ).rejects.toThrow(/fewer than 20,000 training images/);
  });

  it("has the paper's protocol with a rate of its own for each block where that is asked for", () => {
    for (const [name, scale] of [
      [notebook, 'paper'],
      [notebook, 'demo'],
      ['30-segment-segpanda200', 'paper'],
    ] as const) {
      const backbone = scale === 'paper' ? 'vit_small_patch16_224' : 'small_vit';
      const plain = fineTuneExperiment(name, { scale, backbone });
      const layered = fineTuneExperiment(name, { scale, backbone, protocol: 'layerwise' });
      expect(layered.settings).toEqual({ ...plain.settings, layerDecay: 0.75 });
      expect([layered.method.settings, layered.warmupEpochs]).toEqual([plain.method.settings, plain.warmupEpochs]);
    }
  });

  it('takes another loss and other orientations of test patches', () => {
    const made = (parameters: Partial<FineTuneParameters>) =>
      fineTuneExperiment(notebook, { scale: 'demo', ...parameters });
    expect(made({ loss: 'smoothed' }).method.settings).toEqual({ dropout: 0.4, labelSmoothing: 0.1, weighted: false });
    const weighted = made({ loss: 'weighted', testTime: 'dihedral' });
    expect(weighted.method.settings).toEqual({ dropout: 0.4, labelSmoothing: 0, weighted: true });
    // Classes are not made equal twice.
    expect([weighted.balanced, made({}).balanced, weighted.testTime, made({}).testTime]).toEqual([
      ...[false, true, 'dihedral', 'flips'],
    ]);
    expect(weighted.paper.method.settings.weighted).toBe(false);
    expect(() => fineTuneExperiment('30-segment-segpanda200', { scale: 'demo', loss: 'smoothed' })).toThrow(
      /loss is for classification/,
    );
    expect(() => fineTuneExperiment('30-segment-segpanda200', { scale: 'demo', protocol: 'bit' })).toThrow(
      /protocol must be paper, layerwise; got "bit"/,
    );
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
    [{ protocol: 'mine' }, /protocol must be paper, bit, layerwise; got "mine"/],
    [{ protocol: 'layerwise' }, /protocol layerwise is for vision transformers, .* the backbone is resnet10/],
    [{ loss: 'dice' }, /loss must be cross-entropy, smoothed, weighted; got "dice"/],
    [{ testTime: 'turns' }, /testTime must be none, flips, dihedral; got "turns"/],
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
