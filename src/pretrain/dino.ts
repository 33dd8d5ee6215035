import type { ViewRecipe } from '../augment/index.js';
import type { Key } from '../base/index.js';
import { type Tensor, tf, withPrefix } from '../engine/index.js';
import { applySequentially, type Backbone, dinoHead, type ModelTensors, subModel, withHead } from '../models/index.js';
import { cosine } from '../training/index.js';
import { dinoLoss } from './dino-loss.js';
import type { Method } from './method.js';
import { momentumCopy, nextState, updateMomentumCopy, withMomentumCopy } from './momentum.js';

export interface DinoOptions {
  /** Makes the backbone with a rate of stochastic depth: the student's, or 0 for the teacher's. */
  backbone: (dropPathRate: number) => Backbone;
  dropPathRate: number;
  /** Two global views, which the teacher sees, and local ones behind them; see `dinoViews`. */
  views: readonly ViewRecipe[];
  /** Of the head's hidden layers, of the vectors before its last layer, and of its outputs. */
  hiddenSize: number;
  bottleneckSize: number;
  outputSize: number;
  /** Whether the rows of the last layer keep length 1. */
  normLastLayer: boolean;
  /** Whether the head has batch norm, as for convolutional networks. */
  batchNorm: boolean;
  /** Epochs in which the last layer is frozen: at most a tenth of the training. */
  frozenEpochs: number;
  studentTemperature: number;
  /** Rises from the first to the last over so many epochs, epoch by epoch. */
  teacherTemperature: { from: number; to: number; epochs: number };
  /** Momentum of the teacher at the first step; it rises to 1. */
  momentum: number;
  /** Momentum of the center. */
  centerMomentum: number;
}

/**
 * DINO (Caron et al., 2021; arXiv 2104.14294, algorithm 1): from every view of a patch, a student predicts the output
 * of its teacher, a slow copy of it, for the two global views. The teacher's outputs are centered and sharpened to
 * prevent collapse. The teacher is kept.
 */
export function dino(options: DinoOptions): Method<'oneMinusMomentum' | 'teacherTemperature' | 'frozen'> {
  const { views, dropPathRate, hiddenSize, bottleneckSize, outputSize, normLastLayer, batchNorm } = options;
  const { frozenEpochs, studentTemperature, teacherTemperature, momentum, centerMomentum } = options;
  const [backbone, studentBackbone] = [options.backbone(0), options.backbone(dropPathRate)];
  const head = dinoHead({
    inputs: backbone.featureSize,
    hiddenSize,
    bottleneckSize,
    outputSize,
    normLastLayer,
    batchNorm,
  });
  const network = withHead(backbone, head);
  /** One pass of the backbone for each size of views, and one of the head. */
  const apply = (own: Backbone, model: ModelTensors, views: readonly Tensor[], key?: Key) => {
    const body = applySequentially(subModel(model, 'backbone'), joinSizes(views), (model, images) =>
      own.apply(model, images, { training: true, key: key?.fold(images.shape[1]!) }),
    );
    const features = tf.concat(body.passes.map(({ features }) => features));
    const { outputs, state } = head.apply(subModel(model, 'head'), features, { training: true });
    return { outputs, state: { ...withPrefix(body.state, 'backbone.'), ...withPrefix(state, 'head.') } };
  };
  return {
    name: 'DINO',
    settings: {
      ...{ dropPathRate, hiddenSize, bottleneckSize, outputSize, normLastLayer, batchNorm, frozenEpochs },
      ...{ studentTemperature, teacherTemperature, momentum, centerMomentum },
    },
    backbone,
    views,
    initialize(key, start) {
      const { parameters, state } = withMomentumCopy(network.initialize(key, start.backbone));
      return { parameters, state: { ...state, center: tf.zeros([1, outputSize]) } };
    },
    loss(model, { views }, { scheduled, random }) {
      const student = apply(studentBackbone, model, views, random.fold('student'));
      const teacher = apply(backbone, momentumCopy(model), views.slice(0, 2));
      const loss = dinoLoss(student.outputs, teacher.outputs, model.state.center!, {
        ...{ views: views.length, studentTemperature, teacherTemperature: scheduled.teacherTemperature },
      });
      const state = nextState(model, student.state, teacher.state);
      return { loss, state, rows: { teacherMean: teacher.outputs.mean(0, true) } };
    },
    schedules: ({ steps, stepsPerEpoch }) => {
      const { from, to, epochs } = teacherTemperature;
      const risen = (epoch: number) => Math.min(1, epoch / Math.max(1, epochs - 1));
      const frozenSteps = Math.min(frozenEpochs * stepsPerEpoch, steps / 10);
      return {
        oneMinusMomentum: cosine({ from: 1 - momentum, to: 0, steps }),
        teacherTemperature: (step) => from + (to - from) * risen(Math.floor(step / stepsPerEpoch)),
        frozen: (step) => (step < frozenSteps ? 1 : 0),
      };
    },
    freezes: (name) => name.startsWith('head.last_layer.'),
    afterUpdate(after, _before, { scheduled, replicas }, { teacherMean }) {
      const { parameters, state } = updateMomentumCopy(after, { oneMinusDecay: scheduled.oneMinusMomentum });
      const { mean } = replicas.mean({ mean: teacherMean!.mean(0, true) });
      const center = state.center!.mul(centerMomentum).add(mean!.mul(1 - centerMomentum)) as Tensor;
      return { parameters, state: { ...state, center } };
    },
    chanceLoss: () => Math.log(outputSize),
    encoder: (model) => subModel(momentumCopy(model), 'backbone'),
  };
}

/** Neighboring views of one size in one batch, in their order. */
function joinSizes(views: readonly Tensor[]): Tensor[] {
  const groups: Tensor[][] = [];
  for (const view of views) {
    const last = groups.at(-1);
    if (last?.[0]?.shape[1] === view.shape[1]) last!.push(view);
    else groups.push([view]);
  }
  return groups.map((group) => tf.concat(group));
}
