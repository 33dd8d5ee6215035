import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { compileDataset, openShardDataset, readEncoded, type ShardDataset } from '../../src/datasets/index.js';
import { disposeTensors, type Tensor, tf } from '../../src/engine/index.js';
import { classifiedCases } from '../../src/evaluate/index.js';
import { classifySlide, type Predictor } from '../../src/finetune/index.js';
import { BatchSource } from '../../src/input/index.js';
import { type Backbone, resnet, vit } from '../../src/models/index.js';
import { simclr, supervised } from '../../src/pretrain/index.js';
import { showErrors, showHeatmap, showSaliency, showSegmentation } from '../../src/report/index.js';
import { openSlide, tissueMask } from '../../src/slides/index.js';
import { smallDataset } from '../datasets/small-dataset.js';
import { colorClasses, drawColorSlide, nearestColor, writeColorSlide } from '../finetune/color-slide.js';
import { maskDataset } from '../finetune/mask-dataset.js';
import { expectFigure } from './figures.js';
import { type Message, openKernel, saidBy } from './kernel.js';

let folder: string;
let dataset: ShardDataset;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'image-figures-'));
  dataset = await openShardDataset((await compileDataset(await smallDataset(4), { data: folder })).folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The only figure that was shown. */
function figureOf([message, ...others]: readonly Message[]) {
  expect(others).toEqual([]);
  return { png: Buffer.from(message!.data['image/png']!, 'base64'), width: 0, height: 0 };
}

describe('most confident errors', () => {
  /** Right but for every third case, which takes the next class, the surer the later it comes. */
  function cases({ labels, count, classNames }: ShardDataset, wrong: (row: number) => boolean) {
    const classes = classNames.length;
    const probabilities = new Float32Array(count * classes);
    for (let row = 0; row < count; row++) {
      const found = (labels[row]! + Number(wrong(row))) % classes;
      const sure = 0.5 + (0.4 * row) / count;
      for (let label = 0; label < classes; label++) {
        probabilities[row * classes + label] = label === found ? sure : (1 - sure) / (classes - 1);
      }
    }
    const patients = Array.from(labels, (_, row) => `patient ${row % 5}`);
    return classifiedCases({ probabilities, labels, patients, classNames });
  }

  it('have their classes, probability, slide and place, surest first', async () => {
    const shown = openKernel();
    const patches = new BatchSource(dataset, { batchSize: 4 });
    await showErrors(
      cases(dataset, (row) => row % 3 === 0),
      patches,
      { most: 6 },
    );
    const [words] = saidBy(shown);
    const last = dataset.count - 1 - ((dataset.count - 1) % 3);
    const [x, y] = ['x', 'y'].map((name) => Number(dataset.index.get(name, last)).toLocaleString('en-US'));
    const slide = dataset.slides.names[dataset.slides.codes[last]!];
    expect(words).toMatch(
      new RegExp(`^Most confident errors, 6 of ${dataset.count} patches: \\w+, taken for \\w+ \\(8`),
    );
    expect(words).toContain(`; ${slide}, at (${x}, ${y}) px; `);
    await expectFigure(figureOf(shown), 'confident-errors');
  });

  it('may be none, and are refused for other patches', async () => {
    const shown = openKernel();
    const patches = new BatchSource(dataset, { batchSize: 4 });
    const right = cases(dataset, () => false);
    await showErrors(right, patches);
    expect(saidBy(shown)).toEqual([`All ${dataset.count} patches were classified correctly.`]);
    const turned = { dataset, rows: patches.rows.toReversed() };
    await expect(showErrors(right, turned)).rejects.toThrow(
      /case 0 is "\w+", its patch "\w+": give patches in the order/,
    );
    await expect(showErrors(right, { dataset, rows: patches.rows.subarray(1) })).rejects.toThrow(
      /are not predictions of/,
    );
  });
});

describe('saliency', () => {
  const views = { size: 64, crop: { scale: [1, 1], ratio: [1, 1] } } as const;
  const plain = { dropout: 0, labelSmoothing: 0, weighted: false };
  function predictorOf(backbone: Backbone): Predictor {
    const method = supervised({ backbone, views, ...plain });
    const model = method.initialize(key(3), { labels: new Int32Array(4), classNames: dataset.classNames });
    return { method, model, view: { size: 64, colors: backbone.colors } };
  }
  const small = { imageSize: 64, patchSize: 8, width: 24, depth: 2, heads: 3 };

  it.each([
    ['grad-cam', resnet({ depth: 10, width: 0.25 }), 'with its Grad-CAM: '],
    ['attention', vit(small), 'with its attention of the class token in the last block: '],
  ] as const)('%s looks as it did, and leaves no tensors', async (name, backbone, words) => {
    const predictor = predictorOf(backbone);
    const before = tf.memory().numTensors;
    const shown = openKernel();
    await showSaliency(predictor, new BatchSource(dataset, { batchSize: 4 }), { maxPatches: 4 });
    expect(tf.memory().numTensors).toBe(before);
    expect(saidBy(shown)[0]).toContain(words);
    expect(saidBy(shown)[0]).toMatch(/: \w+ predicted \w+ \(\d\d\.\d %\); /);
    await expectFigure(figureOf(shown), name);
    disposeTensors(predictor.model.parameters, predictor.model.state);
  });

  it('is not of a network without a class token, nor of a method without a classifier', async () => {
    const shown = openKernel();
    const patches = new BatchSource(dataset, { batchSize: 4 });
    const predictor = predictorOf(vit({ ...small, pooling: 'mean' }));
    await showSaliency(predictor, patches);
    const method = simclr({ backbone: vit(small), views, hiddenSize: 8, outputSize: 8, temperature: 0.1 });
    await showSaliency({ ...predictor, method }, patches);
    expect(saidBy(shown)).toEqual([
      expect.stringMatching(/^The features of vit .* are the mean of its patches: no class token attends to them\.$/),
      'SimCLR has no classifier, of which a map could be shown.',
    ]);
    disposeTensors(predictor.model.parameters, predictor.model.state);
  });
});

describe('segmentation', () => {
  it('shows masks, predictions and errors, and counts only what counts', async () => {
    const shapes = await maskDataset(2);
    const side = 64;
    const encoded = await Promise.all([0, 1].map((row) => readEncoded(shapes, [row])));
    const masks = await Promise.all(encoded.map(([patch]) => sharp(patch!.mask!).extractChannel(0).raw().toBuffer()));
    const patches = masks.map((of, row) => {
      const mask = Uint8Array.from(of);
      // All is moved by two pixels; the second patch has a border that does not count.
      const predicted = mask.map((_, at) => mask[Math.max(0, at - 2)]!);
      const isBorder = (at: number) => row === 1 && (at % side < 6 || at < 6 * side);
      return { row, width: side, height: side, predicted, mask: mask.map((label, at) => (isBorder(at) ? 255 : label)) };
    });
    const shown = openKernel();
    await showSegmentation(shapes, patches, { ignored: 255 });
    const shares = patches.map(({ mask, predicted }) => {
      const counted = Array.from(mask.keys()).filter((at) => mask[at] !== 255);
      return `${((100 * counted.filter((at) => mask[at] !== predicted[at]).length) / counted.length).toFixed(1)} % wrong`;
    });
    expect(saidBy(shown)).toEqual([`Masks and predictions of 2 patches: ${shares.join(', ')}`]);
    await expectFigure(figureOf(shown), 'segmentation');
  });

  it('may be of no patches', async () => {
    const shown = openKernel();
    await showSegmentation(dataset, []);
    expect(saidBy(shown)).toEqual(['There are no segmented patches to show.']);
  });
});

it('a heatmap is shown with its numbers, or says that there is none', async () => {
  await writeColorSlide(join(folder, 'slide.tif'), drawColorSlide(1100, 700));
  const slide = await openSlide(join(folder, 'slide.tif'));
  try {
    const options = { classes: colorClasses.map(({ name }) => name), geometry: { micrometers: 50, pixels: 100 } };
    const predict = (images: Tensor) => nearestColor(images.mean([1, 2], true)).squeeze<Tensor>([1, 2]);
    const heatmap = await classifySlide(slide, predict, options);
    const shown = openKernel();
    await showHeatmap(heatmap, 'tumor', { slide: 'slide.tif' });
    const best = heatmap.rows.reduce((one, other) => (other.tumor! > one.tumor! ? other : one));
    const [words] = saidBy(shown);
    expect(words).toContain(`Probability of tumor on slide.tif: ${heatmap.rows.length} tiles, mean `);
    expect(words).toContain(`at (${best.x}, ${best.y}) px`);
    expect(figureOf(shown).png.equals(Buffer.from(await heatmap.overview('tumor')))).toBe(true);
    const mask = await tissueMask(slide);
    const glass = { ...mask, data: new Uint8Array(mask.data.length) };
    await showHeatmap(await classifySlide(slide, predict, { ...options, tissue: glass }), 'tumor', {
      slide: 'slide.tif',
    });
    expect(saidBy(shown)[1]).toBe('No tile of slide.tif has enough tissue for a heatmap.');
  } finally {
    await slide.close();
  }
});
