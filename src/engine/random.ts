import type { Key } from '../base/index.js';
import { seedTensor } from './compile/keys.js';
import { attribute, runOp, type Tensor, tf } from './runtime.js';

/**
 * Random tensors that depend only on their key and shape (Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", 2011; the counter-based Philox generator of TensorFlow's stateless ops), drawn on the device.
 */
function stateless(op: string, key: Key, shape: readonly number[]): Tensor {
  return tf.tidy(() =>
    runOp(
      op,
      [attribute.type('dtype', 'float32'), attribute.type('T', 'int32'), attribute.type('Tseed', 'int32')],
      [tf.tensor1d([...shape], 'int32'), seedTensor(key)],
    ),
  );
}

/** Uniform in [low, high). */
export function randomUniform(key: Key, shape: readonly number[], low = 0, high = 1): Tensor {
  return tf.tidy(() =>
    stateless('StatelessRandomUniform', key, shape)
      .mul(high - low)
      .add(low),
  );
}

/** Normal with the given mean and standard deviation. */
export function randomNormal(key: Key, shape: readonly number[], mean = 0, deviation = 1): Tensor {
  return tf.tidy(() => stateless('StatelessRandomNormal', key, shape).mul(deviation).add(mean));
}

/** Normal, drawn again where it falls more than two standard deviations from the mean. */
export function truncatedNormal(key: Key, shape: readonly number[], mean = 0, deviation = 1): Tensor {
  return tf.tidy(() => stateless('StatelessTruncatedNormal', key, shape).mul(deviation).add(mean));
}
