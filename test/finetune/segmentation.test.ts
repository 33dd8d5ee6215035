import { beforeAll, describe, expect, it } from 'vitest';
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
import { compile, crossEntropy, disposeTensors, type Tensors, tf } from '../../src/engine/index.js';
import { diceLoss, type SegmentationOptions, segmentation } from '../../src/finetune/index.js';
import { BatchSource, countMaskPixels, inverseFrequencies } from '../../src/input/index.js';
import { type ModelTensors, resnet, segmenter, vit } from '../../src/models/index.js';
import { drawViews } from '../../src/pretrain/index.js';
import { adamw, cosine, singleReplica, train, trainingStep } from '../../src/training/index.js';
import { maskDataset } from './mask-dataset.js';

const backbone = resnet({ depth: 10, width: 0.125 });
const network = segmenter({ backbone, head: 'pyramid', classes: 3, dropout: 0 });
const plain: SegmentationOptions = { network, views: { size: 64 }, loss: 'both' };

let dataset: ShardDataset;
let source: BatchSource;
beforeAll(async () => {
  dataset = await maskDataset(8);
  source = new BatchSource(dataset, { batchSize: 8, key: key('order'), masks: true });
});

const batchOf = async (views: ViewRecipe, step = 0, from = source): Promise<Tensors> => ({
  ...(await from.load(step)),
  ...drawViews([views], from, key('views').fold(step)),
});
const context = { random: key('step'), scheduled: { learningRate: tf.scalar(0) }, replicas: singleReplica };

/** Loss and accuracy of one pass. */
function lossOf(options: SegmentationOptions, model: ModelTensors, batch: Tensors) {
  const { loss, metrics } = segmentation(options, source).loss(model, batch, context);
  return { loss: loss.dataSync()[0]!, accuracy: metrics!.accuracy!.dataSync()[0]! };
}

