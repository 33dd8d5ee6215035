import type { Key } from '../../base/index.js';
import { type Tensor, tf } from '../runtime.js';

/** What a key was folded with since it came into the step. */
export type FoldPath = readonly (string | number)[];

const seedsOfPlaceholders = new WeakMap<Key, () => Tensor>();

/** A key as the seed of TensorFlow's stateless random ops, int32 `[2]`. In a recording it becomes an input. */
export function seedTensor(key: Key): Tensor {
  return seedsOfPlaceholders.get(key)?.() ?? tf.tensor1d([...key.words], 'int32');
}

/** The recording that a stand-in key belongs to. */
export interface KeyRecorder {
  /** A seed that becomes an input: the key that came into the step, folded along the path. */
  makeSeed(path: FoldPath): Tensor;
  refuse(what: string, why: string): never;
}

/**
 * The key that a step gets while it is recorded. It folds and seeds random tensors like the key itself, and each of
 * its seeds becomes an input of the recorded step; drawing numbers on the host is refused.
 */
export function placeholderKey(key: Key, recorder: KeyRecorder, path: FoldPath = []): Key {
  const placeholder = new Proxy(key, {
    get(target, property) {
      if (property === 'fold') {
        return (data: string | number) => placeholderKey(target.fold(data), recorder, [...path, data]);
      }
      if (property === 'words' || property === 'generator' || property === 'toString') {
        recorder.refuse(
          `reading a key on the host (${property})`,
          'every call would get the same numbers; draw them before the step and pass them in as tensors, or ' +
            'use functions such as randomUniform',
        );
      }
      return Reflect.get(target, property) as unknown;
    },
  });
  seedsOfPlaceholders.set(placeholder, () => recorder.makeSeed(path));
  return placeholder;
}
