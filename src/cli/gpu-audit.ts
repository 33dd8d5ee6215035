import {
  applyViews,
  byolViews,
  decodeJpegs,
  dinoViews,
  drawViewParameters,
  imagesOfDecoded,
} from '../augment/index.js';
import { type Key, key } from '../base/index.js';
import {
  attribute,
  averagePool,
  crossEntropy,
  dense,
  depthwiseConv2d,
  dilatedConv2d,
  dropout,
  dropPath,
  executeOp,
  gather,
  gelu,
  gradients,
  groupNorm,
  hasGpuKernels,
  l2Normalize,
  layerNorm,
  maxPool,
  type Precision,
  randomNormal,
  reasonForNoGpu,
  recordedOps,
  relu6,
  resizeBicubic,
  resizeBilinear,
  silu,
  standardizedConv2d,
  stridedSlice,
  type Tensor,
  type Tensors,
  tf,
  truncatedNormal,
  withoutGpuKernel,
} from '../engine/index.js';
import { smallViews } from '../experiments/index.js';
import { segmentation, unlabelled } from '../finetune/index.js';
import { type ModelTensors, resnet, vit } from '../models/index.js';
import { byol, dino, drawViews, type Method, mae, mocoV2, objectiveOf, simclr, supervised } from '../pretrain/index.js';
import {
  adamw,
  dynamicLossScaling,
  freezing,
  lars,
  movingAverage,
  type Objective,
  type Optimizer,
  type Scheduled,
  type Step,
  type StepOptions,
  sgd,
  trainingStep,
} from '../training/index.js';

/** A step of the project, with inputs to record it with: only their dtypes matter, not their sizes. */
interface AuditedStep {
  name: string;
  precisions: Precision[];
  /** Called in a `tf.tidy`. */
  record(precision: Precision): ReturnType<typeof recordedOps>;
}

const allPrecisions: Precision[] = ['float32', 'bfloat16', 'float16'];
const float32: Precision[] = ['float32'];
const batch = 4;
const side = 32;

function audited<Inputs extends unknown[]>(
  name: string,
  precisions: Precision[],
  step: (...inputs: Inputs) => unknown,
  inputs: () => [...Inputs],
): AuditedStep {
  return { name, precisions, record: (precision) => recordedOps<Inputs>(name, step, inputs(), precision) };
}

