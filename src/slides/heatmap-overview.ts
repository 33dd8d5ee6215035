import { channelsOf } from './labels/geojson.js';
import type { Slide } from './slide.js';
import { drawScale, slidePicture } from './slide-picture.js';
import { thumbnail } from './thumbnail.js';

/** Viridis (van der Walt and Smith, 2015), in nine steps: light is more, for all kinds of color vision. */
const colors = [
  ...['#440154', '#472d7b', '#3b528b', '#2c728e', '#21918c'],
  ...['#28ae80', '#5ec962', '#addc30', '#fde725'],
] as const;
/** How much of the picture's color is the value's. */
const opacity = 0.6;

/** Values of square places on a slide. */
export interface SlideValues {
  /** Left top corners, level-0 px. */
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  /** Side of a place, level-0 px. */
  side: number;
  /** From 0 to 1. */
  values: ArrayLike<number>;
}

/**
 * Values over a slide's thumbnail, as a PNG: a color for each place, and below it the scale.
 *
 * @param options.name of what the values are, beside the scale
 * @param options.maxSize longest side of the thumbnail, px
 * @throws RangeError for a value that is not from 0 to 1
 */
export async function heatmapOverview(
  slide: Slide,
  { x, y, side, values }: SlideValues,
  { name, maxSize = 900 }: { name: string; maxSize?: number },
): Promise<Uint8Array> {
  const small = await thumbnail(slide, maxSize);
  for (let place = 0; place < values.length; place++) {
    const channels = heatColor(values[place]!);
    const pixel = (at: number, limit: number) => Math.min(limit, Math.max(0, Math.round(at / small.downsample)));
    const [left, right] = [pixel(x[place]!, small.width), pixel(x[place]! + side, small.width)];
    const [top, bottom] = [pixel(y[place]!, small.height), pixel(y[place]! + side, small.height)];
    for (let row = top; row < bottom; row++) {
      for (let at = 3 * (row * small.width + left); at < 3 * (row * small.width + right); at++) {
        small.pixels[at] = Math.round((1 - opacity) * small.pixels[at]! + opacity * channels[at % 3]!);
      }
    }
  }
  return slidePicture(slide, small, '', drawScale(colors, `${name}, ${values.length} places`));
}

/** Red, green and blue, 0 to 255, of a value from 0 to 1: between the two nearest colors of the scale. */
export function heatColor(value: number): number[] {
  if (!(value >= 0 && value <= 1)) throw new RangeError(`a value of a heatmap is from 0 to 1; got ${value}`);
  const place = value * (colors.length - 1);
  const [low, high] = [Math.floor(place), Math.ceil(place)].map((step) => channelsOf(colors[step]!));
  return low!.map((channel, index) => channel + (place % 1) * (high![index]! - channel));
}
