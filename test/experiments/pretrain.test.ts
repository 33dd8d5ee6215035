import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import {
  evaluationCost,
  isPretraining,
  type PretrainParameters,
  pretrainExperiment,
  stepsBetweenEvaluations,
  watchedCounts,
  watchedShare,
} from '../../src/experiments/index.js';
import { backboneNames, fittingSize } from '../../src/models/index.js';

describe('a pretraining experiment', () => {
  it('has the published settings of SimCLR at paper scale', () => {
    const { method, settings, batchSize, imageSize, synthetic } = pretrainExperiment('11-pretrain-simclr', {
      scale: 'paper',
    });
    expect(method.backbone.name).toBe('resnet50');
    expect(method.settings).toEqual({ hiddenSize: 2048, outputSize: 128, temperature: 0.1 });
    expect(method.views).toMatchObject([
      { size: 224, crop: { scale: [0.8, 1] }, grayscale: 0.2 },
      { size: 224, crop: { scale: [0.8, 1] }, grayscale: 0.2 },
    ]);
    expect(settings).toMatchObject({
      epochs: 40,
      optimizer: 'lars',
      learningRate: 0.6,
      weightDecay: 1e-6,
      warmup: 0.1,
      precision: 'bfloat16',
    });
    expect({ batchSize, imageSize, synthetic }).toEqual({ batchSize: 512, imageSize: 512, synthetic: null });
  });

  it('has the published settings of supervised pretraining and of MAE at paper scale', () => {
    const named = pretrainExperiment('10-pretrain-supervised', { scale: 'paper' });
    expect(named.method.backbone.name).toBe('resnet50');
    expect(named.method.settings).toEqual({ dropout: 0.4, labelSmoothing: 0, weighted: false });
    expect(named.method.views).toMatchObject([{ size: 224, crop: { scale: [0.8, 1] } }]);
    expect(named.method.views[0]).not.toHaveProperty('grayscale');
    // 1e-4 for 512 images, one epoch of warm-up of 40.
    expect(named.settings).toMatchObject({
      ...{ epochs: 40, optimizer: 'adamw', learningRate: 1e-4, warmup: 1 / 40, weightDecay: 5e-5, clipNorm: 1 },
      decayTokens: false,
      resetBatchNorm: true,
    });
    const painting = pretrainExperiment('15-pretrain-mae', { scale: 'paper' });
    expect(painting.method.backbone.name).toMatch(/^vit_large_patch16_224/);
    expect(painting.method.settings).toEqual({
      ...{ maskRatio: 0.75, decoder: { width: 512, depth: 8, heads: 16 }, normalizeTargets: true },
    });
    expect(painting.method.views).toEqual([
      {
        size: 224,
        crop: { scale: [0.2, 1], ratio: [3 / 4, 4 / 3], interpolation: 'bicubic' },
        flips: { horizontal: 0.5, vertical: 0 },
      },
    ]);
    // 1.5e-4 for 256 images.
    expect(painting.settings).toMatchObject({
      ...{ optimizer: 'adamw', learningRate: 3e-4, betas: [0.9, 0.95], weightDecay: 0.05, warmup: 40 / 800 },
    });
  });

  it('has the settings of MoCo v2, BYOL and DINO at paper scale', () => {
    const moco = pretrainExperiment('12-pretrain-mocov2', { scale: 'paper' });
    expect(moco.method.settings).toMatchObject({
      temperature: 0.2,
      momentum: 0.999,
      queueSize: 65_536,
      outputSize: 128,
    });
    expect(moco.settings).toMatchObject({ optimizer: 'sgd', learningRate: 0.03, weightDecay: 1e-4, decayAll: true });
    expect([moco.batchSize, moco.settings.warmup, moco.method.backbone.name]).toEqual([256, 0, 'resnet50']);

    const byol = pretrainExperiment('13-pretrain-byol', { scale: 'paper', batchSize: 256 });
    expect(byol.method.settings).toMatchObject({ hiddenSize: 4096, outputSize: 256, momentum: 0.97, classifier: true });
    expect(byol.settings).toMatchObject({ optimizer: 'lars', learningRate: 0.45, weightDecay: 1e-6, warmup: 0.25 });
    expect(byol.method.views).toMatchObject([{ blur: { probability: 1 } }, { solarize: 0.2 }]);

    const dino = pretrainExperiment('14-pretrain-dino', { scale: 'paper', batchSize: 256 });
    expect(dino.method.settings).toMatchObject({
      ...{ outputSize: 65_536, bottleneckSize: 256, hiddenSize: 2048, normLastLayer: false, frozenEpochs: 1 },
      ...{ teacherTemperature: { from: 0.04, to: 0.07, epochs: 30 }, momentum: 0.996, dropPathRate: 0.1 },
    });
    expect(dino.settings).toMatchObject({
      ...{ optimizer: 'adamw', learningRate: 0.0005, finalLearningRate: 1e-6, clipNorm: 3, clipOf: 'each' },
      ...{ weightDecay: 0.04, finalWeightDecay: 0.4, warmup: 0.25 },
    });
    expect(dino.method.views.map(({ size }) => size)).toEqual([224, 224, ...Array(8).fill(96)]);
    for (const { settings } of [moco, byol, dino])
      expect(settings).toMatchObject({ epochs: 40, precision: 'bfloat16' });
  });

  it('fits what depends on the length to the epochs that are asked for', () => {
    const at = (notebook: string, epochs: number) => pretrainExperiment(notebook, { scale: 'paper', epochs });
    const byol = (epochs: number) => {
      const { method, settings } = at('13-pretrain-byol', epochs);
      const { learningRate, weightDecay, warmup } = settings;
      return [method.settings.momentum, learningRate / 2, weightDecay, warmup * epochs];
    };
    expect(byol(10)).toEqual([0.97, 0.45, 1e-6, 2.5]);
    expect(byol(100)).toEqual([0.99, 0.45, 1e-6, 10]);
    expect(byol(400)).toEqual([0.99, 0.3, 1e-6, 10]);
    expect(byol(1000)).toEqual([0.996, 0.2, 1.5e-6, 10]);

    // The temperature gets to its end in the training, and is the authors' in long ones.
    const dino = (epochs: number) => {
      const { method, settings } = at('14-pretrain-dino', epochs);
      const { teacherTemperature } = method.schedules!({ steps: 5 * epochs, stepsPerEpoch: 5 });
      return [0, 29, epochs - 1].map((epoch) => teacherTemperature!(5 * epoch)).concat(settings.warmup * epochs);
    };
    expect(dino(10)).toEqual([0.04, 0.07, 0.07, 2.5].map((value) => expect.closeTo(value, 12)));
    expect(dino(300)).toEqual([0.04, 0.07, 0.07, 10].map((value) => expect.closeTo(value, 12)));
    const supervised = (epochs: number) => epochs * at('10-pretrain-supervised', epochs).settings.warmup;
    expect([1, 2, 10, 90].map(supervised)).toEqual([0.5, 1, 1, 1].map((value) => expect.closeTo(value, 12)));
  });

  it('puts what was asked for over the scale, and leaves what was not', () => {
    const base = pretrainExperiment('11-pretrain-simclr', { scale: 'smoke' });
    const asked = pretrainExperiment('11-pretrain-simclr', {
      ...{ scale: 'smoke', epochs: 3, seed: 7, neighbors: 9, precision: 'bfloat16', batchSize: undefined },
    });
    expect(base.settings).toMatchObject({ epochs: undefined, steps: 32 });
    expect(asked.settings).toEqual({ ...base.settings, epochs: 3, steps: undefined, seed: 7, precision: 'bfloat16' });
    expect(asked).toMatchObject({ neighbors: 9, batchSize: base.batchSize, synthetic: base.synthetic });
    expect(pretrainExperiment('11-pretrain-simclr', { scale: 'demo', data: 'a folder' }).data).toBe('a folder');
  });

  it('takes a batch in parts, which must divide it', () => {
    const byol = (microBatches: number) => pretrainExperiment('13-pretrain-byol', { scale: 'paper', microBatches });
    expect([byol(8).settings.microBatches, byol(8).batchSize]).toEqual([8, 512]);
    expect(() => byol(3)).toThrow(/microBatches must divide the batch of 512; got 3/);
    const weighted = { scale: 'paper', weighted: true, microBatches: 2 } as const;
    expect(() => pretrainExperiment('10-pretrain-supervised', weighted)).toThrow(/weights of classes make the loss/);
  });

  it('takes smoothing of labels and weights of classes, in place of drawing every class equally often', () => {
    const asked = { scale: 'demo', labelSmoothing: 0.2, weighted: true } as const;
    const { method, balanced } = pretrainExperiment('10-pretrain-supervised', asked);
    expect(method.settings).toEqual({ dropout: 0.4, labelSmoothing: 0.2, weighted: true });
    expect(balanced).toBe(false);
    const other = pretrainExperiment('10-pretrain-supervised', { scale: 'demo', labelSmoothing: 0 });
    expect([other.method.settings.labelSmoothing, other.balanced]).toEqual([0, true]);
  });

  it('scales the learning rate with the batch, unless it is given', () => {
    const rate = (asked: Partial<PretrainParameters>) =>
      pretrainExperiment('11-pretrain-simclr', { scale: 'paper', batchSize: 256, ...asked }).settings.learningRate;
    expect(rate({})).toBeCloseTo(0.3, 10);
    expect(rate({ learningRate: 1 })).toBe(1);
  });

  it('takes weights to begin with, and otherwise says nothing of them', () => {
    const settingsOf = (asked: object) =>
      pretrainExperiment('11-pretrain-simclr', { scale: 'smoke', ...asked }).settings;
    expect(settingsOf({ init: 'results/runs/one' }).init).toBe('results/runs/one');
    expect(settingsOf({})).not.toHaveProperty('init');
  });

  it('names a number that is none as it was given', () => {
    const asked = (seed: number) => () => pretrainExperiment('11-pretrain-simclr', { scale: 'smoke', seed });
    expect(asked(Number.NaN)).toThrow(/seed must be a whole number; got NaN/);
    expect(asked(Number.POSITIVE_INFINITY)).toThrow(/got Infinity/);
  });

  it.each(['smoke', 'paper'] as const)('takes a backbone by its name at %s scale, and views that fit it', (scale) => {
    const methodOf = (notebook: string, backbone: string) => pretrainExperiment(notebook, { scale, backbone }).method;
    const notebooks = ['10-pretrain-supervised', '11-pretrain-simclr', '12-pretrain-mocov2', '13-pretrain-byol'];
    const every = backboneNames.flatMap((name) =>
      [...notebooks, '14-pretrain-dino'].map((notebook) => [notebook, name]),
    );
    for (const [notebook, name] of every) {
      const { backbone, views } = methodOf(notebook!, name!);
      expect(backbone.name).toBe(name);
      for (const { size } of views) expect(fittingSize(backbone, size), `${notebook} ${name}`).toBe(size);
      if (scale === 'paper') expect(views[0]!.size, `${notebook} ${name}`).toBe(backbone.inputSize);
    }
    const painter = methodOf('15-pretrain-mae', 'vit_base_patch32_224');
    expect(painter.backbone.name).toMatch(/^vit_base_patch32_224, mean/);
    expect(painter.views[0]!.size % 32).toBe(0);
    expect(() => methodOf('15-pretrain-mae', 'resnet50')).toThrow(
      /MAE masks patches of a vision transformer.*got resnet50/,
    );
    expect(() => pretrainExperiment('11-pretrain-simclr', { scale: 'smoke', backbone: 'none' })).toThrow(
      /there is no backbone "none"; known are small_resnet, small_vit, resnet18/,
    );
  });

  it('is of a notebook that there is', () => {
    expect(() => pretrainExperiment('20-finetune', { scale: 'smoke' })).toThrow(
      /20-finetune is not a pretraining notebook: .*11-pretrain-simclr/,
    );
    expect(isPretraining('toString')).toBe(false);
    const names = readdirSync(join(projectRoot, 'notebooks')).filter((name) => /^1\d-pretrain-.*\.ts$/.test(name));
    expect(names.map((name) => isPretraining(name.replace('.ts', '')))).toEqual(names.map(() => true));
  });

  it.each<[Partial<Record<keyof PretrainParameters, unknown>>, RegExp]>([
    [{ scale: 'large' }, /scale is smoke, demo or paper; got "large"/],
    [{ epochs: 0 }, /epochs must be an integer of 1 or more; got 0/],
    [{ epochs: 1.5 }, /epochs .* got 1.5/],
    [{ batchSize: 1 }, /batchSize must be an integer of 2 or more/],
    [{ learningRate: -1 }, /learningRate must be a number above 0; got -1/],
    [{ precision: 'float64' }, /precision must be float32, bfloat16 or float16; got "float64"/],
    [{ microBatches: 2 }, /SimCLR takes no microBatches: .*negatives are the other images of the batch/],
    [{ weighted: true }, /are for supervised pretraining; SimCLR learns no classes/],
    [{ labelSmoothing: 1 }, /labelSmoothing must be a share from 0 to below 1; got 1/],
    [{ neighbors: 0 }, /neighbors must be an integer of 1 or more; got 0/],
    [{ stain: 1 }, /stain must be a number from 0 to below 1; got 1/],
    [{ stain: 'strong' }, /stain must be a number from 0 to below 1; got "strong"/],
    [{ seed: 0.5 }, /seed must be a whole number; got 0.5/],
  ])('refuses %j', (wrong, message) => {
    expect(() => pretrainExperiment('11-pretrain-simclr', { scale: 'smoke', ...wrong } as PretrainParameters)).toThrow(
      message,
    );
  });

  it('jitters the stains of every view where that is asked for, of a method that is the same otherwise', () => {
    for (const notebook of ['10-pretrain-supervised', '13-pretrain-byol', '14-pretrain-dino', '15-pretrain-mae']) {
      const of = (stain?: number) => pretrainExperiment(notebook, { scale: 'demo', stain }).method;
      expect(of(0).views).toEqual(of().views);
      expect(of().views.some((view) => 'stain' in view)).toBe(false);
      const stain = { probability: 1, strength: 0.2, shift: 0.2 };
      expect(of(0.2).views).toEqual(of().views.map((view) => ({ ...view, stain })));
      expect(of(0.2).settings).toEqual(of().settings);
    }
  });

  it('takes another size of views, which fits the backbone', () => {
    const sizesOf = (notebook: string, size: number, backbone?: string) => {
      const { method, imageSize } = pretrainExperiment(notebook, { scale: 'demo', size, backbone });
      return [imageSize, ...new Set(method.views.map((view) => view.size))];
    };
    expect(sizesOf('11-pretrain-simclr', 96)).toEqual([96, 96]);
    expect(sizesOf('13-pretrain-byol', 40)).toEqual([64, 40]);
    expect(sizesOf('14-pretrain-dino', 72)).toEqual([72, 72, 48]);
    expect(sizesOf('15-pretrain-mae', 128, 'small_vit')).toEqual([128, 128]);
    expect(() => sizesOf('15-pretrain-mae', 100)).toThrow(/size 100 does not fit vit .*: the next that does is 104 px/);
  });

  it.each([
    ['the synthetic cohort', 384, 192, {}],
    ['a real set', 3351, 1675, {}],
    ['a real set, trained on for long', 3351, 1675, { epochs: 100 }],
    ['a large set without classes', 0, 2000, { epochs: 5 }],
  ])('watches %s within the share of its time that is for that', (_, bank, heldOut, asked) => {
    const experiment = pretrainExperiment('11-pretrain-simclr', { scale: 'demo', ...asked });
    const train = { stepsPerEpoch: Math.floor(Math.max(bank, heldOut) / experiment.batchSize) };
    const steps = experiment.settings.steps ?? experiment.settings.epochs! * train.stepsPerEpoch;
    const counts = watchedCounts(experiment, { train, bank, heldOut });
    const watched = { bank: bank > 0 ? { count: counts.bank } : null, heldOut: { count: counts.heldOut } };
    const every = stepsBetweenEvaluations(experiment, { train, watched });
    // Before the first step and after the last, two views of 64 patches among what is evaluated.
    const evaluations = 1 + Math.ceil(steps / every);
    const evaluated = evaluations * (counts.bank + counts.heldOut + 128);
    expect(evaluations).toBeGreaterThanOrEqual(3);
    expect((evaluated * evaluationCost(experiment)) / (steps * experiment.batchSize)).toBeLessThanOrEqual(watchedShare);
    // No fewer than needed: of long trainings all.
    if (asked.epochs === 100) expect(counts).toEqual({ bank, heldOut });
  });
});
