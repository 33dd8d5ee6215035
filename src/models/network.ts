import type { Key } from '../base/index.js';
import { dense, relu, subTensors, type Tensor, type Tensors, tf, withPrefix } from '../engine/index.js';
import { ForwardPass, type ModelTensors } from './forward-pass.js';
import { kaimingDense } from './initialize.js';
import type { Backbone } from './resnet.js';

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
  initialize(key: Key): ModelTensors;
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

/** One model of several that were joined. */
export function subModel({ parameters, state }: ModelTensors, name: string): ModelTensors {
  return { parameters: subTensors(parameters, `${name}.`), state: subTensors(state, `${name}.`) };
}

/**
 * Dense layers without bias, each with batch norm, and relu between them; `fc0.weight`, `bn0.weight`, `bn0.bias`, `fc1...`.
 *
 * @param sizes features in, hidden ones, features out
 */
export function mlp(sizes: readonly number[]): Head {
  const layers = sizes.slice(1).map((outputs, layer) => ({ layer, inputs: sizes[layer]!, outputs }));
  return {
    initialize(key) {
      const model: ModelTensors = { parameters: {}, state: {} };
      for (const { layer, inputs, outputs } of layers) {
        model.parameters[`fc${layer}.weight`] = kaimingDense(key.fold(`fc${layer}`), [outputs, inputs]);
        model.parameters[`bn${layer}.weight`] = tf.ones([outputs]);
        model.parameters[`bn${layer}.bias`] = tf.zeros([outputs]);
        model.state[`bn${layer}.running_mean`] = tf.zeros([outputs]);
        model.state[`bn${layer}.running_var`] = tf.ones([outputs]);
      }
      return model;
    },
    apply: (model, features, { training }) =>
      tf.tidy(() => {
        const pass = new ForwardPass(model, training);
        let outputs = features;
        for (const { layer } of layers) {
          const x = dense(outputs, pass.parameter(`fc${layer}.weight`));
          outputs = pass.norm(x.expandDims(1).expandDims(1), `bn${layer}`).squeeze([1, 2]);
          if (layer < layers.length - 1) outputs = relu(outputs);
        }
        return { outputs, state: pass.state };
      }),
  };
}

/** A backbone with a head on its features, their tensors under `backbone.` and `head.`. */
export function withHead(backbone: Backbone, head: Head): Network {
  return {
    initialize: (key) =>
      joinModels({ backbone: backbone.initialize(key.fold('backbone')), head: head.initialize(key.fold('head')) }),
    apply: (model, images, options) =>
      tf.tidy(() => {
        const encoded = backbone.apply(subModel(model, 'backbone'), images, options);
        const { outputs, state } = head.apply(subModel(model, 'head'), encoded.features, options);
        return {
          outputs,
          features: encoded.features,
          state: { ...withPrefix(encoded.state, 'backbone.'), ...withPrefix(state, 'head.') },
        };
      }),
  };
}
