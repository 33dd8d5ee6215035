import type { ColorStatistics } from '../augment/index.js';
import type { Key } from '../base/index.js';
import type { Tensor, Tensors } from '../engine/index.js';
import type { ModelTensors } from './forward-pass.js';

/** One of a backbone's maps. */
export interface MapShape {
  channels: number;
  /** Px of the image from one place of the map to the next. */
  stride: number;
}

/** A network from images to feature vectors, as pure functions. */
export interface Backbone {
  name: string;
  /** Length of a feature vector. */
  featureSize: number;
  /** Side of the square images that published weights were trained on, px. Others are taken too; see `sizes`. */
  inputSize: number;
  /** Sides of images that it takes, px: multiples of one number, from a least one; any by default. */
  sizes?: { least?: number; multipleOf?: number };
  /** What `apply` gives as `stages`; none where those leave out the border of the image, and pixels cannot be classified. */
  maps?: readonly MapShape[];
  /** What published weights expect images to be normalized with. */
  colors: ColorStatistics;
  /** The paper. */
  source: string;
  /** What timm calls the same network, whose weights fit it; none for one that is the project's own. */
  timm?: string;
  /** What `timm.create_model` has to be given beside the name to make the same features. */
  timmOptions?: Readonly<Record<string, string | number | boolean>>;
  /** What timm and torchvision call a classifier behind it. */
  classifier?: string;
  /**
   * A classifier on a map in the network's midst, which only training has: the same network with one of so many classes, and
   * what the names of its tensors begin with.
   */
  auxiliary?: { prefix: string; withClasses(classes: number): Backbone };
  initialize(key: Key): ModelTensors;
  /**
   * @param images `[batch, height, width, 3]`, normalized
   * @param options.training whether batch norm uses the batch's statistics and moves the running ones
   * @param options.key decides what stochastic depth drops in training; fold it for each step
   * @returns `features` `[batch, featureSize]`; the last map of each stage `[batch, height, width, channels]`; of a
   *   convolutional network the map whose mean over its places `features` is; the state after the pass; in training, of a
   *   network with an auxiliary classifier, its logits `[batch, classes]`
   */
  apply(
    model: ModelTensors,
    images: Tensor,
    options: { training: boolean; key?: Key },
  ): { features: Tensor; stages: Tensor[]; pooled?: Tensor; state: Tensors; auxiliary?: Tensor };
  /**
   * Of a vision transformer whose features are of the class token: how much it attends to each patch in the last block (as
   * Caron et al., 2021; arXiv 2104.14294, figure 1, show it for each head), the mean over heads.
   *
   * @param images `[batch, height, width, 3]`, normalized
   * @returns `[batch, rows, columns]`; with what the class token attends to beside patches, a sample's sum is 1
   */
  attention?(model: ModelTensors, images: Tensor): Tensor;
}

/** The least side of images, px, that a network takes and that is no less than the one wanted. */
export function fittingSize({ sizes: { least = 1, multipleOf = 1 } = {} }: Backbone, wanted: number): number {
  return Math.ceil(Math.max(wanted, least) / multipleOf) * multipleOf;
}

/** Colors from -1 to 1, as published weights of networks that are no ResNets expect them. */
export const halfColors: ColorStatistics = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
