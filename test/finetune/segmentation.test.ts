import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyMaskViews,
  applyViews,
  imagesOfDecoded,
  normalize,
  segmentationViews,
  type ViewRecipe,
} from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import type { ShardDataset } from '../../src/datasets/index.js';
import { crossEntropy, disposeTensors, subTensors, type Tensors, tf } from '../../src/engine/index.js';
import { SegmentationCounts, segmentationReport } from '../../src/evaluate/index.js';
import {
  diceLoss,
  fineTune,
  PatchSegmenter,
  predictPatches,
  type SegmentationOptions,
  segmentation,
} from '../../src/finetune/index.js';
import { BatchSource, countMaskPixels, inverseFrequencies } from '../../src/input/index.js';
import { type ModelTensors, resnet, segmenter, vit } from '../../src/models/index.js';
import { drawViews, type MethodStart, objectiveOf, type PretrainSettings } from '../../src/pretrain/index.js';
import { adamw, singleReplica, trainingStep } from '../../src/training/index.js';
import { maskDataset } from './mask-dataset.js';

const backbone = resnet({ depth: 10, width: 0.125 });
const network = segmenter({ backbone, head: 'pyramid', classes: 3, dropout: 0 });
const plain: SegmentationOptions = {
  ...{ backbone, head: 'pyramid', dropout: 0, views: { size: 64 }, loss: 'both', weighted: false },
};
const settings: PretrainSettings = {
  ...{ seed: 1, steps: 6, optimizer: 'adamw', learningRate: 0.01, warmup: 0, weightDecay: 0 },
  ...{ precision: 'float32', evaluationCrop: 1 },
};

