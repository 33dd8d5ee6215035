import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { elementsOf, type Tensor, tf } from '../../src/engine/index.js';
import {
  type Backbone,
  backbone,
  backboneNames,
  efficientnet,
  inceptionV3,
  modelFacts,
  resnet,
  vit,
  vitLarge16,
  vitSmall16,
} from '../../src/models/index.js';
import { hashUniform } from '../fixtures/hash-uniform.js';
import { timmBackbones } from './timm-backbones.js';
import { expectTimmShapes, expectTimmValues } from './timm-reference.js';

describe.each(Object.entries(timmBackbones))("%s with timm's or torchvision's weights", (name, backbone) => {
  it('has its names and shapes', () => expectTimmShapes(backbone, name));
  it('gives its features, gradients and statistics', () => {
    // Inception's last maps have few values, over which batch norm makes rounding grow; in float64 they agree.
    const training = name.startsWith('inception') ? 2e-4 : 1e-4;
    expectTimmValues(backbone, name, { rectified: !name.startsWith('vit'), training });
  }, 180_000);
});

it("vit_small_patch16_224 gives timm's features and gradients", () => {
  const backbone = vit(vitSmall16);
  expectTimmShapes(backbone, 'vit_small_patch16_224');
  expectTimmValues(backbone, 'vit_small_patch16_224');
}, 60_000);

describe('backbone', () => {
  const counts = JSON.parse(
    readFileSync(new URL('../fixtures/timm-models/counts.json', import.meta.url), 'utf8'),
  ) as Record<string, { parameters: number; size: number; macs: number }>;

  it.each(backboneNames)('%s has the parameters, the MACs and the input size of its reference', (name) => {
    const facts = modelFacts().find((one) => one.name === name)!;
    const reference = counts[name]!;
    expect(facts).toMatchObject({ parameters: reference.parameters, macs: reference.macs, inputSize: reference.size });
  });

  it('has the known names, and lists them where one is unknown', () => {
    for (const name of backboneNames) expect(backbone(name).name).toBe(name);
    expect(backbone('efficientnet_lite0').timm).toBe('tf_efficientnet_lite0');
    expect(() => backbone('resnet34')).toThrow(/no backbone "resnet34"; known are resnet18, resnet50, /);
    expect(() => backbone('toString')).toThrow(/known are/);
  });

  it('vit_large_patch16_224 has as many parameters as its reference', () => {
    // A block adds as many as any other.
    const count = (depth: number) =>
      tf.tidy(() => elementsOf(vit({ ...vitLarge16, depth }).initialize(key(0)).parameters));
    const [one, two] = [count(1), count(2)];
    expect(one + 23 * (two - one)).toBe(counts.vit_large_patch16_224!.parameters);
  });
});

describe('efficientnet', () => {
  const images = () => tf.tensor4d(hashUniform(0, 2 * 32 * 32 * 3), [2, 32, 32, 3]);

  it('drops whole branches in training, as its key says', () => {
    const network = efficientnet({ variant: 'lite0', dropPathRate: 0.9 });
    const model = network.initialize(key(0));
    const run = (seed: number) =>
      network.apply(model, images(), { training: true, key: key(seed) }).features.dataSync();
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
    expect(() => network.apply(model, images(), { training: true })).toThrow(/takes a key/);
  });

  it('refuses what it is not', () => {
    expect(() => efficientnet({ variant: 'b0' as 'b3' })).toThrow(/variant is b3 or lite0; got "b0"/);
    expect(() => efficientnet({ variant: 'b3', dropPathRate: 1 })).toThrow(/below 1; got 1/);
  });
});

describe('maps of the stages', () => {
  it.each<[string, Backbone, number, number[][]]>([
    [
      'dilated resnet50',
      resnet({ depth: 50, width: 0.25, dilated: true }),
      64,
      [
        [16, 64],
        [8, 128],
        [8, 256],
        [8, 512],
      ],
    ],
    [
      'inception_v3',
      inceptionV3(),
      139,
      [
        [15, 288],
        [7, 768],
        [3, 2048],
      ],
    ],
    [
      'efficientnet_lite0',
      efficientnet({ variant: 'lite0' }),
      64,
      [
        [32, 16],
        [16, 24],
        [8, 40],
        [4, 80],
        [4, 112],
        [2, 192],
        [2, 1280],
      ],
    ],
  ])('of %s have their sizes', (_, network, size, expected) => {
    tf.tidy(() => {
      const images = tf.zeros([1, size, size, 3]) as Tensor;
      const { stages } = network.apply(network.initialize(key(0)), images, { training: false });
      expect(stages.map(({ shape }) => shape)).toEqual(expected.map(([side, out]) => [1, side, side, out]));
    });
  });
});

it('an auxiliary classifier speaks in training only', () => {
  const network = inceptionV3().auxiliary!.withClasses(3);
  tf.tidy(() => {
    const model = network.initialize(key(0));
    const images = tf.zeros([1, 75, 75, 3]) as Tensor;
    expect(network.apply(model, images, { training: false }).auxiliary).toBeUndefined();
    expect(() => network.apply(model, images, { training: true })).toThrow(/299 px and more; got \[1,75,75,3\]/);
    const small = tf.zeros([1, 74, 80, 3]) as Tensor;
    expect(() => network.apply(model, small, { training: false })).toThrow(/75 px and more; got \[1,74,80,3\]/);
    const { auxiliary } = inceptionV3();
    const plain = inceptionV3().initialize(key(0)).parameters;
    const added = Object.keys(model.parameters).filter((name) => !(name in plain));
    expect(added.length).toBeGreaterThan(0);
    expect(added.every((name) => name.startsWith(auxiliary!.prefix))).toBe(true);
    expect(model.parameters['AuxLogits.fc.weight']!.shape).toEqual([3, 768]);
    expect(elementsOf(model.parameters)).toBeGreaterThan(elementsOf(plain));
  });
});

it('a resnet of depth 18 is not dilated', () => {
  expect(() => resnet({ depth: 18, dilated: true })).toThrow(/dilation needs depth 50; got 18/);
});
