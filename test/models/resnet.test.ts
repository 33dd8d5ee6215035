import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { elementsOf, mapTensors, tf } from '../../src/engine/index.js';
import { fromTorch, resnet, toTorch } from '../../src/models/index.js';
import { expectAlike } from '../engine/close.js';
import { hashUniform } from '../fixtures/hash-uniform.js';

describe('resnet', () => {
  it('starts from a key alone, with Kaiming-normal convolutions', () => {
    const backbone = resnet({ depth: 18, width: 0.5 });
    const [one, same, other] = [key(1), key(1), key(2)].map((seed) => backbone.initialize(seed).parameters);
    const name = 'layer2.0.conv1.weight';
    expect(one![name]!.dataSync()).toEqual(same![name]!.dataSync());
    expect(one![name]!.dataSync()).not.toEqual(other![name]!.dataSync());
    const { mean, variance } = tf.moments(one![name]!);
    expect(mean.dataSync()[0]).toBeCloseTo(0, 2);
    expect(variance.dataSync()[0]! * 9 * 64).toBeCloseTo(2, 1);
  });

  it('scales every channel count with its width', () => {
    const sizes = [0.25, 0.5, 1].map((width) => {
      const backbone = resnet({ depth: 18, width });
      return [backbone.featureSize, elementsOf(backbone.initialize(key(0)).parameters)];
    });
    expect(sizes.map(([features]) => features)).toEqual([128, 256, 512]);
    // torchvision's resnet18 has 11,689,512 parameters, 513,000 of them in its classifier.
    expect(sizes[2]![1]).toBe(11_689_512 - 513_000);
    expect(sizes[1]![1]! / sizes[2]![1]!).toBeCloseTo(0.25, 2);
  });

  it('has one block a stage with depth 10, and no published weights', () => {
    const backbone = resnet({ depth: 10 });
    const { parameters } = backbone.initialize(key(0));
    // torchvision's ResNet(BasicBlock, [1, 1, 1, 1]) without its classifier.
    expect(elementsOf(parameters)).toBe(4_905_792);
    expect(Object.keys(parameters)).not.toContain('layer1.1.conv1.weight');
    expect(backbone.timm).toBeUndefined();
  });

  it("gives each stage's map at half the size of the last", () => {
    const backbone = resnet({ depth: 50, width: 0.25 });
    const { stages } = backbone.apply(backbone.initialize(key(0)), tf.zeros([1, 64, 64, 3]), { training: false });
    expect(stages.map((stage) => stage.shape)).toEqual([
      [1, 16, 16, 64],
      [1, 8, 8, 128],
      [1, 4, 4, 256],
      [1, 2, 2, 512],
    ]);
  });

  it('in inference, leaves the state as it is and treats each image by itself', () => {
    const backbone = resnet({ depth: 18, width: 0.25 });
    const model = backbone.initialize(key(0));
    const images = tf.tensor4d(hashUniform(3, 2 * 32 * 32 * 3), [2, 32, 32, 3]);
    const together = backbone.apply(model, images, { training: false });
    const alone = backbone.apply(model, images.slice([1], [1]) as typeof images, { training: false });
    expectAlike(together.features.slice([1], [1]), alone.features, 1e-5);
    for (const [name, tensor] of Object.entries(model.state)) expect(together.state[name]).toBe(tensor);
  });

  it('refuses what it is not', () => {
    expect(() => resnet({ depth: 34 as 18 })).toThrow(/depth must be 10, 18 or 50; got 34/);
    expect(() => resnet({ depth: 18, width: 0.3 })).toThrow(/whole number of channels; got 0.3/);
    const backbone = resnet({ depth: 18, width: 0.25 });
    const model = backbone.initialize(key(0));
    const { 'bn1.weight': _, ...rest } = model.parameters;
    expect(() => backbone.apply({ ...model, parameters: rest }, tf.zeros([1, 32, 32, 3]), { training: false })).toThrow(
      /no tensor named "bn1.weight"/,
    );
  });
});

describe('torch layout', () => {
  it('comes back as it went', () => {
    const model = resnet({ depth: 18, width: 0.25 }).initialize(key(0));
    const back = fromTorch(toTorch(model));
    mapTensors(model.parameters, (tensor, name) => {
      expect(back.parameters[name]!.dataSync()).toEqual(tensor.dataSync());
      return tensor;
    });
    expect(Object.keys(back.state)).toEqual(Object.keys(model.state));
  });
});
