import { describe, expect, it } from 'vitest';
import { type SimclrParameters, simclrExperiment, simclrSettings } from '../../src/experiments/index.js';

describe('the SimCLR experiment', () => {
  it('has the published settings at paper scale', () => {
    expect(simclrSettings({ scale: 'paper' })).toMatchObject({
      depth: 50,
      width: 1,
      batchSize: 512,
      epochs: 40,
      optimizer: 'lars',
      learningRate: 0.6,
      weightDecay: 1e-6,
      warmup: 0.1,
      temperature: 0.1,
      hiddenSize: 2048,
      outputSize: 128,
      views: { size: 224, crop: { scale: [0.8, 1] }, grayscale: 0.2 },
    });
  });

  it('says that the data of the paper are missing', () => {
    expect(() => simclrExperiment({ scale: 'paper' })).toThrow(/PTCGA200.*Use scale "demo" or "smoke"/);
  });

  it('puts what was asked for over the scale, and leaves what was not', () => {
    const base = simclrExperiment({ scale: 'smoke' });
    const asked = simclrExperiment({ scale: 'smoke', epochs: 3, seed: 7, neighbors: 9, batchSize: undefined });
    expect(asked.settings).toEqual({ ...base.settings, epochs: 3, seed: 7 });
    expect(asked).toMatchObject({ neighbors: 9, cohort: base.cohort });
  });

  it('scales the learning rate with the batch, unless it is given', () => {
    expect(simclrSettings({ scale: 'paper', batchSize: 256 }).learningRate).toBeCloseTo(0.3, 10);
    expect(simclrSettings({ scale: 'paper', batchSize: 256, learningRate: 1 }).learningRate).toBe(1);
  });

  it.each<[Partial<Record<keyof SimclrParameters, unknown>>, RegExp]>([
    [{ scale: 'large' }, /scale is smoke, demo or paper; got "large"/],
    [{ epochs: 0 }, /epochs is a whole number of 1 or more; got 0/],
    [{ epochs: 1.5 }, /epochs .* got 1.5/],
    [{ batchSize: 1 }, /batchSize is a whole number of 2 or more/],
    [{ learningRate: -1 }, /learningRate is a number above 0; got -1/],
    [{ neighbors: 0 }, /neighbors is a whole number of 1 or more; got 0/],
    [{ seed: 0.5 }, /seed is a whole number; got 0.5/],
  ])('refuses %j', (wrong, message) => {
    expect(() => simclrExperiment({ scale: 'smoke', ...wrong } as SimclrParameters)).toThrow(message);
  });
});
