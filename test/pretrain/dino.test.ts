import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dinoViews } from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import { subTensors, type Tensor, tf } from '../../src/engine/index.js';
import { type Backbone, dinoHead, subModel, vit } from '../../src/models/index.js';
import { type DinoOptions, dino, dinoLoss } from '../../src/pretrain/index.js';
import { adamw } from '../../src/training/index.js';
import { randomImages, relativeError, stepper, valuesOf } from './one-step.js';

interface LossCase {
  views: number;
  studentTemperature: number;
  teacherTemperature: number;
  student: number[][];
  teacher: number[][];
  center: number[][];
  loss: number;
  gradient: number[][];
}
const cases = (
  JSON.parse(readFileSync(new URL('../fixtures/torch-methods/methods.json', import.meta.url), 'utf8')) as {
    dino: LossCase[];
  }
).dino;

const sizesOf = { patchSize: 8, imageSize: 16, width: 16, depth: 2, heads: 2 };
const backbone = vit(sizesOf);
const head = { inputs: 16, hiddenSize: 12, bottleneckSize: 6, outputSize: 20, normLastLayer: true, batchNorm: false };
const methodOf = (changes: Partial<DinoOptions> = {}) =>
  dino({
    ...{
      backbone: () => backbone,
      dropPathRate: 0,
      views: dinoViews(16, { size: 8, count: 2 }),
      hiddenSize: 12,
      bottleneckSize: 6,
      outputSize: 20,
    },
    ...{
      normLastLayer: true,
      batchNorm: false,
      frozenEpochs: 1,
      studentTemperature: 0.1,
      momentum: 0.75,
      centerMomentum: 0.9,
    },
    teacherTemperature: { from: 0.04, to: 0.07, epochs: 4 },
    ...changes,
  });
const sizes = [16, 16, 8, 8];
const images = (seed: number) => randomImages(seed, 4, sizes);
const teacherOf = (state: Record<string, Tensor>) => ({
  parameters: subTensors(state, 'momentum/parameters/'),
  state: {},
});
const lastLayer = 'head.last_layer.weight_v';

/** The outputs of one view. */
function outputsOf(model: { parameters: Record<string, Tensor>; state: Record<string, Tensor> }, view: Tensor): Tensor {
  const { features } = backbone.apply(subModel(model, 'backbone'), view, { training: false });
  return dinoHead(head).apply(subModel(model, 'head'), features, { training: true }).outputs;
}

/** A backbone that notes what it is applied to. */
function watched(backbone: Backbone, seen: { shape: number[]; training: boolean; hasKey: boolean }[]): Backbone {
  return {
    ...backbone,
    apply(model, images, options) {
      seen.push({ shape: images.shape, training: options.training, hasKey: options.key !== undefined });
      return backbone.apply(model, images, options);
    },
  };
}

describe('dinoLoss', () => {
  it.each(cases)('equals equations 1 to 3 in PyTorch over all pairs, with its gradient (case %#)', (reference) => {
    const { views, studentTemperature } = reference;
    const [teacher, center] = [tf.tensor2d(reference.teacher), tf.tensor2d(reference.center)];
    const options = { views, studentTemperature, teacherTemperature: tf.scalar(reference.teacherTemperature) };
    const compute = (student: Tensor) => dinoLoss(student, teacher, center, options).asScalar();
    const { value, grad } = tf.valueAndGrad(compute)(tf.tensor2d(reference.student));
    expect(Math.abs(value.dataSync()[0]! / reference.loss - 1)).toBeLessThan(1e-5);
    expect(relativeError(grad, reference.gradient)).toBeLessThan(1e-5);
  });

  it('is log(outputs) where all outputs are alike: what DINO calls chance', () => {
    const options = { views: 3, studentTemperature: 0.1, teacherTemperature: tf.scalar(0.04) };
    const loss = dinoLoss(tf.ones([6, 20]), tf.ones([4, 20]), tf.zeros([1, 20]), options);
    expect(loss.dataSync()[0]).toBeCloseTo(methodOf().chanceLoss!(2), 5);
  });

  it('refuses views that are not there', () => {
    const options = { views: 4, studentTemperature: 0.1, teacherTemperature: tf.scalar(0.04) };
    expect(() => dinoLoss(tf.ones([6, 5]), tf.ones([4, 5]), tf.zeros([1, 5]), options)).toThrow(/4 views .* \[6,5\]/);
  });
});