/** Every step that the project records, and the ops that it runs eagerly. */
function auditedSteps(): AuditedStep[] {
  const root = key('gpu-audit');
  const images = () => randomNormal(root, [batch, side, side, 3]);
  const drawn = () => drawViewParameters(smallViews, batch, { height: side, width: side }, root);
  const labels = () => tf.tensor1d([0, 1, 2, 1], 'int32');

  const training = <Name extends string = never>(
    name: string,
    objective: Objective<Name>,
    { optimizer, ...options }: StepOptions & { optimizer: Optimizer },
    inputs: () => Tensors,
  ) =>
    audited(name, allPrecisions, trainingStep(objective, optimizer, options), (): Parameters<Step<Name>> => {
      const { parameters, state } = objective.initialize(root);
      const tensors = { parameters, state, optimizer: optimizer.initialize(parameters) };
      const scheduled = Object.fromEntries(
        ['learningRate', 'weightDecay', ...Object.keys(objective.schedules ?? {})].map((name) => [
          name,
          tf.scalar(0.1),
        ]),
      );
      return [tensors, inputs(), scheduled as unknown as Scheduled<Name>, root];
    });

  const methodStep = <Name extends string>(
    name: string,
    method: Method<Name>,
    options: StepOptions & { optimizer: Optimizer },
  ) => {
    const pixels = method.masks && new Float64Array([1, 2, 3]);
    const start = { labels: new Int32Array(2), classNames: ['one', 'another', 'third'], pixels };
    const source = { decode: ({ images, masks }: Tensors) => ({ images: images!, masks, labels: labels() }) };
    const objective = objectiveOf(method, source, { start, length: { steps: 1, stepsPerEpoch: 1 } });
    return training(name, objective, options, () => ({
      images: images(),
      ...(method.masks && { masks: tf.ones([batch, side, side], 'int32') }),
      ...drawViews(method.views, { size: side, batchSize: batch }, root),
    }));
  };
  const small = { backbone: resnet({ depth: 18, width: 0.25 }), hiddenSize: 16, outputSize: 8 };
  const contrastive = simclr({ ...small, views: smallViews, temperature: 0.1 });
  const queued = mocoV2({
    ...{ ...small, views: smallViews, temperature: 0.1, momentum: 0.9, queueSize: 6, batchNormGroups: 2 },
  });
  const named = supervised({ ...small, views: smallViews, dropout: 0.4, labelSmoothing: 0.1, weighted: true });
  const painting = mae({
    ...{
      backbone: vit({ imageSize: 64, patchSize: 16, width: 32, depth: 1, heads: 2, positions: 'fixed' }),
      views: smallViews,
    },
    ...{ maskRatio: 0.75, normalizeTargets: true, decoder: { width: 16, depth: 1, heads: 2 } },
  });
  const predicting = byol({ ...small, views: byolViews(64), momentum: 0.9, classifier: true });

  const backbone = resnet({ depth: 50, width: 0.25 });
  const supervisedModel = (): ModelTensors => {
    const { parameters, state } = backbone.initialize(root);
    const classifier = {
      'fc.weight': randomNormal(root, [3, backbone.featureSize]),
      'fc.bias': tf.zeros([3]),
    };
    return { parameters: { ...parameters, ...classifier }, state };
  };
  const classification: Objective = {
    initialize: supervisedModel,
    loss({ parameters, state }, { images, labels }) {
      const encoded = backbone.apply({ parameters, state }, images!, { training: true });
      const logits = dense(encoded.features, parameters['fc.weight']!, parameters['fc.bias']);
      const loss = crossEntropy(logits, labels!, { labelSmoothing: 0.1, ignoreLabel: 255 });
      return { loss, state: encoded.state };
    },
    afterUpdate: (after, before) => ({
      ...after,
      state: movingAverage(before.state, after.state, { decay: 0.99 }),
    }),
  };

  const sizes = { imageSize: side, patchSize: 8, width: 16, depth: 2, heads: 2 };
  const transformer = vit({ ...sizes, dropPathRate: 0.1 });
  const transformerObjective: Objective = {
    initialize: (key) => transformer.initialize(key),
    loss(model, { images }, { random }) {
      const { features, state } = transformer.apply(model, images!, { training: true, key: random });
      return { loss: gelu(features, { approximate: 'tanh' }).mean(), state };
    },
  };

  const distilled = dino({
    ...{
      ...small,
      backbone: (dropPathRate: number) => vit({ ...sizes, dropPathRate }),
      dropPathRate: 0.1,
      views: dinoViews(64, { size: 16, count: 1 }),
      bottleneckSize: 4,
    },
    ...{ normLastLayer: false, batchNorm: true, frozenEpochs: 1, studentTemperature: 0.1 },
    ...{ teacherTemperature: { from: 0.04, to: 0.07, epochs: 2 }, momentum: 0.9, centerMomentum: 0.9 },
  });

  const pixelwise = { views: smallViews, loss: 'both', weighted: true, ignore: unlabelled } as const;
  const dilated = resnet({ depth: 50, width: 0.25, dilated: true });
  const deepLab = segmentation({ ...pixelwise, backbone: dilated, head: 'deeplabv3' });
  const segmentingTransformer = segmentation({ ...pixelwise, backbone: transformer, head: 'pyramid' });

  const evaluation = audited(
    'evaluation',
    float32,
    (model: ReturnType<typeof supervisedModel>, images: Tensor, bank: Tensor) => {
      const { features } = backbone.apply(model, images, { training: false });
      const rows = l2Normalize(features);
      const attributes = [attribute.bool('compute_uv', false), attribute.bool('full_matrices', false)];
      return {
        nearest: tf.topk(tf.matMul(rows, bank as never, false, true), 2),
        moments: tf.moments(rows, 0),
        singular: executeOp('Svd', attributes, [rows], 3)[0],
        solved: executeOp(
          'MatrixSolve',
          [attribute.typeOf('T', rows), attribute.bool('adjoint', false)],
          [tf.matMul(rows, rows, true), tf.transpose(rows)],
          1,
        )[0],
      };
    },
    () => [supervisedModel(), images(), randomNormal(root, [6, backbone.featureSize])],
  );

  const viewing = audited(
    'views',
    float32,
    (images: Tensor, parameters: Tensors) => applyViews(images, parameters, smallViews),
    () => [images(), drawn()],
  );

  const descent = sgd({ momentum: 0.9, weightDecay: 1e-4 });
  return [
    methodStep('supervised step', named, { optimizer: adamw(), clipNorm: 1 }),
    methodStep('SimCLR step, LARS', contrastive, { optimizer: lars({ momentum: 0.9 }) }),
    methodStep('SimCLR step, SGD', contrastive, { optimizer: descent }),
    methodStep('MoCo v2 step', queued, { optimizer: descent }),
    methodStep('BYOL step', predicting, { optimizer: descent }),
    methodStep('MAE step', painting, { optimizer: adamw({ betas: [0.9, 0.95] }) }),
    methodStep('DINO step', distilled, {
      ...{ optimizer: freezing(adamw(), distilled.freezes!), clipNorm: 3, clipOf: 'each' },
    }),
    training('ResNet-50 step', classification, { optimizer: adamw(), clipNorm: 1, microBatches: 2 }, () => ({
      images: images(),
      labels: labels(),
    })),
    training('ViT step', transformerObjective, { optimizer: dynamicLossScaling(adamw()) }, () => ({
      images: images(),
    })),
    methodStep('DeepLab v3 step', deepLab, { optimizer: adamw() }),
    methodStep('segmentation step, ViT', segmentingTransformer, { optimizer: adamw() }),
    audited('ops with their gradients', allPrecisions, everyOp, () => [opInputs(root), root]),
    audited(
      'initialization',
      float32,
      (random: Key) => truncatedNormal(random, [4]),
      () => [root],
    ),
    evaluation,
    viewing,
    audited(
      'decoding',
      float32,
      (encoded: Tensor) => imagesOfDecoded(decodeJpegs(encoded, { height: side, width: side, ratio: 2 })),
      () => [tf.tensor1d(['a', 'b'], 'string')],
    ),
  ];
}

