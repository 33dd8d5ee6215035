import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { centerView, imagesFromBytes, normalize } from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import { disposeTensors, type Tensor, tf } from '../../src/engine/index.js';
import { type ClassifySlideOptions, classifySlide, predictedViews } from '../../src/finetune/index.js';
import { resnet } from '../../src/models/index.js';
import { supervised } from '../../src/pretrain/index.js';
import { heatmapOverview, openSlide, readPatches, type Slide, tissueMask } from '../../src/slides/index.js';
import { colorClasses, drawColorSlide, nearestColor, writeColorSlide } from './color-slide.js';

const drawn = drawColorSlide(1100, 700);
let folder: string;
let slide: Slide;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-classify-'));
  await writeColorSlide(join(folder, 'slide.tif'), drawn);
  slide = await openSlide(join(folder, 'slide.tif'));
});
afterAll(async () => {
  await slide.close();
  rmSync(folder, { recursive: true, force: true });
});

const classes = colorClasses.map(({ name }) => name);
const geometry = { micrometers: 50, pixels: 100 };

/** The class whose color is nearest to a tile's mean. */
const nearestMean = (images: Tensor): Tensor => nearestColor(images.mean([1, 2], true)).squeeze([1, 2]);

const classify = (options: Partial<ClassifySlideOptions> = {}, predict = nearestMean) =>
  classifySlide(slide, predict, { classes, geometry, ...options });

