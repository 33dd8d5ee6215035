import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';

/**
 * The gradient of `tile`: the sum over the copies. tfjs's own slices and adds once for each copy, thousands of ops where the
 * tokens of a batch come of one.
 */
export const tileGradient: GradConfig = {
  kernelName: 'Tile',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attributes) => {
    const { shape } = saved[0]!;
    const copies = attributes.reps as number[];
    const apart = shape.flatMap((side, axis) => [copies[axis]!, side]);
    const axes = copies.map((_, axis) => 2 * axis);
    return { x: () => (dy as Tensor).reshape(apart).sum(axes) };
  },
};
