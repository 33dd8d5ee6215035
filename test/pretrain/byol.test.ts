import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { byolViews } from '../../src/augment/index.js';
import { subTensors, type Tensor, tf } from '../../src/engine/index.js';
import { mlp, resnet, subModel, withHead } from '../../src/models/index.js';
import { byol, byolLoss } from '../../src/pretrain/index.js';
import { randomImages, relativeError, stepper, valuesOf } from './one-step.js';

interface Case {
  predictions: number[][];
  targets: number[][];
  loss: number;
  gradient: number[][];
}
const cases = (
  JSON.parse(readFileSync(new URL('../fixtures/torch-methods/methods.json', import.meta.url), 'utf8')) as {
    byol: Case[];
  }
).byol;

const backbone = resnet({ depth: 18, width: 0.125 });
const head = { norm: 'hidden', bias: 'hidden' } as const;
const network = withHead(backbone, mlp([backbone.featureSize, 16, 8], head));
const predictor = mlp([8, 16, 8], head);
const methodOf = (classifier = false) =>
  byol({ backbone, views: byolViews(32), hiddenSize: 16, outputSize: 8, momentum: 0.75, classifier });
const images = (seed: number) => randomImages(seed, 4, [32, 32]) as [Tensor, Tensor];
const targetParameters = (state: Record<string, Tensor>) => subTensors(state, 'momentum/parameters/');
const training = { training: true };

describe('byolLoss', () => {
  it.each(cases)('equals equation 2 in PyTorch, with its gradient (case %#)', (reference) => {
    const targets = tf.tensor2d(reference.targets);
    const compute = (predictions: Tensor) => byolLoss(predictions, targets).asScalar();
    const { value, grad } = tf.valueAndGrad(compute)(tf.tensor2d(reference.predictions));
    expect(Math.abs(value.dataSync()[0]! / reference.loss - 1)).toBeLessThan(1e-5);
    expect(relativeError(grad, reference.gradient)).toBeLessThan(1e-5);
  });

  it('goes from 0, for outputs that point the same way, to 4', () => {
    const rows = tf.tensor2d([
      [1, 2],
      [0, -3],
    ]);
    expect(byolLoss(rows.mul(5), rows).dataSync()[0]).toBeCloseTo(0, 6);
    expect(byolLoss(rows.neg(), rows).dataSync()[0]).toBeCloseTo(4, 6);
  });
});