describe('segmentation', () => {
  it('learns eight patches by heart', async () => {
    const objective = segmentation(
      { ...plain, views: { size: 64, flips: { horizontal: 0.5, vertical: 0.5 } } },
      source,
    );
    const steps = 60;
    const { tensors } = await train({
      objective,
      ...{ steps, imagesPerStep: 8, key: key('training'), optimizer: adamw() },
      schedules: { learningRate: cosine({ from: 0.01, to: 0, steps }) },
      batch: (step) => batchOf({ size: 64, flips: { horizontal: 0.5, vertical: 0.5 } }, step),
    });
    const loaded = await source.load(0);
    const dice = compile(function meanDice(model: ModelTensors, loaded: Tensors) {
      const { images, masks } = source.decode(loaded);
      const { outputs } = network.apply(model, normalize(imagesOfDecoded(images), backbone.colors), {
        training: false,
      });
      // Of what is predicted, and not of probabilities.
      const sure = tf.oneHot(outputs.argMax(-1).toInt(), 3).toFloat().mul(100);
      return tf.sub(1, diceLoss(sure, masks!));
    });
    expect((await dice(tensors, loaded)).dataSync()[0]).toBeGreaterThan(0.9);
    dice.dispose();
    disposeTensors(loaded, tensors.parameters, tensors.state, tensors.optimizer);
  }, 60_000);

  it('is what its network says of views of images, against the same views of masks', async () => {
    const views = { ...segmentationViews(48), crop: { scale: [0.3, 1], ratio: [0.75, 1.3] } } as const;
    const batch = await batchOf(views);
    const model = network.initialize(key(1));
    const { images, masks } = source.decode(batch);
    const drawn = Object.fromEntries(
      Object.entries(batch).flatMap(([name, tensor]) => (name.startsWith('view0.') ? [[name.slice(6), tensor]] : [])),
    );
    const { outputs } = network.apply(model, normalize(applyViews(images, drawn, views), backbone.colors), {
      training: true,
    });
    const classes = applyMaskViews(masks!, drawn, 48);
    const classWeights = inverseFrequencies(await countMaskPixels(dataset));
    const expected = {
      'cross-entropy': crossEntropy(outputs, classes, { classWeights: tf.tensor1d(classWeights) }).dataSync()[0]!,
      dice: diceLoss(outputs, classes).dataSync()[0]!,
    };
    for (const loss of ['cross-entropy', 'dice'] as const) {
      expect(lossOf({ ...plain, views, loss, classWeights }, model, batch).loss).toBeCloseTo(expected[loss], 5);
    }
    const both = lossOf({ ...plain, views, classWeights }, model, batch);
    expect(both.loss).toBeCloseTo(expected['cross-entropy'] + expected.dice, 5);
    expect(both.accuracy).toBeCloseTo(outputs.argMax(-1).toInt().equal(classes).toFloat().mean().dataSync()[0]!, 5);
    const { loss } = lossOf({ ...plain, views, loss: 'cross-entropy' }, model, batch);
    expect(loss).not.toBeCloseTo(expected['cross-entropy'], 3);
  });

  it('leaves a class out that does not count, also where there is no other', async () => {
    const model = network.initialize(key(1));
    const batch = await batchOf(plain.views);
    const { images, masks } = source.decode(batch);
    const only = (numbers: number[]) => ({
      decode: () => ({
        images,
        labels: batch.labels!,
        masks: numbers.length === 1 ? masks!.mul(0).add(numbers[0]!).toInt() : masks!,
      }),
    });
    const { outputs } = network.apply(model, normalize(imagesOfDecoded(images), backbone.colors), { training: true });
    const counts = masks!.notEqual(0).toFloat();
    const right = outputs.argMax(-1).toInt().equal(masks!).toFloat().mul(counts);
    const found = lossOf({ ...plain, ignore: 0 }, model, batch);
    expect(found.accuracy).toBeCloseTo(right.sum().div(counts.sum()).dataSync()[0]!, 5);
    const expected = crossEntropy(outputs, masks!, { ignoreLabel: 0 }).add(diceLoss(outputs, masks!, { ignore: 0 }));
    expect(found.loss).toBeCloseTo(expected.dataSync()[0]!, 5);

    const optimizer = adamw({ weightDecay: 0 });
    const step = trainingStep(segmentation({ ...plain, ignore: 0 }, only([0])), optimizer);
    const tensors = { ...model, optimizer: optimizer.initialize(model.parameters) };
    const after = step(tensors, batch, { learningRate: tf.scalar(0.1) }, key(1));
    const value = (name: string) => after.metrics[name]!.dataSync()[0];
    expect([value('loss'), value('gradientNorm'), value('accuracy')]).toEqual([0, 0, 0]);
    for (const [name, tensor] of Object.entries(after.tensors.parameters)) {
      expect(tensor.dataSync(), name).toEqual(model.parameters[name]!.dataSync());
    }
  });

  it('begins with the backbone that it is given, and a head of its own', () => {
    const weights = backbone.initialize(key('pretrained'));
    const { parameters } = segmentation(plain, source, weights).initialize(key(1));
    for (const [name, tensor] of Object.entries(weights.parameters)) {
      expect(parameters[`backbone.${name}`]!.dataSync()).toEqual(tensor.dataSync());
    }
    const drawn = segmentation(plain, source).initialize(key(1)).parameters;
    expect(drawn['classifier.linear_pred.weight']!.dataSync()).toEqual(
      parameters['classifier.linear_pred.weight']!.dataSync(),
    );
    expect(drawn['backbone.conv1.weight']!.dataSync()).not.toEqual(parameters['backbone.conv1.weight']!.dataSync());
  });

  it('takes micro-batches where its loss is a mean over pixels, and then learns as from the whole', async () => {
    // Without batch norm, whose statistics would be each part's own.
    const transformer = vit({ imageSize: 64, patchSize: 16, width: 24, depth: 1, heads: 3 });
    const linear = segmenter({ backbone: transformer, head: 'linear', classes: 3 });
    const make = (changes: Partial<SegmentationOptions>, microBatches: number) =>
      trainingStep(segmentation({ ...plain, network: linear, loss: 'cross-entropy', ...changes }, source), adamw(), {
        microBatches,
      });
    const model = linear.initialize(key(1));
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
    expect(() => make({ classWeights: [1, 2, 3] }, 4)).toThrow(/a mean over the whole batch's weights/);
    expect(() => make({ ignore: 0 }, 4)).toThrow(/a mean over those that do/);
  });

  it('refuses what does not fit its classes, and batches without masks', async () => {
    expect(() => segmentation({ ...plain, ignore: 3 }, source)).toThrow(/number of a class, 0 to 2; got 3/);
    expect(() => segmentation({ ...plain, classWeights: [1, 2] }, source)).toThrow(/3 numbers of 0 and more.*got 1,2/);
    expect(() => segmentation({ ...plain, classWeights: [1, 2, Number.NaN] }, source)).toThrow(/got 1,2,NaN/);
    const without = new BatchSource(dataset, { batchSize: 8, key: key('order') });
    const batch = await batchOf(plain.views, 0, without);
    expect(() => segmentation(plain, without).loss(network.initialize(key(1)), batch, context)).toThrow(
      /make the BatchSource with masks: true/,
    );
  });
});
