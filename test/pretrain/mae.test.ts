import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { subTensors, type Tensor, tf } from '../../src/engine/index.js';
import { sineCosinePositions, vit } from '../../src/models/index.js';
import { mae, maeLoss, patchify, patchStatistics, randomMask, unpatchify } from '../../src/pretrain/index.js';
import { adamw } from '../../src/training/index.js';
import { randomImages, relativeError, stepper, valuesOf } from './one-step.js';

interface Case {
  patchSize: number;
  normalizeTargets: boolean;
  images: number[][][][];
  predicted: number[][][];
  mask: number[][];
  loss: number;
  gradient: number[][][];
}

const cases = JSON.parse(readFileSync(new URL('../fixtures/torch-supervised-mae/losses.json', import.meta.url), 'utf8'))
  .mae as Case[];

const backbone = vit({ imageSize: 32, patchSize: 8, width: 32, depth: 2, heads: 2, positions: 'fixed' });
const method = mae({
  backbone,
  views: { size: 32, crop: { scale: [1, 1], ratio: [1, 1] } },
  maskRatio: 0.75,
  decoder: { width: 16, depth: 1, heads: 2 },
  normalizeTargets: true,
});
const start = { labels: new Int32Array(), classNames: [] };
const [images] = randomImages(1, 4, [32]) as [Tensor];

describe("MAE's loss", () => {
  it.each(cases)('equals PyTorch, with its gradient (case %#)', (reference) => {
    const [images, mask] = [tf.tensor4d(reference.images), tf.tensor2d(reference.mask)];
    const compute = (predicted: Tensor) => maeLoss(predicted, images, mask, reference).asScalar();
    const { value, grad } = tf.valueAndGrad(compute)(tf.tensor3d(reference.predicted));
    expect(Math.abs(value.dataSync()[0]! / reference.loss - 1)).toBeLessThan(1e-5);
    expect(relativeError(grad, reference.gradient.flat())).toBeLessThan(1e-5);
  });

  it('is of the masked patches alone', () => {
    const { images, mask, predicted, ...options } = cases[0]!;
    const lossOf = (predicted: Tensor) =>
      maeLoss(predicted, tf.tensor4d(images), tf.tensor2d(mask), options).dataSync()[0]!;
    const own = tf.tensor3d(predicted);
    const weights = tf.tensor2d(mask).expandDims(2);
    // Anything may stand where a patch was seen, and nothing else where one was masked.
    expect(lossOf(own.add(tf.sub(1, weights).mul(100)))).toBeCloseTo(lossOf(own), 4);
    expect(lossOf(own.add(weights))).not.toBeCloseTo(lossOf(own), 1);
  });

  it('has targets of mean 0 and unbiased variance 1, patch by patch', () => {
    const bright = images.mul(5).add(3) as Tensor;
    const { mean, deviation } = patchStatistics(patchify(bright, 8));
    const normalized = patchify(bright, 8).sub(mean).div(deviation);
    const n = 8 * 8 * 3;
    for (const value of valuesOf(normalized.sum(2) as Tensor)) expect(value).toBeCloseTo(0, 2);
    for (const value of valuesOf(normalized.square().sum(2) as Tensor)) expect(value / (n - 1)).toBeCloseTo(1, 4);
    // A network that paints gray is at the level that the chart draws.
    const gray = maeLoss(tf.zeros([4, 16, n]), bright, tf.ones([4, 16]), { patchSize: 8, normalizeTargets: true });
    expect(gray.dataSync()[0]).toBeCloseTo((n - 1) / n, 4);
    expect(method.chanceLoss!({} as never)).toBe(1);
  });

  it('flattens a patch by row, column, channel', () => {
    const image = tf.range(0, 4 * 4 * 3).reshape([1, 4, 4, 3]) as Tensor;
    const patches = patchify(image, 2).squeeze([0]).arraySync() as number[][];
    expect(patches[1]).toEqual([6, 7, 8, 9, 10, 11, 18, 19, 20, 21, 22, 23]);
    expect(valuesOf(unpatchify(patchify(image, 2), 2))).toEqual(valuesOf(image));
  });
});

describe('randomMask', () => {
  it('masks three quarters of every image, others in each, and the same for the same key', () => {
    const draw = (seed: number) => randomMask(key(seed), [8, 196], 49);
    const { visible, places, mask } = draw(1);
    expect(visible.shape).toEqual([8, 49]);
    expect(valuesOf(mask.sum(1) as Tensor)).toEqual(new Array(8).fill(147));
    const order = places.arraySync() as number[][];
    for (const [image, row] of (visible.arraySync() as number[][]).entries()) {
      expect(new Set(row).size).toBe(49);
      // Each visible patch stands where it is read from.
      expect(row.map((patch) => order[image]![patch])).toEqual([...row.keys()]);
      expect([...order[image]!].sort((a, b) => a - b)).toEqual([...Array(196).keys()]);
    }
    expect(valuesOf(draw(1).visible)).toEqual(valuesOf(visible));
    expect(valuesOf(draw(2).visible)).not.toEqual(valuesOf(visible));
    const rows = new Set((visible.arraySync() as number[][]).map(String));
    expect(rows.size).toBe(8);
  });

  it('masks every patch equally often', () => {
    const { mask } = randomMask(key(3), [4000, 16], 4);
    for (const share of valuesOf(mask.mean(0) as Tensor)) expect(Math.abs(share - 0.75)).toBeLessThan(0.03);
  });
});

