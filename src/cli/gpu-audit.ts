import { applyViews, decodeJpegs, drawViewParameters, imagesOfDecoded } from '../augment/index.js';
import {
  attribute,
  averagePool,
  crossEntropy,
  dense,
  depthwiseConv2d,
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
  resizeBilinear,
  standardizedConv2d,
  stridedSlice,
  type Tensor,
  type Tensors,
  tf,
  truncatedNormal,
  withoutGpuKernel,
} from '../engine/index.js';
import { simclrSettings } from '../experiments/index.js';
import { projector, resnet, vit } from '../models/index.js';
import { simclrStep } from '../pretrain/index.js';
import { type Key, key } from '../runs/index.js';
import {
  accumulatedGradients,
  adamw,
  clipByGlobalNorm,
  dynamicLossScaling,
  lars,
  movingAverage,
  sgd,
} from '../training/index.js';

/** A step of the project, with inputs that it can be recorded with: their sizes do not matter, their dtypes do. */
interface AuditedStep {
  name: string;
  precisions: Precision[];
  /** Called in a `tf.tidy`. */
  record(precision: Precision): ReturnType<typeof recordedOps>;
}

const training: Precision[] = ['float32', 'bfloat16', 'float16'];
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

/** Every step that the project records, and what it runs eagerly beside them. */
function auditedSteps(): AuditedStep[] {
  const root = key('gpu-audit');
  const images = () => randomNormal(root, [batch, side, side, 3]);
  const { views } = simclrSettings({ scale: 'smoke' });
  const drawn = () => drawViewParameters(views, 2 * batch, { height: side, width: side }, root);
  const rate = () => tf.scalar(0.1);
  const labels = () => tf.tensor1d([0, 1, 2, 1], 'int32');

  const simclr = (optimizer: ReturnType<typeof sgd>, name: string) => {
    const backbone = resnet({ depth: 18, width: 0.25 });
    const head = projector({ inputSize: backbone.featureSize, hiddenSize: 16, outputSize: 8 });
    const step = simclrStep({ backbone, projector: head, optimizer, views, temperature: 0.1 });
    return audited(`SimCLR step, ${name}`, training, step, () => {
      const encoder = backbone.initialize(root);
      const projection = head.initialize(root);
      const join = (part: 'parameters' | 'state') => ({
        ...prefixed(encoder[part], 'backbone.'),
        ...prefixed(projection[part], 'projector.'),
      });
      const parameters = join('parameters');
      const tensors = { parameters, state: join('state'), optimizer: optimizer.initialize(parameters) };
      return [tensors, { images: images(), ...drawn() }, rate(), root];
    });
  };

  const backbone = resnet({ depth: 50, width: 0.25 });
  const supervisedModel = () => {
    const { parameters, state } = backbone.initialize(root);
    const classifier = {
      'fc.weight': randomNormal(root, [3, backbone.featureSize]),
      'fc.bias': tf.zeros([3]),
    };
    return { parameters: { ...parameters, ...classifier }, state };
  };
  const decayed = adamw();
  const supervised = audited(
    'supervised ResNet-50 step',
    training,
    (model: ReturnType<typeof supervisedModel>, optimizer: Tensors, images: Tensor, labels: Tensor, rate: Tensor) => {
      const compute = (parameters: Tensors, { images, labels }: Tensors, state: Tensors) => {
        const { features, state: carried } = backbone.apply({ parameters, state }, images!, { training: true });
        const logits = dense(features, parameters['fc.weight']!, parameters['fc.bias']);
        return { loss: crossEntropy(logits, labels!, { labelSmoothing: 0.1, ignoreLabel: 255 }), carried };
      };
      const parts = { parts: 2, carried: model.state };
      const result = accumulatedGradients(model.parameters, { images, labels }, parts, compute);
      const { gradients, norm } = clipByGlobalNorm(result.gradients, 1);
      const updated = decayed.update(model.parameters, gradients, optimizer, rate);
      return { updated, norm, average: movingAverage(model.parameters, updated.parameters, 0.99), loss: result.loss };
    },
    () => {
      const model = supervisedModel();
      return [model, decayed.initialize(model.parameters), images(), labels(), rate()];
    },
  );

  const transformer = vit({ imageSize: side, patchSize: 8, width: 16, depth: 2, heads: 2, dropPathRate: 0.1 });
  const scaled = dynamicLossScaling(decayed);
  const transformerStep = audited(
    'ViT step',
    training,
    (parameters: Tensors, optimizer: Tensors, images: Tensor, rate: Tensor, random: Key) => {
      const compute = (parameters: Tensors) => {
        const { features } = transformer.apply({ parameters, state: {} }, images, { training: true, key: random });
        return { loss: gelu(features, { approximate: 'tanh' }).mean() };
      };
      const result = gradients(parameters, compute, { lossScale: scaled.lossScale(optimizer) });
      return { loss: result.loss, updated: scaled.update(parameters, result.gradients, optimizer, rate) };
    },
    () => {
      const { parameters } = transformer.initialize(root);
      return [parameters, scaled.initialize(parameters), images(), rate(), root];
    },
  );

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
      };
    },
    () => [supervisedModel(), images(), randomNormal(root, [6, backbone.featureSize])],
  );

  const viewing = audited(
    'views',
    float32,
    (images: Tensor, parameters: Tensors) => applyViews(images, parameters, views),
    () => [images(), drawn()],
  );

  return [
    simclr(lars({ momentum: 0.9, weightDecay: 1e-6 }), 'LARS'),
    simclr(sgd({ momentum: 0.9, nesterov: true, weightDecay: 1e-4 }), 'SGD'),
    supervised,
    transformerStep,
    audited('ops with their gradients', training, everyOp, () => [opInputs(root), root]),
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

/** The ops that no step above uses yet. */
function everyOp({ indices, rows, ...parameters }: Tensors, random: Key) {
  return gradients(parameters, ({ images, kernel, depthwise, weight, bias }) => {
    let x = groupNorm(images!, { weight: weight!, bias: bias! }, 2);
    x = depthwiseConv2d(standardizedConv2d(x, kernel!, { padding: 1 }), depthwise!, { padding: 1 });
    x = layerNorm(x, { weight: weight!, bias: bias! });
    x = maxPool(averagePool(x, { size: 3, stride: 1, padding: 1, countPadding: false }), { size: 2, stride: 1 });
    x = resizeBilinear(x, [8, 8]);
    x = dropPath(dropout(x, 0.1, random.fold('dropout')), 0.1, random.fold('path'));
    x = stridedSlice(x, [0, 0, 0, 0], [batch, 8, 8, 4], [1, 2, 2, 1]);
    x = gather(gather(x.reshape([batch, 16, 4]), indices!, { perSample: true }), rows!);
    return { loss: l2Normalize(x.reshape([-1, 4])).mean() };
  });
}

function prefixed(tensors: Tensors, prefix: string): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));
}

/**
 * Looks every op that the project's steps run up in TensorFlow's registry, with its dtypes, and prints which of them no
 * GPU could run. Needs TensorFlow's library with CUDA, and no GPU.
 *
 * @returns the exit code: 0 if a GPU can run all
 */
export function gpuAudit(print: (line: string) => void = console.log): number {
  if (!hasGpuKernels()) {
    print(
      'This TensorFlow is built without CUDA, so it does not tell what a GPU could run. Install the CUDA wheel ' +
        'in a folder of its own and name the folder in PATHLAB_CUDA_WHEEL (environment.md).',
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
  print(failures === 0 ? 'A GPU can run every op.' : `${failures} uses of ops would leave the GPU.`);
  return failures === 0 ? 0 : 1;
}