describe('BYOL', () => {
  it('adds both directions; the predictor is the online network’s alone, and each view has its own batch statistics', () => {
    const method = methodOf();
    const steps = stepper(method);
    const { parameters, state } = steps.tensors;
    expect(Object.keys(state).filter((name) => name.startsWith('momentum/') && name.includes('predictor'))).toEqual([]);
    const [first, second] = images(0);
    const online = (view: Tensor) => network.apply({ parameters, state }, view, training).outputs;
    const predicted = (view: Tensor) =>
      predictor.apply(subModel({ parameters, state }, 'predictor'), online(view), training).outputs;
    // Before the first update the target is the online network.
    const expected = byolLoss(predicted(first), online(second)).add(byolLoss(predicted(second), online(first)));
    expect(steps.take([first, second]).loss).toBeCloseTo(expected.dataSync()[0]!, 5);
    const withoutPredictor = byolLoss(online(first), online(second)).mul(2);
    expect(Math.abs(withoutPredictor.dataSync()[0]! - expected.dataSync()[0]!)).toBeGreaterThan(0.1);
  });

  it('averages the target’s parameters after the update; its running statistics come from its own passes', () => {
    const steps = stepper(methodOf(), { learningRate: 0.5 });
    steps.take(images(0));
    const before = steps.tensors;
    const [first, second] = images(1);
    steps.take([first, second]);
    const after = steps.tensors;
    const tau = 1 - 0.25 * (1 + Math.cos(Math.PI / 10)) * 0.5;
    for (const [name, old] of Object.entries(targetParameters(before.state))) {
      const expected = old.mul(tau).add(after.parameters[name]!.mul(1 - tau));
      expect(relativeError(targetParameters(after.state)[name]!, valuesOf(expected)), name).toBeLessThan(1e-6);
    }
    const target = {
      parameters: targetParameters(before.state),
      state: subTensors(before.state, 'momentum/state/'),
    };
    const once = network.apply(target, first, training);
    const twice = network.apply({ ...target, state: once.state }, second, training);
    for (const name of ['backbone.bn1.running_mean', 'head.bn0.running_var']) {
      expect(relativeError(after.state[`momentum/state/${name}`]!, valuesOf(twice.state[name]!))).toBeLessThan(1e-5);
      expect(relativeError(after.state[`momentum/state/${name}`]!, valuesOf(after.state[name]!))).toBeGreaterThan(1e-4);
    }
  });

  it('has a momentum that starts at its base and would be 1 a step behind the last', () => {
    const { oneMinusMomentum } = methodOf().schedules!({ steps: 100, stepsPerEpoch: 10 });
    expect(oneMinusMomentum(0)).toBe(0.25);
    expect(oneMinusMomentum(50)).toBeCloseTo(0.125, 12);
    expect(oneMinusMomentum(99)).toBeGreaterThan(0);
    expect(oneMinusMomentum(100)).toBe(0);
  });

  it('has a classifier that learns beside the network and changes no bit of it', () => {
    const options = { classNames: ['a', 'b', 'c'] };
    const [with_, without] = [true, false].map((classifier) => stepper(methodOf(classifier), options)) as [
      ReturnType<typeof stepper>,
      ReturnType<typeof stepper>,
    ];
    const classes = [0, 0, -1, 1];
    const metrics = Array.from({ length: 4 }, () => {
      const found = with_.take(images(0), classes);
      expect(found.loss).toBe(without.take(images(0)).loss);
      return found;
    });
    // Neither does it by clipping, nor count in the norm that is told.
    const [clipped, alone] = [true, false].map((classifier) =>
      stepper(methodOf(classifier), { ...options, clipNorm: 0.01 }),
    ) as [ReturnType<typeof stepper>, ReturnType<typeof stepper>];
    expect(clipped.take(images(0), classes).gradientNorm).toBe(alone.take(images(0)).gradientNorm);
    for (const [name, tensor] of Object.entries(alone.tensors.parameters)) {
      expect(valuesOf(clipped.tensors.parameters[name]!), name).toEqual(valuesOf(tensor));
    }
    for (const part of ['parameters', 'state'] as const) {
      for (const [name, tensor] of Object.entries(without.tensors[part])) {
        expect(valuesOf(with_.tensors[part][name]!), name).toEqual(valuesOf(tensor));
      }
    }
    expect(metrics[0]!.classifierLoss).toBeCloseTo(Math.log(3), 1);
    const own = stepper(methodOf(true), options);
    own.take(images(0), classes);
    const [first, second, none] = valuesOf(own.tensors.parameters['classifier.bias']!) as [number, number, number];
    expect(first).toBeGreaterThan(second);
    expect(second).toBeGreaterThan(none);
    expect(first + second + none).toBeCloseTo(0, 6);
    // Of patches without a class nothing is learned.
    const idle = stepper(methodOf(true), options);
    const before = valuesOf(idle.tensors.parameters['classifier.weight']!);
    expect(idle.take(images(0))).toMatchObject({ classifierLoss: 0, classifierAccuracy: 0 });
    expect(valuesOf(idle.tensors.parameters['classifier.weight']!)).toEqual(before);
    // In micro-batches too, all that have one count alike.
    const micro = stepper(methodOf(true), { ...options, microBatches: 2 });
    expect(micro.take(images(0), [-1, -1, 0, 1]).classifierLoss).toBeCloseTo(Math.log(3), 1);
    const unlabelled = stepper(methodOf(true), { classNames: [] });
    expect(unlabelled.take(images(0))).not.toHaveProperty('classifierLoss');
  });
});
