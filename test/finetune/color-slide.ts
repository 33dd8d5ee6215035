import sharp from 'sharp';
import { type Tensor, tf } from '../../src/engine/index.js';
import type { Slide } from '../../src/slides/index.js';

/** Classes that a slide of plain colors shows: three of tissue, and glass. */
export const colorClasses = [
  { name: 'stroma', color: '#d890b8' },
  { name: 'tumor', color: '#6030a0' },
  { name: 'necrosis', color: '#a04848' },
  { name: 'glass', color: '#ffffff' },
];
export const glass = 3;

const channels = colorClasses.map(({ color }) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)));

export interface ColorSlide {
  width: number;
  height: number;
  /** Class of each pixel, `[height, width]`. */
  labels: Uint8Array;
}

/** A round piece of tissue with tumor in it, which has a hole; necrosis in stripes of 1 to 3 px. */
export function drawColorSlide(width: number, height: number): ColorSlide {
  const labels = new Uint8Array(width * height).fill(glass);
  const within = (x: number, y: number, radius: number) => ((x - 0.5) / radius) ** 2 + ((y - 0.5) / radius) ** 2 < 1;
  for (let pixel = 0; pixel < labels.length; pixel++) {
    const column = pixel % width;
    const row = Math.floor(pixel / width);
    const [x, y] = [(column + 0.5) / width, (row + 0.5) / height];
    if (!within(x, y, 0.45)) continue;
    labels[pixel] = within(x + 0.1, y, 0.2) && !within(x + 0.1, y, 0.08) ? 1 : 0;
    if (x > 0.7 && (column + row) % 11 < 1 + (row % 3)) labels[pixel] = 2;
  }
  return { width, height, labels };
}

/** Writes a slide of 0.5 um/px without loss. */
export async function writeColorSlide(path: string, { width, height, labels }: ColorSlide): Promise<void> {
  const pixels = Buffer.alloc(3 * width * height);
  for (const [pixel, label] of labels.entries()) pixels.set(channels[label]!, 3 * pixel);
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .tiff({
      tile: true,
      tileWidth: 256,
      tileHeight: 256,
      pyramid: true,
      compression: 'deflate',
      xres: 2000,
      yres: 2000,
    })
    .toFile(path);
}

/** Probabilities of the classes by the distance of their colors; of images `[batch, size, size, 3]`, 0 to 1. */
export function nearestColor(images: Tensor): Tensor {
  const colors = tf.tensor2d(channels.map((rgb) => rgb.map((value) => value / 255)));
  return tf.softmax(images.expandDims(3).sub(colors).square().sum(4).mul(-500));
}

/** The nearest of the classes' colors of all of a slide, read at once: `[height, width]`. */
export async function nearestColorOfAll(slide: Slide, width: number, height: number, mpp: number): Promise<Uint8Array> {
  const [pixels] = await slide.readManyAt([{ x: 0, y: 0 }], { width, height, mpp, margin: true });
  return Uint8Array.from({ length: width * height }, (_, pixel) => {
    const distances = channels.map((rgb) =>
      rgb.reduce((sum, value, channel) => sum + (value - pixels![3 * pixel + channel]!) ** 2, 0),
    );
    return distances.indexOf(Math.min(...distances));
  });
}