function opInputs(root: Key): Tensors {
  return {
    images: randomNormal(root, [batch, 8, 8, 4]),
    kernel: randomNormal(root, [3, 3, 4, 4]),
    depthwise: randomNormal(root, [3, 3, 4, 1]),
    weight: tf.ones([4]),
    bias: tf.zeros([4]),
    indices: tf.tensor2d([0, 1, 2, 3, 0, 1, 2, 3], [batch, 2], 'int32'),
    rows: tf.tensor1d([2, 0], 'int32'),
  };
}

/** Ops that no step above uses. */
function everyOp({ indices, rows, ...parameters }: Tensors, random: Key) {
  return gradients(parameters, ({ images, kernel, depthwise, weight, bias }) => {
    let x = groupNorm(images!, { weight: weight!, bias: bias! }, 2);
    x = depthwiseConv2d(standardizedConv2d(x, kernel!, { padding: 1 }), depthwise!, { padding: 1 });
    x = layerNorm(x, { weight: weight!, bias: bias! });
    x = relu6(dilatedConv2d(x, kernel!, { dilation: 2 }));
    x = maxPool(averagePool(x, { size: 3, stride: 1, padding: 1, countPadding: false }), { size: 2, stride: 1 });
    x = silu(resizeBicubic(resizeBilinear(x, [4, 4]), [8, 8]));
    x = dropPath(dropout(x, 0.1, random.fold('dropout')), 0.1, random.fold('path'));
    x = stridedSlice(x, [0, 0, 0, 0], [batch, 8, 8, 4], [1, 2, 2, 1]);
    x = gather(gather(x.reshape([batch, 16, 4]), indices!, { perSample: true }), rows!);
    return { loss: l2Normalize(x.reshape([-1, 4])).mean() };
  });
}

/**
 * Looks up every op of the project's steps, with its dtypes, in TensorFlow's registry, and prints those without a GPU
 * kernel. Needs TensorFlow's library with CUDA, and no GPU.
 *
 * @returns the exit code: 0 if a GPU can run all
 */
export function gpuAudit(print: (line: string) => void = console.log): number {
  if (!hasGpuKernels()) {
    print(
      'This TensorFlow is built without CUDA, so it does not list GPU kernels. Install the CUDA wheel ' +
        'in a separate folder and set PATHLAB_CUDA_WHEEL to that folder (environment.md).',
    );
    return 1;
  }
  const backend = tf.backend() as unknown as { isUsingGpuDevice: boolean };
  print(`TensorFlow with CUDA; ${backend.isUsingGpuDevice ? 'it uses a GPU' : `it uses no GPU: ${reasonForNoGpu()}`}`);
  let failures = 0;
  for (const { name, precisions, record } of auditedSteps()) {
    for (const precision of precisions) {
      let ops: ReturnType<typeof record> = [];
      tf.tidy(() => {
        ops = record(precision);
      });
      const missing = withoutGpuKernel(ops);
      failures += missing.length;
      const verdict = missing.length === 0 ? 'all on the GPU' : `${missing.length} not on the GPU`;
      print(`${`${name}, ${precision}`.padEnd(44)} ${String(ops.length).padStart(5)} ops: ${verdict}`);
      for (const { what, line } of missing) print(`  ${what}\n    called at ${line}`);
    }
  }
  print(failures === 0 ? 'A GPU can run every op.' : `${failures} uses of ops would run on the CPU.`);
  return failures === 0 ? 0 : 1;
}