describe('DINO', () => {
  it('passes each size of views once, in order, and the teacher the global ones alone', () => {
    const [seen, seenByTeacher]: Parameters<typeof watched>[1][] = [[], []];
    const steps = stepper(
      methodOf({
        dropPathRate: 0.5,
        backbone: (dropPathRate) =>
          watched(vit({ ...sizesOf, dropPathRate }), dropPathRate > 0 ? seen! : seenByTeacher!),
      }),
    );
    steps.take(images(0));
    expect(seen).toEqual([
      { shape: [8, 16, 16, 3], training: true, hasKey: true },
      { shape: [8, 8, 8, 3], training: true, hasKey: true },
    ]);
    expect(seenByTeacher).toEqual([{ shape: [8, 16, 16, 3], training: true, hasKey: false }]);
  });

  it('compares every view with the teacher’s outputs of the other global views', () => {
    const steps = stepper(methodOf());
    const { parameters, state } = steps.tensors;
    const views = images(0);
    const student = tf.concat(views.map((view) => outputsOf({ parameters, state: {} }, view)));
    const teacher = tf.concat(views.slice(0, 2).map((view) => outputsOf(teacherOf(state), view)));
    const options = { views: 4, studentTemperature: 0.1, teacherTemperature: tf.scalar(0.04) };
    const expected = dinoLoss(student, teacher, state.center!, options).dataSync()[0]!;
    expect(steps.take(views).loss).toBeCloseTo(expected, 4);
  });

  it.each([1, 2])('moves the center after the loss, once an update of %i micro-batches', (microBatches) => {
    const steps = stepper(methodOf(), { microBatches });
    let center = tf.zeros([1, 20]) as Tensor;
    for (let step = 0; step < 3; step++) {
      const teacher = teacherOf(steps.tensors.state);
      const views = images(step);
      const means = views.slice(0, 2).map((view) => outputsOf(teacher, view).mean(0, true));
      steps.take(views);
      center = center.mul(0.9).add(means[0]!.add(means[1]!).mul(0.05));
      expect(relativeError(steps.tensors.state.center!, valuesOf(center))).toBeLessThan(1e-5);
    }
  });

  it('gives micro-batches the teacher and the center of the update, so that they are the whole batch', () => {
    const [whole, parts] = [1, 2].map((microBatches) => stepper(methodOf(), { microBatches })) as [
      ReturnType<typeof stepper>,
      ReturnType<typeof stepper>,
    ];
    for (let step = 0; step < 3; step++) {
      expect(parts.take(images(step)).loss).toBeCloseTo(whole.take(images(step)).loss!, 5);
    }
    for (const [name, tensor] of Object.entries(teacherOf(whole.tensors.state).parameters)) {
      const error = relativeError(teacherOf(parts.tensors.state).parameters[name]!, valuesOf(tensor));
      expect(error, name).toBeLessThan(1e-4);
    }
  });

  it('averages the teacher after the update, without a gradient of its own', () => {
    const steps = stepper(methodOf(), { learningRate: 0.5 });
    const before = teacherOf(steps.tensors.state).parameters;
    steps.take(images(0));
    const after = steps.tensors;
    for (const [name, old] of Object.entries(before)) {
      const expected = old.mul(0.75).add(after.parameters[name]!.mul(0.25));
      expect(relativeError(teacherOf(after.state).parameters[name]!, valuesOf(expected)), name).toBeLessThan(1e-6);
    }
  });

  it('leaves the last layer alone in the first epoch, as if it had no gradient', () => {
    const optimizer = adamw({ weightDecay: 0.1 });
    const steps = stepper(methodOf(), { optimizer, learningRate: 0.01, steps: 100, stepsPerEpoch: 2 });
    const initial = valuesOf(steps.tensors.parameters[lastLayer]!);
    for (let step = 0; step < 2; step++) {
      steps.take(images(step));
      expect(valuesOf(steps.tensors.parameters[lastLayer]!)).toEqual(initial);
      expect(valuesOf(steps.tensors.optimizer[`freezing/first/${lastLayer}`]!).every((value) => value === 0)).toBe(
        true,
      );
    }
    steps.take(images(2));
    // Its own first step of Adam: every weight with a gradient moves by the learning rate, beside its decay.
    const [step, others] = ['freezing/step', 'step'].map((name) => valuesOf(steps.tensors.optimizer[name]!));
    expect([step, others]).toEqual([[1], [3]]);
    const moved = valuesOf(steps.tensors.parameters[lastLayer]!).map((value, at) => value - initial[at]! * (1 - 0.001));
    expect(Math.max(...moved.map(Math.abs))).toBeCloseTo(0.01, 4);
  });

  it('warms the teacher’s temperature up by epoch, and its momentum to 1 by step', () => {
    const schedules = methodOf({ frozenEpochs: 2 }).schedules!({ steps: 200, stepsPerEpoch: 5 });
    const temperatures = [0, 4, 5, 14, 15, 19, 100].map((step) => schedules.teacherTemperature(step).toFixed(3));
    expect(temperatures).toEqual(['0.040', '0.040', '0.050', '0.060', '0.070', '0.070', '0.070']);
    expect([0, 9, 10].map(schedules.frozen)).toEqual([1, 1, 0]);
    expect(schedules.oneMinusMomentum(0)).toBe(0.25);
    expect(schedules.oneMinusMomentum(200)).toBe(0);
    // An epoch longer than the training does not freeze the layer for good.
    expect([9, 10].map(methodOf().schedules!({ steps: 100, stepsPerEpoch: 1000 }).frozen)).toEqual([1, 0]);
  });

  it('keeps the teacher', () => {
    const method = methodOf();
    const steps = stepper(method);
    steps.take(images(0));
    const { parameters } = method.encoder(steps.tensors);
    expect(Object.keys(parameters).sort()).toEqual(Object.keys(backbone.initialize(key(1)).parameters).sort());
    const name = 'blocks.0.mlp.fc1.weight';
    expect(parameters[name]).toBe(steps.tensors.state[`momentum/parameters/backbone.${name}`]);
  });
});
