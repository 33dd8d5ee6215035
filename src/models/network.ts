import type { Key } from '../base/index.js';
import {
  dense,
  gelu,
  mapTensors,
  probed,
  relu,
  subTensors,
  type Tensor,
  type Tensors,
  tf,
  withPrefix,
} from '../engine/index.js';
import type { Backbone } from './backbone.js';
import { ForwardPass, type ModelTensors } from './forward-pass.js';
import { addBatchNorm, kaimingDense } from './initialize.js';

/** A network on feature vectors, as pure functions. */
export interface Head {
  initialize(key: Key): ModelTensors;
  /**
   * @param features `[batch, inputs]`
   * @returns `outputs` `[batch, outputs]` and the state after the pass
   */
  apply(model: ModelTensors, features: Tensor, options: { training: boolean }): { outputs: Tensor; state: Tensors };
}

/** A backbone with a head behind it. */
export interface Network {
  /** @param weights of the backbone, which are copied; without them it draws its own */
  initialize(key: Key, weights?: ModelTensors): ModelTensors;
  /** @param images `[batch, height, width, 3]`, normalized */
  apply(
    model: ModelTensors,
    images: Tensor,
    options: { training: boolean; key?: Key },
  ): { outputs: Tensor; features: Tensor; state: Tensors };
}

/** Several models as one, the tensors of each under `NAME.`. */
export function joinModels(models: Readonly<Record<string, ModelTensors>>): ModelTensors {
  const joined = (part: 'parameters' | 'state'): Tensors =>
    Object.assign({}, ...Object.entries(models).map(([name, model]) => withPrefix(model[part], `${name}.`)));
  return { parameters: joined('parameters'), state: joined('state') };
}

/** The same weights as tensors of their own: what a momentum network starts from. */
export function copyModel({ parameters, state }: ModelTensors): ModelTensors {
  const copy = (tensors: Tensors) => mapTensors(tensors, (tensor) => tensor.clone());
  return { parameters: copy(parameters), state: copy(state) };
}

/** One model of several that were joined. */
export function subModel({ parameters, state }: ModelTensors, name: string): ModelTensors {
  return { parameters: subTensors(parameters, `${name}.`), state: subTensors(state, `${name}.`) };
}

export interface MlpOptions {
  /** Which layers have batch norm behind them. */
  norm?: 'every' | 'hidden' | 'none';
  /** Which layers have a bias. */
  bias?: 'every' | 'hidden' | 'none';
  /** Between layers; after batch norm where there is one. */
  activation?: 'relu' | 'gelu';
  /** Draws a weight `[out, in]`; by default `kaimingDense`. */
  weight?: (key: Key, shape: readonly [number, number]) => Tensor;
}

/**
 * Dense layers, by default without bias and each with batch norm, and relu between them; `fc0.weight`, `fc0.bias`,
 * `bn0.weight`, `bn0.bias`, `fc1...`.
 *
 * @param sizes features in, hidden ones, features out
 */
export function mlp(
  sizes: readonly number[],
  { norm = 'every', bias = 'none', activation = 'relu', weight = kaimingDense }: MlpOptions = {},
): Head {
  const last = sizes.length - 2;
  const layers = sizes.slice(1).map((outputs, layer) => {
    const has = (which: 'every' | 'hidden' | 'none') => which === 'every' || (which === 'hidden' && layer < last);
    return { layer, inputs: sizes[layer]!, outputs, normed: has(norm), biased: has(bias) };
  });
  return {
    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      for (const { layer, inputs, outputs, normed, biased } of layers) {
        model.parameters[`fc${layer}.weight`] = weight(key.fold(`fc${layer}`), [outputs, inputs]);
        if (biased) model.parameters[`fc${layer}.bias`] = tf.zeros([outputs]);
        if (normed) addBatchNorm(model, `bn${layer}`, outputs);
      }
      return model;
    },
    apply: (model, features, { training }) =>
      tf.tidy(() => {
        const pass = new ForwardPass(model, training);
        let outputs = features;
        for (const { layer, normed, biased } of layers) {
          const own = (name: string) => pass.parameter(`fc${layer}.${name}`);
          outputs = dense(outputs, own('weight'), biased ? own('bias') : undefined);
          if (normed) outputs = pass.norm(outputs.expandDims(1).expandDims(1), `bn${layer}`).squeeze([1, 2]);
          if (layer < last) outputs = activation === 'relu' ? relu(outputs) : gelu(outputs);
        }
        return { outputs, state: pass.state };
      }),
  };
}

/**
 * Applies a network to several batches in turn, each with batch statistics of its own.
 *
 * @param apply one pass, whose state the next one starts from
 * @returns the outputs of each, and the state that the last one left
 */
export function applySequentially<Output extends { state: Tensors }>(
  model: ModelTensors,
  batches: readonly Tensor[],
  apply: (model: ModelTensors, batch: Tensor) => Output,
): { passes: Output[]; state: Tensors } {
  let { state } = model;
  const passes = batches.map((batch) => {
    const pass = apply({ parameters: model.parameters, state }, batch);
    state = pass.state;
    return pass;
  });
  return { passes, state };
}

/** A backbone with a head on its features, their tensors under `backbone.` and `head.`. */
export function withHead(backbone: Backbone, head: Head): Network {
  return {
    initialize: (key, weights) =>
      joinModels({
        backbone: weights ? copyModel(weights) : backbone.initialize(key.fold('backbone')),
        head: head.initialize(key.fold('head')),
      }),
    apply: (model, images, options) =>
      tf.tidy(() => {
        const encoded = backbone.apply(subModel(model, 'backbone'), images, options);
        const { outputs, state } = head.apply(subModel(model, 'head'), probed('backbone', encoded.features), options);
        return {
          outputs: probed('head', outputs),
          features: encoded.features,
          state: { ...withPrefix(encoded.state, 'backbone.'), ...withPrefix(state, 'head.') },
        };
      }),
  };
}
