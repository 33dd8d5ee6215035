import { type Tensor, tf } from '../engine/index.js';

/** `none`: the image as it is; `flips`: it, its two mirror images and both; `dihedral`: these four, and each transposed. */
export type TestTimeAugmentation = 'none' | 'flips' | 'dihedral';

/** One way to look at an image `[batch, height, width, channels]`, and the way back. */
export interface Orientation {
  turn(images: Tensor): Tensor;
  turnBack(maps: Tensor): Tensor;
}

/** The orientations of a test-time augmentation. Tissue has no up and down; `dihedral` needs square images. */
export function orientations(testTime: TestTimeAugmentation): Orientation[] {
  const flips = [[], [1], [2], [1, 2]];
  const transpose = (x: Tensor) => tf.transpose(x, [0, 2, 1, 3]) as Tensor;
  const flip = (x: Tensor, axes: number[]) => (axes.length > 0 ? (tf.reverse(x, axes) as Tensor) : x);
  const mirrored = flips.map((axes) => ({
    turn: (x: Tensor) => flip(x, axes),
    turnBack: (x: Tensor) => flip(x, axes),
  }));
  const choices: Record<TestTimeAugmentation, () => Orientation[]> = {
    none: () => mirrored.slice(0, 1),
    flips: () => mirrored,
    dihedral: () => [
      ...mirrored,
      ...flips.map((axes) => ({
        turn: (x: Tensor) => transpose(flip(x, axes)),
        turnBack: (x: Tensor) => flip(transpose(x), axes),
      })),
    ],
  };
  if (!Object.hasOwn(choices, testTime)) {
    throw new RangeError(`testTime is ${Object.keys(choices).join(', ')}; got ${JSON.stringify(testTime)}`);
  }
  return choices[testTime]();
}
