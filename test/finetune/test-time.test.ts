import { describe, expect, it } from 'vitest';
import { tf } from '../../src/engine/index.js';
import { orientations } from '../../src/finetune/index.js';

const image = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);

describe('test-time augmentation', () => {
  it.each([
    ['none', 1],
    ['flips', 4],
    ['dihedral', 8],
  ] as const)('%s looks at an image in %i ways, all of them different, and finds back from each', (name, count) => {
    const all = orientations(name);
    const turned = all.map(({ turn }) => Array.from(turn(image).dataSync()).join());
    expect(new Set(turned).size).toBe(count);
    expect(turned[0]).toBe(Array.from(image.dataSync()).join());
    for (const { turn, turnBack } of all) {
      expect(turnBack(turn(image)).dataSync()).toEqual(image.dataSync());
    }
  });

  it('refuses another', () => {
    expect(() => orientations('turns' as 'none')).toThrow(/testTime is none, flips, dihedral; got "turns"/);
  });
});
