import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { elementsOf, gradients, mapTensors, type Tensor, type Tensors, tf } from '../../src/engine/index.js';
import {
  type Backbone,
  backbone,
  efficientnet,
  fromTorch,
  type ModelTensors,
  resnet,
  type SegmentationHeadName,
  segmenter,
  toTorch,
  vit,
} from '../../src/models/index.js';
import { deeplabV3 } from '../../src/models/segmentation/deeplab-v3.js';
import { fcn } from '../../src/models/segmentation/fcn.js';
import type { SegmentationHead } from '../../src/models/segmentation/head.js';
import { linear } from '../../src/models/segmentation/linear.js';
import { pyramid } from '../../src/models/segmentation/pyramid.js';
import { disagreement } from './digest.js';
import { torchSegmentation, uniform, weightOf } from './torch-segmentation.js';

const classes = 5;
const smallVit = vit({ imageSize: 32, patchSize: 8, width: 24, depth: 1, heads: 3 });
const narrow = resnet({ depth: 18, width: 1 / 16 });
const narrowDilated = resnet({ depth: 50, width: 1 / 64, dilated: true });

/** Each without dropout, which draws at random. */
const heads: Record<string, SegmentationHead> = {
  fcn: fcn(narrow, classes, 0),
  deeplabv3: deeplabV3(narrowDilated, classes, 0),
  'deeplabv3, larger': deeplabV3(narrowDilated, classes, 0),
  linear: linear(smallVit, classes, 0),
  'pyramid of one map': pyramid(smallVit, classes, 0),
  'pyramid of four maps': pyramid(narrow, classes, 0),
};

/** A step whose loss wants the logits to be a pattern, with the gradients of the maps too. */
function trained(head: SegmentationHead, model: ModelTensors, maps: Tensors) {
  return gradients({ ...model.parameters, ...maps }, (tensors) => {
    const own = Object.keys(maps).map((name) => tensors[name]!);
    const parameters = mapTensors(model.parameters, (_, name) => tensors[name]!);
    const { logits, state } = head.apply({ parameters, state: model.state }, own, { training: true });
    return { loss: logits.sub(uniform('pattern', logits.shape)).square().mean(), extra: { logits, ...state } };
  });
}

describe.each(Object.keys(torchSegmentation.heads))(
  "the head %s, with torchvision's or its papers' arithmetic",
  (name) => {
    const reference = torchSegmentation.heads[name]!;
    const head = heads[name]!;
    const model = () =>
      fromTorch(
        Object.fromEntries(Object.entries(reference.shapes).map(([name, shape]) => [name, weightOf(name, shape)])),
      );
    const maps = () => Object.fromEntries(reference.maps.map((shape, at) => [`map${at}`, uniform(`map${at}`, shape)]));
    it('has its names and shapes', () => {
      tf.tidy(() => {
        const shapes = mapTensors(toTorch(head.initialize(key(0))), (tensor) => tensor);
        expect(Object.fromEntries(Object.entries(shapes).map(([name, { shape }]) => [name, shape]))).toEqual(
          reference.shapes,
        );
      });
    });

    it('gives its logits, gradients and statistics', () => {
      tf.tidy(() => {
        const inference = head.apply(model(), Object.values(maps()), { training: false });
        expect(disagreement(inference.logits, reference.inference)).toBeLessThan(1e-4);
        const { gradients, extra } = trained(head, model(), maps());
        const { logits, ...statistics } = extra;
        expect(disagreement(logits!, reference.training)).toBeLessThan(1e-4);
        expect(Object.keys(statistics).sort()).toEqual(Object.keys(reference.statistics).sort());
        for (const [name, digest] of Object.entries(reference.statistics)) {
          expect(disagreement(statistics[name]!, digest), name).toBeLessThan(1e-4);
        }
        const own = (isMap: boolean) =>
          Object.fromEntries(Object.entries(gradients).filter(([name]) => name.startsWith('map') === isMap));
        // The maps' stand in the fixture as they are.
        const all: Tensors = { ...toTorch({ parameters: own(false), state: {} }), ...own(true) };
        expect(Object.keys(all).sort()).toEqual(Object.keys(reference.gradients).sort());
        // Before a batch norm the gradient of a bias is 0 but for rounding, and has no size of its own.
        const floor = 1e-4 * Math.max(...Object.values(reference.gradients).map(([norm]) => norm!));
        for (const [name, digest] of Object.entries(reference.gradients)) {
          // In float32 a rectifier whose input is all but 0 may be on the other side.
          expect(disagreement(all[name]!, digest, floor), name).toBeLessThan(2e-3);
        }
      });
    });
  },
);

