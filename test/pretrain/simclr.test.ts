import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { selfSupervisedViews } from '../../src/augment/index.js';
import { disposeTensors, type Tensor, tf } from '../../src/engine/index.js';
import {
  type PretrainedBackbone,
  pretrainSimclr,
  randomBackbone,
  type SimclrSettings,
} from '../../src/pretrain/index.js';
import { InterruptedError, key } from '../../src/runs/index.js';

const size = 32;
const settings: SimclrSettings = {
  seed: 1,
  depth: 18,
  width: 0.125,
  hiddenSize: 32,
  outputSize: 16,
  views: { ...selfSupervisedViews(size), blur: { probability: 0.5, sigma: [0.1, 0.5], kernelSize: 3 } },
  temperature: 0.2,
  batchSize: 16,
  epochs: 8,
  optimizer: 'sgd',
  learningRate: 0.1,
  momentum: 0.9,
  weightDecay: 1e-6,
  warmup: 0.1,
};

/** Stripes of a direction and a width of their own for each patch, in a color that says nothing. */
const patches = (() => {
  const count = 48;
  const images = new Uint8Array(count * size * size * 3);
  for (let patch = 0; patch < count; patch++) {
    const random = key('stripes').fold(patch).generator();
    const [angle, period] = [random.between(0, Math.PI), random.between(3, 12)];
    const color = [0, 1, 2].map(() => random.between(60, 200));
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++)
        for (let c = 0; c < 3; c++) {
          const wave = Math.sin((2 * Math.PI * (x * Math.cos(angle) + y * Math.sin(angle))) / period);
          images[((patch * size + y) * size + x) * 3 + c] = color[c]! + 50 * wave;
        }
  }
  return { images, count, size };
})();

function weights({ model }: PretrainedBackbone): number[][] {
  return Object.values({ ...model.parameters, ...model.state }).map((tensor) => Array.from(tensor.dataSync()));
}

function forget({ model }: PretrainedBackbone): void {
  disposeTensors(model.parameters, model.state);
}

describe('pretrainSimclr', () => {
  const folder = mkdtempSync(join(tmpdir(), 'simclr-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('lowers the loss, reports, and leaves only the backbone behind', async () => {
    const before = tf.memory().numTensors;
    const evaluations: { step: number; deviation: number }[] = [];
    const trained = await pretrainSimclr({
      settings,
      patches,
      evaluate: {
        everySteps: 12,
        run: (features, step) => {
          const deviation = tf.tidy(() => {
            const images = tf.tensor4d(
              Float32Array.from(patches.images, (byte) => byte / 255),
              [48, size, size, 3],
            );
            const values = features(images);
            expect(values.shape).toEqual([48, trainedSize]);
            return tf
              .moments(values as Tensor, 0)
              .variance.sqrt()
              .mean()
              .dataSync()[0]!;
          });
          evaluations.push({ step, deviation });
          return { deviation };
        },
      },
    });
    const losses = trained.history.filter(({ kind }) => kind === 'step').map(({ loss }) => loss as number);
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    expect(losses.length).toBe(24);
    expect(mean(losses.slice(-6))).toBeLessThan(mean(losses.slice(0, 3)) - 0.3);
    expect(evaluations.map(({ step }) => step)).toEqual([0, 12, 24]);
    for (const { deviation } of evaluations) expect(deviation).toBeGreaterThan(1e-3);

    const random = randomBackbone({ settings });
    const names = Object.keys(random.model.parameters);
    expect(Object.keys(trained.model.parameters)).toEqual(names);
    expect(names).toContain('layer4.1.bn2.weight');
    expect(weights(trained)).not.toEqual(weights(random));
    forget(trained);
    forget(random);
    expect(tf.memory().numTensors).toBe(before);
  });
  const trainedSize = 64;

  it('starts from the random backbone that it is compared with', async () => {
    const random = randomBackbone({ settings });
    const images = tf.ones([2, size, size, 3]);
    const expected = Array.from(random.features(images).dataSync());
    const first: number[][] = [];
    forget(
      await pretrainSimclr({
        settings: { ...settings, epochs: 1 },
        patches,
        evaluate: {
          everySteps: 100,
          run: (features) => void first.push(Array.from(features(images).dataSync())) ?? {},
        },
      }),
    );
    expect(first[0]).toEqual(expected);
    expect(first[1]).not.toEqual(expected);
    forget(random);
  });

  it('gives the same bits from the same seed, also when it was interrupted', async () => {
    const short = { ...settings, epochs: 2 };
    const whole = await pretrainSimclr({ settings: short, patches });
    const checkpoint = { folder, everySteps: 100, identity: 'these patches' };
    const controller = new AbortController();
    const interrupted = pretrainSimclr({
      settings: short,
      patches,
      checkpoint,
      signal: controller.signal,
      onEvent: ({ kind, step }) => kind === 'step' && step === 3 && controller.abort(),
    });
    await expect(interrupted).rejects.toThrow(InterruptedError);
    const resumed = await pretrainSimclr({ settings: short, patches, checkpoint });
    expect(weights(resumed)).toEqual(weights(whole));
    expect(resumed.history).toEqual(whole.history);

    const other = await pretrainSimclr({ settings: { ...short, seed: 2 }, patches });
    expect(weights(other)).not.toEqual(weights(whole));
    for (const model of [whole, resumed, other]) forget(model);

    const changed = { ...short, temperature: 0.5 };
    await expect(pretrainSimclr({ settings: changed, patches, checkpoint })).rejects.toThrow(
      /made with other settings/,
    );
  });

  it('refuses fewer patches than a batch', async () => {
    const few = pretrainSimclr({ settings: { ...settings, batchSize: 64 }, patches });
    await expect(few).rejects.toThrow(/48 items do not fill one batch of 64/);
  });
});
