import type { Key } from '../base/index.js';
import { seedTensor } from './compile/keys.js';
import { replicaScope } from './replica-scope.js';
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

/**
 * Uniform in [0, 1), for the rows of a batch. Where several replicas divide it, each draws what its rows have in the whole
 * batch (see `withReplicaScope`).
 *
 * @param shape `[rows, ...]`: the batch's rows, or several times those one after the other, as of joined views
 */
export function randomUniformOfRows(key: Key, shape: readonly number[]): Tensor {
  const scope = replicaScope();
  if (!scope || scope.count === 1) return randomUniform(key, shape);
  const { index, count, rows } = scope;
  const [all, ...rest] = shape as [number, ...number[]];
  if (all % rows !== 0) throw new RangeError(`${all} random rows are not a multiple of the ${rows} of the batch here`);
  const whole = randomUniform(key, [all / rows, count, rows, ...rest]);
  const begin = [0, index, 0, ...rest.map(() => 0)];
  return tf.tidy(() => whole.slice(begin, [-1, 1, -1, ...rest.map(() => -1)]).reshape([...shape]));
}

/** Normal with the given mean and standard deviation. */
export function randomNormal(key: Key, shape: readonly number[], mean = 0, deviation = 1): Tensor {
  return tf.tidy(() => stateless('StatelessRandomNormal', key, shape).mul(deviation).add(mean));
}

/** Normal, drawn again where it falls more than two standard deviations from the mean. */
export function truncatedNormal(key: Key, shape: readonly number[], mean = 0, deviation = 1): Tensor {
  return tf.tidy(() => stateless('StatelessTruncatedNormal', key, shape).mul(deviation).add(mean));
}
