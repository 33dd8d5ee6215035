import { describe, expect, it } from 'vitest';
import { type PretrainParameters, simclrExperiment } from '../../src/experiments/index.js';

describe('the SimCLR experiment', () => {
  it('has the published settings at paper scale', () => {
    const { method, settings, batchSize, imageSize, synthetic } = simclrExperiment({ scale: 'paper' });
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

  it('puts what was asked for over the scale, and leaves what was not', () => {
    const base = simclrExperiment({ scale: 'smoke' });
    const asked = simclrExperiment({
      ...{ scale: 'smoke', epochs: 3, seed: 7, neighbors: 9, precision: 'bfloat16', batchSize: undefined },
    });
    expect(base.settings).toMatchObject({ epochs: undefined, steps: 32 });
    expect(asked.settings).toEqual({ ...base.settings, epochs: 3, steps: undefined, seed: 7, precision: 'bfloat16' });
    expect(asked).toMatchObject({ neighbors: 9, batchSize: base.batchSize, synthetic: base.synthetic });
    expect(simclrExperiment({ scale: 'demo', data: 'a folder' }).data).toBe('a folder');
  });

  it('scales the learning rate with the batch, unless it is given', () => {
    const rate = (asked: Partial<PretrainParameters>) =>
      simclrExperiment({ scale: 'paper', batchSize: 256, ...asked }).settings.learningRate;
    expect(rate({})).toBeCloseTo(0.3, 10);
    expect(rate({ learningRate: 1 })).toBe(1);
  });

  it.each<[Partial<Record<keyof PretrainParameters, unknown>>, RegExp]>([
    [{ scale: 'large' }, /scale is smoke, demo or paper; got "large"/],
    [{ epochs: 0 }, /epochs is a whole number of 1 or more; got 0/],
    [{ epochs: 1.5 }, /epochs .* got 1.5/],
    [{ batchSize: 1 }, /batchSize is a whole number of 2 or more/],
    [{ learningRate: -1 }, /learningRate is a number above 0; got -1/],
    [{ precision: 'float64' }, /precision is float32, bfloat16 or float16; got "float64"/],
    [{ neighbors: 0 }, /neighbors is a whole number of 1 or more; got 0/],
    [{ seed: 0.5 }, /seed is a whole number; got 0.5/],
  ])('refuses %j', (wrong, message) => {
    expect(() => simclrExperiment({ scale: 'smoke', ...wrong } as PretrainParameters)).toThrow(message);
  });
});