describe('segmenter', () => {
  const images = (size: [number, number], batch = 2) => uniform('images', [batch, ...size, 3]);

  it.each(Object.keys(torchSegmentation.networks))(
    "gives torchvision's logits: %s",
    (name) => {
      const reference = torchSegmentation.networks[name]!;
      const [head, network] = name.split(' ') as [SegmentationHeadName, string];
      tf.tidy(() => {
        const made = segmenter({ backbone: backbone(network), head, classes });
        const drawn = toTorch(made.initialize(key(0)));
        const model = fromTorch(mapTensors(drawn, ({ shape }, name) => weightOf(name, shape)));
        expect(elementsOf(model.parameters)).toBe(reference.parameters);
        const { outputs } = made.apply(model, images([72, 56]), { training: false });
        expect(outputs.shape).toEqual([2, 72, 56, classes]);
        expect(disagreement(outputs, reference.logits)).toBeLessThan(1e-4);
      });
    },
    60_000,
  );

  const fitting: [SegmentationHeadName, Backbone, [number, number]][] = [
    ['fcn', narrow, [50, 37]],
    ['fcn', smallVit, [32, 48]],
    ['fcn', efficientnet({ variant: 'lite0' }), [64, 40]],
    ['deeplabv3', narrowDilated, [40, 56]],
    ['deeplabv3', smallVit, [32, 48]],
    ['linear', narrow, [50, 37]],
    ['linear', smallVit, [32, 48]],
    ['pyramid', narrow, [64, 75]],
    ['pyramid', smallVit, [32, 48]],
    ['pyramid', efficientnet({ variant: 'lite0' }), [64, 40]],
  ];
  it.each(fitting)('%s (case %#) gives logits of the images’ own size, in training too', (head, backbone, size) => {
    const network = segmenter({ backbone, head, classes: 3 });
    tf.tidy(() => {
      const model = network.initialize(key(1));
      for (const training of [true, false]) {
        const { outputs, features, state } = network.apply(model, images(size), { training, key: key(2) });
        expect(outputs.shape).toEqual([2, ...size, 3]);
        expect(features.shape).toEqual([2, backbone.featureSize]);
        expect(Object.keys(state).sort()).toEqual(Object.keys(model.state).sort());
        expect(outputs.isFinite().all().dataSync()[0]).toBe(1);
      }
    });
  });

  it.each(fitting)('%s (case %#) trains every parameter', (head, backbone, size) => {
    const network = segmenter({ backbone, head, classes: 3 });
    tf.tidy(() => {
      const { parameters, state } = network.initialize(key(0));
      const lossOf = (parameters: Tensors) => {
        const { outputs } = network.apply({ parameters, state }, images(size), { training: true, key: key(1) });
        return { loss: outputs.square().mean() as Tensor };
      };
      // It throws for one that the loss does not depend on.
      expect(Object.keys(gradients(parameters, lossOf).gradients)).toEqual(Object.keys(parameters));
    });
  });

  it.each(fitting)("knows its backbone's maps (case %#)", (_, backbone, size) => {
    tf.tidy(() => {
      const { stages } = backbone.apply(backbone.initialize(key(0)), images(size), { training: false });
      const shapes = backbone.maps!.map(({ channels, stride }) => [
        2,
        ...size.map((px) => Math.ceil(px / stride)),
        channels,
      ]);
      expect(stages.map(({ shape }) => shape)).toEqual(shapes);
    });
  });

  it('drops in training as its key says, and not in inference', () => {
    const network = segmenter({ backbone: narrow, head: 'fcn', classes, dropout: 0.5 });
    tf.tidy(() => {
      const model = network.initialize(key(1));
      const run = (training: boolean, seed: number) =>
        network.apply(model, images([32, 32]), { training, key: key(seed) }).outputs.dataSync();
      expect(run(true, 1)).toEqual(run(true, 1));
      expect(run(true, 1)).not.toEqual(run(true, 2));
      expect(run(false, 1)).toEqual(run(false, 2));
      expect(() => network.apply(model, images([32, 32]), { training: true })).toThrow(
        /dropout takes a key in training/,
      );
      const without = segmenter({ backbone: narrow, head: 'fcn', classes, dropout: 0 });
      expect(() => without.apply(model, images([32, 32]), { training: true })).not.toThrow();
    });
  });

  it('of DeepLab v3 takes no single image in training: the mean of its map has no variance', () => {
    const network = segmenter({ backbone: narrowDilated, head: 'deeplabv3', classes });
    tf.tidy(() => {
      const model = network.initialize(key(1));
      const run = (training: boolean) => () => network.apply(model, images([32, 32], 1), { training, key: key(1) });
      expect(run(true)).toThrow(/batch norm in training needs more than one value a channel/);
      expect(run(false)).not.toThrow();
    });
  });

  it('starts from a key alone, and from a copy of the weights that it is given', () => {
    const network = segmenter({ backbone: narrow, head: 'pyramid', classes });
    tf.tidy(() => {
      const name = 'classifier.linear_c2.proj.weight';
      const [one, same, other] = [1, 1, 2].map((seed) => network.initialize(key(seed)).parameters[name]!.dataSync());
      expect(one).toEqual(same);
      expect(one).not.toEqual(other);
      const weights = narrow.initialize(key('pretrained'));
      const { parameters } = network.initialize(key(1), weights);
      expect(parameters['backbone.conv1.weight']!.dataSync()).toEqual(weights.parameters['conv1.weight']!.dataSync());
      expect(parameters['backbone.conv1.weight']).not.toBe(weights.parameters['conv1.weight']);
    });
  });

  it('treats each image by itself in inference', () => {
    const network = segmenter({ backbone: smallVit, head: 'pyramid', classes });
    tf.tidy(() => {
      const model = network.initialize(key(1));
      const run = (images: Tensor) => network.apply(model, images, { training: false }).outputs;
      const together = run(images([32, 32])).slice([1], [1]);
      const alone = run(images([32, 32]).slice([1], [1]));
      expect(together.sub(alone).abs().max().dataSync()[0]).toBeLessThan(1e-5);
    });
  });

  it('refuses backbones whose maps do not fit, and names those that do', () => {
    const make = (name: string, head: SegmentationHeadName) => () =>
      segmenter({ backbone: backbone(name), head, classes });
    expect(make('resnet50', 'deeplabv3')).toThrow(
      'the deeplabv3 head takes a last map of stride 8; resnet50 has strides 4, 8, 16, 32. Backbones that fit: resnet50_dilated',
    );
    expect(make('resnet50_dilated', 'pyramid')).toThrow(
      /strides 4, 8, 16 and 32, or a single one; resnet50_dilated has strides 4, 8, 8, 8\. .* fit: resnet18, resnet50, resnetv2/,
    );
    for (const head of ['fcn', 'linear', 'pyramid', 'deeplabv3'] as const) {
      expect(make('inception_v3', head)).toThrow(
        /inception_v3 has no map of the whole image\. Backbones that fit: resnet/,
      );
    }
    expect(make('resnet18', 'unet' as 'fcn')).toThrow(
      /no segmentation head "unet"; known are fcn, deeplabv3, linear, pyramid/,
    );
    expect(() => segmenter({ backbone: narrow, head: 'fcn', classes: 1 })).toThrow(/two classes at least; got 1/);
  });
});
