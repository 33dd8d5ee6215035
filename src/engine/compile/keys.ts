import type { Key } from '../../runs/index.js';
import { type Tensor, tf } from '../runtime.js';
import { CompileError } from './errors.js';

/** What a key was folded with since it came into the step. */
export type FoldPath = readonly (string | number)[];

const seedsOfStandIns = new WeakMap<Key, () => Tensor>();

/** A key as the seed of TensorFlow's stateless random ops, int32 `[2]`. In a recording it becomes an input. */
export function seedTensor(key: Key): Tensor {
  return seedsOfStandIns.get(key)?.() ?? tf.tensor1d([...key.words], 'int32');
}

/**
 * The key that a step gets while it is recorded. It folds and seeds random tensors like the key itself, and each of
 * its seeds becomes an input of the recorded step; drawing numbers on the host is refused, for they would be the same
 * at every call.
 *
 * @param makeSeed makes the seed tensor of `key` folded along `path`; it is given the folded key as well
 */
export function standInKey(key: Key, makeSeed: (folded: Key, path: FoldPath) => Tensor, path: FoldPath = []): Key {
  const standIn = new Proxy(key, {
    get(target, property) {
      if (property === 'fold') {
        return (data: string | number) => standInKey(target.fold(data), makeSeed, [...path, data]);
      }
      if (property === 'words' || property === 'generator' || property === 'toString') {
        throw new CompileError(
          `the step reads its key on the host (${property}), so that every call would get the same numbers; ` +
            'draw before the step and pass the numbers in as tensors, or use randomUniform and its like in the step',
        );
      }
      return Reflect.get(target, property) as unknown;
    },
  });
  seedsOfStandIns.set(standIn, () => makeSeed(key, path));
  return standIn;
}
