import { expect, it } from 'vitest';
import { meanOfPixels } from '../../src/augment/index.js';
import { key } from '../../src/base/index.js';
import { tf } from '../../src/engine/index.js';

const side = 512;
const random = key(1).generator();
/** Glass, and tissue in the middle: what is all alike is rounded the same way at each step of a long sum. */
const image = Float32Array.from({ length: side * side * 3 }, (_, at) => {
  const [row, column] = [Math.floor(at / 3 / side), Math.floor(at / 3) % side];
  const isTissue = Math.hypot(row - side / 2, column - side / 2) < side / 3;
  return (isTissue ? 90 + 40 * (at % 3) + random.integer(30) : 241 - (at % 3)) / 255;
});

it('meanOfPixels is exact for as many pixels as a patch has', async () => {
  const images = tf.tensor4d(image, [1, side, side, 3]);
  const found = await meanOfPixels(images).data();
  for (const channel of [0, 1, 2]) {
    let sum = 0;
    for (let at = channel; at < image.length; at += 3) sum += image[at]!;
    expect(Math.abs(found[channel]! - sum / side ** 2)).toBeLessThan(1e-5);
  }
  images.dispose();
});