describe('MAE', () => {
  it('sees nothing of the masked patches', () => {
    const model = method.initialize(key(1), start);
    const { masked, reconstruction } = method.reconstruct!(model, images, key(7));
    const isVisible = patchify(masked, 8).abs().sum(2, true).greater(0).toFloat();
    expect(valuesOf(isVisible.sum(1) as Tensor)).toEqual([4, 4, 4, 4]);
    // Other pixels behind the mask, of the same mean and deviation, change no prediction.
    const reversed = unpatchify(tf.reverse(patchify(images, 8), 2) as Tensor, 8);
    const hidden = unpatchify(
      patchify(images, 8)
        .mul(isVisible)
        .add(patchify(reversed, 8).mul(tf.sub(1, isVisible))) as Tensor,
      8,
    );
    const other = method.reconstruct!(model, hidden, key(7)).reconstruction;
    expect((other.sub(reconstruction).abs().max() as Tensor).dataSync()[0]).toBeLessThan(1e-4);
    // What was seen is shown as it is.
    const difference = patchify(reconstruction.sub(images) as Tensor, 8)
      .mul(isVisible)
      .abs()
      .max();
    expect(difference.dataSync()[0]).toBe(0);
  });

  it('learns to paint what is masked', () => {
    const smooth = tf.tidy(() => {
      const [rows, columns] = [
        tf.linspace(0, 1, 32).reshape([1, 32, 1, 1]),
        tf.linspace(1, 0, 32).reshape([1, 1, 32, 1]),
      ];
      return tf.tile(rows.add(columns.square()), [8, 1, 1, 3]);
    });
    const run = stepper(method, { optimizer: adamw({ betas: [0.9, 0.95], weightDecay: 0.05 }), learningRate: 0.02 });
    const losses = Array.from({ length: 25 }, () => run.take([smooth]).loss!);
    expect(losses[0]).toBeGreaterThan(0.9);
    expect(losses.at(-1)).toBeLessThan(0.6);
  });

  it("keeps positions fixed, the class token's at 0, the first half of the others for the column", () => {
    const run = stepper(method, { optimizer: adamw(), learningRate: 0.01 });
    run.take([images]);
    const { parameters, state } = run.tensors;
    expect(Object.keys(parameters).filter((name) => name.includes('pos_embed'))).toEqual([]);
    expect(valuesOf(state['backbone.pos_embed']!)).toEqual(valuesOf(sineCosinePositions(4, 32)));
    expect(valuesOf(state['decoder.decoder_pos_embed']!)).toEqual(valuesOf(sineCosinePositions(4, 16)));
    const [token, first, right] = state['backbone.pos_embed']!.squeeze([0]).arraySync() as number[][];
    expect(new Set(token)).toEqual(new Set([0]));
    expect(right!.slice(0, 16)).not.toEqual(first!.slice(0, 16));
    expect(right!.slice(16)).toEqual(first!.slice(16));
  });

  it("draws the authors' weights", () => {
    const { parameters } = method.initialize(key(1), start);
    const largest = (name: string) => Math.max(...valuesOf(parameters[name]!.abs() as Tensor));
    const bounds = {
      'backbone.blocks.0.attn.qkv': [32, 96],
      'backbone.patch_embed.proj': [192, 32],
      'decoder.decoder_pred': [16, 192],
    };
    for (const [name, [inputs, outputs]] of Object.entries(bounds)) {
      const bound = Math.sqrt(6 / (inputs! + outputs!));
      expect(largest(`${name}.weight`) / bound, name).toBeGreaterThan(0.98);
      expect(largest(`${name}.weight`) / bound, name).toBeLessThanOrEqual(1);
      // As PyTorch leaves a convolution's.
      if (!name.includes('patch_embed')) expect(largest(`${name}.bias`)).toBe(0);
    }
    const token = valuesOf(parameters['decoder.mask_token']!);
    expect(Math.hypot(...token) / Math.sqrt(token.length)).toBeLessThan(0.04);
    expect(Math.hypot(...token)).toBeGreaterThan(0);
  });

  it('gives features of the whole image, the mean of its patches after the last norm', () => {
    const model = method.encoder(method.initialize(key(1), start));
    const { features, stages } = method.backbone.apply(model, images, { training: false });
    expect(features.shape).toEqual([4, 32]);
    expect(stages[0]!.shape).toEqual([4, 4, 4, 32]);
    const tokens = backbone.encode(model, backbone.embed(model, images), { training: false });
    const mean = tokens.slice([0, 1, 0], [-1, -1, -1]).mean(1) as Tensor;
    expect(relativeError(features, valuesOf(mean))).toBeLessThan(1e-5);
    expect(Object.keys(subTensors(model.parameters, 'decoder'))).toEqual([]);
  });

  it('refuses a mask that leaves nothing, or everything', () => {
    const wrong = (maskRatio: number) => () =>
      mae({
        ...{ backbone, maskRatio, normalizeTargets: true },
        views: method.views[0]!,
        decoder: { width: 16, depth: 1, heads: 2 },
      });
    expect(wrong(0.99)).toThrow(/leaves 0 of 16 patches/);
    expect(wrong(0)).toThrow(/leaves 16 of 16/);
  });
});