describe('classifySlide', () => {
  it('gives the probabilities of the tiles that hold tissue, in rows of the grid', async () => {
    const progress: number[] = [];
    const { index, probabilities, rows } = await classify({ onProgress: (done) => progress.push(done) });
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.length).toBeLessThan(77);
    expect(progress).toEqual(rows.map((_, tile) => tile + 1));
    const channels = colorClasses.map(({ color }) =>
      [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255),
    );
    for (const [tile, row] of rows.entries()) {
      expect([row.x % 100, row.y % 100, row.tissue >= 0.5]).toEqual([0, 0, true]);
      expect([row.x, row.y]).toEqual([index.x[tile], index.y[tile]]);
      const mean = [0, 0, 0];
      for (let pixel = 0; pixel < 100 * 100; pixel++) {
        const label = drawn.labels[(row.y + Math.floor(pixel / 100)) * drawn.width + row.x + (pixel % 100)]!;
        for (const [channel, value] of channels[label]!.entries()) mean[channel]! += value / 100 ** 2;
      }
      const logits = channels.map((rgb) =>
        rgb.reduce((sum, value, channel) => sum - 500 * (value - mean[channel]!) ** 2, 0),
      );
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - Math.max(...logits)), 0);
      for (const [place, name] of classes.entries()) {
        expect(row[name]).toBeCloseTo(Math.exp(logits[place]! - Math.max(...logits)) / total, 3);
        expect(row[name]).toBe(probabilities[tile * classes.length + place]);
      }
    }
  });

  it('gives what a trained network says of the same patches', async () => {
    const backbone = resnet({ depth: 10, width: 0.125 });
    const plain = { dropout: 0, labelSmoothing: 0, weighted: false };
    const method = supervised({ backbone, views: { size: 48 }, ...plain });
    const model = method.initialize(key(1), { labels: Int32Array.of(0, 1, 2, 3), classNames: classes });
    const predictor = { method, model, view: { size: 48, crop: 0.8, colors: backbone.colors } };
    const views = (images: Tensor) => predictedViews(predictor, images, 'flips');
    const { index, probabilities } = await classify({ batchSize: 5 }, views);
    const { images } = await readPatches(slide, index);
    const alone = tf.tidy(() => {
      const whole = imagesFromBytes(images, [index.x.length, 100, 100, 3]);
      const seen = normalize(centerView(whole, { crop: 80, size: 48 }), backbone.colors);
      const flipped = [seen, tf.reverse(seen, [1]), tf.reverse(seen, [2]), tf.reverse(seen, [1, 2])] as Tensor[];
      const each = flipped.map((view) => tf.softmax(method.predict!(model, view)) as Tensor);
      return tf.addN(each).div(4).dataSync<'float32'>();
    });
    expect(Math.max(...probabilities.map((value, place) => Math.abs(value - alone[place]!)))).toBeLessThan(1e-5);
    expect(Math.max(...alone) - Math.min(...alone)).toBeGreaterThan(0.01);
    disposeTensors(model.parameters, model.state);
  });

  it('gives the same whatever the batch size; tiles may overlap', async () => {
    const [one, other] = [await classify({ batchSize: 1 }), await classify({ batchSize: 7 })];
    expect(one.probabilities).toEqual(other.probabilities);
    const dense = await classify({ strideMicrometers: 25 });
    expect(dense.rows.length).toBeGreaterThan(3 * one.rows.length);
    for (const row of one.rows) expect(dense.rows).toContainEqual(row);
  });

  it('draws the probability of a class over the slide, with its scale', async () => {
    const heatmap = await classify({ minimumTissue: 0.9 });
    const { data, info } = await sharp(await heatmap.overview('tumor'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info.width).toBe(900);
    expect(info.height).toBe(Math.round((900 * drawn.height) / drawn.width) + 40);
    const at = ({ x, y }: { x: number; y: number }) => {
      const [column, row] = [x + 50, y + 50].map((place) => Math.round((place * 900) / drawn.width)) as [
        number,
        number,
      ];
      return [...data.subarray(info.channels * (row * 900 + column)).subarray(0, 3)];
    };
    const byProbability = heatmap.rows.toSorted((a, b) => a.tumor! - b.tumor!);
    const [least, most] = [byProbability[0]!, byProbability.at(-1)!];
    expect([least.tumor! < 0.01, most.tumor! > 0.99]).toEqual([true, true]);
    // Yellow has more green than violet, whatever lies below.
    expect(at(most)[1]! - at(least)[1]!).toBeGreaterThan(80);
    // Glass has no tile.
    expect(at({ x: -45, y: -45 })).toEqual([255, 255, 255]);
    await expect(heatmap.overview('fat')).rejects.toThrow(/no class "fat"; there are: stroma, tumor/);
    const broken = heatmapOverview(slide, { x: [0], y: [0], side: 9, values: [Number.NaN] }, { name: 'tumor' });
    await expect(broken).rejects.toThrow(/from 0 to 1; got NaN/);
  });

  it('a slide without tissue has no tiles, and its picture none either', async () => {
    const mask = await tissueMask(slide);
    const never = () => {
      throw new Error('predicted glass');
    };
    const none = await classify({ tissue: { ...mask, data: new Uint8Array(mask.data.length) } }, never);
    expect([none.rows, none.probabilities]).toEqual([[], new Float32Array(0)]);
    expect((await sharp(await none.overview('tumor')).metadata()).width).toBe(900);
  });

  it('stops when it is told to, and says what is wrong with probabilities and classes', async () => {
    const before = tf.memory().numTensors;
    await expect(classify({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'InterruptedError' });
    for (const factor of [Number.NaN, 2]) {
      await expect(classify({}, (images) => nearestMean(images).mul(factor))).rejects.toThrow(
        /probabilities of the tile at \(\d+, \d+\) sum to (NaN|2\.000), not to 1: predict gives softmax outputs, not logits/,
      );
    }
    await expect(classify({ classes: ['a', 'b'] })).rejects.toThrow(
      /predict gave \[16,4\].*should give class probabilities \[16,2\]/,
    );
    await expect(classify({ classes: ['a'] })).rejects.toThrow(/at least two classes are needed; got 1 \(a\)/);
    await expect(classify({ classes: ['a', 'a'] })).rejects.toThrow(/two classes are named "a"/);
    expect(tf.memory().numTensors).toBe(before);
  });
});