let top: string;
let dataset: ShardDataset;
let source: BatchSource;
let start: MethodStart;
beforeAll(async () => {
  top = mkdtempSync(join(tmpdir(), 'segmentation-'));
  dataset = await maskDataset(8);
  source = new BatchSource(dataset, { batchSize: 8, key: key('order'), masks: true });
  start = { labels: source.labels, classNames: dataset.classNames, pixels: await countMaskPixels(dataset) };
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

const batchOf = async (views: ViewRecipe): Promise<Tensors> => ({
  ...(await source.load(0)),
  ...drawViews([views], source, key('views')),
});
const context = { random: key('step'), scheduled: { learningRate: tf.scalar(0) }, replicas: singleReplica };
const objective = (options: SegmentationOptions, from: Pick<BatchSource, 'decode'> = source) =>
  objectiveOf(segmentation(options), from, { start, length: { steps: 1, stepsPerEpoch: 1 } });
const modelOf = (options = plain) => objective(options).initialize(key(1));
/** A source whose masks hold other values. */
const withMasks = (change: (masks: tf.Tensor) => tf.Tensor) => ({
  decode: (loaded: Tensors) => {
    const decoded = source.decode(loaded);
    return { ...decoded, masks: change(decoded.masks!) };
  },
});

/** Loss and accuracy of one pass. */
function lossOf(options: SegmentationOptions, model: ModelTensors, batch: Tensors, from?: Pick<BatchSource, 'decode'>) {
  const { loss, metrics } = objective(options, from).loss(model, batch, context);
  return { loss: loss.dataSync()[0]!, accuracy: metrics!.accuracy!.dataSync()[0]! };
}

describe('segmentation', () => {
  it('learns eight patches by heart', async () => {
    const flips = { horizontal: 0.5, vertical: 0.5 };
    const { predictor, model } = await fineTune(segmentation({ ...plain, views: { size: 64, flips } }), {
      ...{ settings: { ...settings, steps: 60 }, batches: source },
    });
    const counts = new SegmentationCounts({ classNames: dataset.classNames });
    const patches = new PatchSegmenter(predictor);
    const inOrder = new BatchSource(dataset, { batchSize: 5, masks: true });
    for await (const { row, ...image } of patches.segment(model, inOrder)) {
      counts.add({ ...image, name: `patch ${row}`, patient: dataset.patients.names[dataset.patients.codes[row]!]! });
    }
    const { metrics } = segmentationReport(counts.results());
    expect(metrics.macroDice.value).toBeGreaterThan(0.9);
    patches.dispose();
    disposeTensors(model.parameters, model.state);
  }, 60_000);

  it('is what its network says of views of images, against the same views of masks', async () => {
    const views = { ...segmentationViews(48), crop: { scale: [0.3, 1], ratio: [0.75, 1.3] } } as const;
    const batch = await batchOf(views);
    const model = modelOf();
    const { images, masks } = source.decode(batch);
    const drawn = subTensors(batch, 'view0.');
    const { outputs } = network.apply(model, normalize(applyViews(images, drawn, views), backbone.colors), {
      training: true,
    });
    const classes = applyMaskViews(masks!, drawn, 48);
    const classWeights = tf.tensor1d(inverseFrequencies(start.pixels!));
    const expected = {
      'cross-entropy': crossEntropy(outputs, classes, { classWeights }).dataSync()[0]!,
      dice: diceLoss(outputs, classes).dataSync()[0]!,
    };
    const weighted = { ...plain, views, weighted: true };
    for (const loss of ['cross-entropy', 'dice'] as const) {
      expect(lossOf({ ...weighted, loss }, modelOf(weighted), batch).loss).toBeCloseTo(expected[loss], 5);
    }
    const both = lossOf(weighted, modelOf(weighted), batch);
    expect(both.loss).toBeCloseTo(expected['cross-entropy'] + expected.dice, 5);
    expect(both.accuracy).toBeCloseTo(outputs.argMax(-1).toInt().equal(classes).toFloat().mean().dataSync()[0]!, 5);
    const { loss } = lossOf({ ...plain, views, loss: 'cross-entropy' }, model, batch);
    expect(loss).toBeCloseTo(crossEntropy(outputs, classes).dataSync()[0]!, 5);
    expect(loss).not.toBeCloseTo(expected['cross-entropy'], 3);
  });

  it('leaves ignored pixels out, also where there are no others', async () => {
    const ignoring = { ...plain, weighted: true, ignore: 255 };
    const model = modelOf(ignoring);
    const batch = await batchOf(plain.views);
    const { images, masks } = source.decode(batch);
    const background = withMasks((masks) => tf.where(masks.equal(0), tf.fill(masks.shape, 255, 'int32'), masks));
    const { outputs } = network.apply(model, normalize(imagesOfDecoded(images), backbone.colors), { training: true });
    const counts = masks!.notEqual(0).toFloat();
    const right = outputs.argMax(-1).toInt().equal(masks!).toFloat().mul(counts);
    const found = lossOf(ignoring, model, batch, background);
    expect(found.accuracy).toBeCloseTo(right.sum().div(counts.sum()).dataSync()[0]!, 5);
    const classWeights = tf.tensor1d(inverseFrequencies(start.pixels!));
    const expected = crossEntropy(outputs, masks!, { ignoreLabel: 0, classWeights }).add(
      diceLoss(outputs, masks!, { ignore: 0 }),
    );
    expect(found.loss).toBeCloseTo(expected.dataSync()[0]!, 5);

    const optimizer = adamw({ weightDecay: 0 });
    const nothing = withMasks((masks) => tf.fill(masks.shape, 255, 'int32'));
    const step = trainingStep(objective(ignoring, nothing), optimizer);
    const tensors = { ...model, optimizer: optimizer.initialize(model.parameters) };
    const after = step(tensors, batch, { learningRate: tf.scalar(0.1) }, key(1));
    const value = (name: string) => after.metrics[name]!.dataSync()[0];
    expect([value('loss'), value('gradientNorm'), value('accuracy')]).toEqual([0, 0, 0]);
    for (const [name, tensor] of Object.entries(after.tensors.parameters)) {
      expect(tensor.dataSync(), name).toEqual(model.parameters[name]!.dataSync());
    }
  });

  it('gives a class that no mask has no weight, and stays finite', async () => {
    const pixels = start.pixels!.slice();
    pixels[2] = 0;
    const weighted = segmentation({ ...plain, weighted: true });
    const model = weighted.initialize(key(1), { ...start, pixels });
    expect(model.state['loss.weight']!.dataSync()[2]).toBe(0);
    const batch = await batchOf(plain.views);
    const without = withMasks((masks) => masks.minimum(1).toInt());
    const { loss } = lossOf({ ...plain, weighted: true }, model, batch, without);
    expect(loss).toBeGreaterThan(0);
    expect(loss).toBeLessThan(10);
    const none = { ...start, pixels: new Float64Array(3) };
    expect(() => weighted.initialize(key(1), none)).toThrow(/no pixel of the masks has a class/);
  });

  it('begins with the backbone that it is given, and a head of its own', () => {
    const weights = backbone.initialize(key('pretrained'));
    const method = segmentation(plain);
    const { parameters } = method.initialize(key(1), { ...start, backbone: weights });
    for (const [name, tensor] of Object.entries(weights.parameters)) {
      expect(parameters[`backbone.${name}`]!.dataSync()).toEqual(tensor.dataSync());
    }
    const drawn = method.initialize(key(1), start).parameters;
    expect(drawn['classifier.linear_pred.weight']!.dataSync()).toEqual(
      parameters['classifier.linear_pred.weight']!.dataSync(),
    );
    expect(drawn['backbone.conv1.weight']!.dataSync()).not.toEqual(parameters['backbone.conv1.weight']!.dataSync());
  });

  it('ends with the same bits after an interrupt as without one', async () => {
    const method = segmentation({ ...plain, views: segmentationViews(48), weighted: true, ignore: 255 });
    const train = (folder: string, signal?: AbortSignal, onStep?: () => void) =>
      fineTune(method, {
        ...{ settings, batches: source, signal },
        checkpoint: { folder: join(top, folder), everySteps: 2, identity: { test: 'resume' } },
        onEvent: ({ kind }) => void (kind === 'step' && onStep?.()),
      });
    const whole = await train('whole');
    const stop = new AbortController();
    let steps = 0;
    await expect(train('parts', stop.signal, () => ++steps === 3 && stop.abort())).rejects.toThrow(/interrupted/);
    const parts = await train('parts');
    for (const part of ['parameters', 'state'] as const) {
      for (const [name, tensor] of Object.entries(whole.model[part])) {
        expect(parts.model[part][name]!.dataSync(), name).toEqual(tensor.dataSync());
      }
    }
    for (const { model } of [whole, parts]) disposeTensors(model.parameters, model.state);
  });

  it('predicts every px of whole patches, whatever the size of its views', async () => {
    const method = segmentation({ ...plain, views: segmentationViews(32) });
    const model = method.initialize(key(1), start);
    const predictor = { method, model, view: { size: 64, colors: backbone.colors } };
    const inOrder = new BatchSource(dataset, { batchSize: 3, masks: true });
    const { values, classes, count } = await predictPatches(predictor, inOrder);
    expect([count, classes, values.length]).toEqual([8, 3, 8 * 64 * 64 * 3]);
    const patches = new PatchSegmenter({ ...predictor, view: { colors: backbone.colors } });
    let patch = 0;
    for await (const { row, predicted, mask } of patches.segment(model, inOrder)) {
      expect(row).toBe(patch);
      expect([predicted.length, mask.length]).toEqual([64 * 64, 64 * 64]);
      for (let px = 0; px < predicted.length; px += 97) {
        const own = values.subarray((patch * 64 * 64 + px) * 3, (patch * 64 * 64 + px) * 3 + 3);
        expect(own[predicted[px]!]).toBe(Math.max(...own));
      }
      patch++;
    }
    expect(patch).toBe(8);
    const without = new BatchSource(dataset, { batchSize: 3 });
    await expect(patches.segment(model, without).next()).rejects.toThrow(/make the BatchSource with masks: true/);
    patches.dispose();
    disposeTensors(model.parameters, model.state);
  });

  it('takes micro-batches where its loss is a mean over pixels, and then learns as from the whole', async () => {
    // Without batch norm, whose statistics would be each part's own.
    const transformer = vit({ imageSize: 64, patchSize: 16, width: 24, depth: 1, heads: 3 });
    const linear = { ...plain, backbone: transformer, head: 'linear', loss: 'cross-entropy' } as const;
    const make = (changes: Partial<SegmentationOptions>, microBatches: number) =>
      trainingStep(objective({ ...linear, ...changes }), adamw(), { microBatches });
    const model = modelOf(linear);
    const batch = await batchOf(plain.views);
    const norms = [1, 4].map((parts) => {
      const tensors = { ...model, optimizer: adamw().initialize(model.parameters) };
      return make({}, parts)(
        tensors,
        batch,
        { learningRate: tf.scalar(0) },
        key(1),
      ).metrics.gradientNorm!.dataSync()[0]!;
    });
    expect(norms[1]! / norms[0]!).toBeCloseTo(1, 4);
    expect(() => make({ loss: 'both' }, 4)).toThrow(/Dice is of all pixels of a batch together/);
    expect(() => make({ weighted: true }, 4)).toThrow(/a mean over the whole batch's weights/);
    expect(() => make({ ignore: 255 }, 4)).toThrow(/a mean over those that do/);
  });

  it('refuses what does not fit, and names the patch whose mask does not', async () => {
    const tooSmall = segmentation({ ...plain, ignore: 2 });
    expect(() => tooSmall.initialize(key(1), start)).toThrow(/a byte that is no class, 3 to 255; got 2/);
    const flat = vit({ imageSize: 64, patchSize: 16, width: 24, depth: 1, heads: 3 });
    expect(() => segmentation({ ...plain, backbone: flat, head: 'other' as never })).toThrow(
      /no segmentation head "other"/,
    );
    expect(() =>
      segmentation({ ...plain, weighted: true }).initialize(key(1), { ...start, pixels: undefined }),
    ).toThrow(/counts of their pixels, and there are none/);
    const without = new BatchSource(dataset, { batchSize: 8, key: key('order') });
    await expect(fineTune(segmentation(plain), { settings, batches: without })).rejects.toThrow(
      /Segmentation learns from masks: make the BatchSource with masks: true/,
    );
    const fewer = { ...dataset, classNames: dataset.classNames.slice(0, 2) };
    const wrong = new BatchSource(fewer, { batchSize: 8, key: key('order'), masks: true });
    await expect(fineTune(segmentation(plain), { settings, batches: wrong })).rejects.toThrow(
      /the mask of patch \d+ of .* has the value 2 at row \d+, column \d+/,
    );
  });
});
