import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { projectRoot } from '../../base/index.js';

type Native = (...values: unknown[]) => void;
interface PixelLibrary {
  resample: Native;
  shrink: Native;
  overBackground: Native;
  copy: Native;
}

let loaded: PixelLibrary | undefined;

/** The compiled loops over pixels (kernel-setup/native/slide-library), loaded on first use. */
function library(): PixelLibrary {
  loaded ??= load(join(projectRoot, '.pathlab', 'slide-library', 'libpathlab_slides.so'));
  return loaded;
}

function load(path: string): PixelLibrary {
  if (!existsSync(path)) throw new Error(`the slide library ${path} is missing; run "npm run setup"`);
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const native = koffi.load(path);
  return {
    resample: native.func(
      'void pathlab_resample(const void *source, int width, int height, double left, double top, double right, double bottom, void *target, int target_width, int target_height)',
    ),
    shrink: native.func('void pathlab_shrink(const void *source, int width, int height, int factor, void *target)'),
    overBackground: native.func(
      'void pathlab_over_background(const void *bgra, int64_t pixels, int red, int green, int blue, void *rgb)',
    ),
    copy: native.func(
      'void pathlab_copy(const void *source, int64_t source_offset, int64_t source_stride, void *target, int64_t target_offset, int64_t target_stride, int width, int height)',
    ),
  };
}

/** RGB pixels, `[height, width, 3]`; the buffer may be longer. */
export interface Pixels {
  data: Buffer;
  width: number;
  height: number;
}

/** Edges of a rectangle in pixels, which may lie within pixels. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/**
 * Brings part of an image to another size with Lanczos' kernel of three lobes: the values of Pillow's
 * `resize((width, height), LANCZOS, box)`, bit for bit.
 */
export function resample(source: Pixels, box: Box, target: Pixels): void {
  check(source);
  check(target);
  const { left, top, right, bottom } = box;
  if (!(left >= 0 && top >= 0 && left < right && top < bottom && right <= source.width && bottom <= source.height)) {
    throw new RangeError(
      `(${left}, ${top}) to (${right}, ${bottom}) is not within ${source.width} x ${source.height} px`,
    );
  }
  library().resample(
    ...[source.data, source.width, source.height, left, top, right, bottom],
    ...[target.data, target.width, target.height],
  );
}

/** The mean of each full block of `factor` x `factor` pixels. */
export function shrink(source: Pixels, factor: number): Pixels {
  check(source);
  const [width, height] = [Math.floor(source.width / factor), Math.floor(source.height / factor)];
  const data = Buffer.allocUnsafeSlow(width * height * 3);
  library().shrink(source.data, source.width, source.height, factor, data);
  return { data, width, height };
}

/** OpenSlide's premultiplied BGRA over a background. */
export function overBackground(bgra: Buffer, background: readonly [number, number, number], target: Buffer): void {
  const pixels = bgra.length / 4;
  if (target.length < 3 * pixels) throw new RangeError(`${pixels} px do not fit in ${target.length} bytes`);
  library().overBackground(bgra, pixels, ...background, target);
}

/** Copies `width` x `height` pixels from one image to another. */
export function copyPixels(
  source: Pixels,
  from: { x: number; y: number },
  target: Pixels,
  to: { x: number; y: number },
  width: number,
  height: number,
): void {
  const fits = ({ x, y }: { x: number; y: number }, image: Pixels) =>
    x >= 0 && y >= 0 && x + width <= image.width && y + height <= image.height;
  if (!fits(from, source) || !fits(to, target)) throw new RangeError('pixels copied from or to outside an image');
  check(source);
  check(target);
  const place = (image: Pixels, { x, y }: { x: number; y: number }) => [
    image.data,
    3 * (y * image.width + x),
    3 * image.width,
  ];
  library().copy(...place(source, from), ...place(target, to), width, height);
}

function check({ data, width, height }: Pixels): void {
  if (!(width > 0 && height > 0 && data.length >= width * height * 3)) {
    throw new RangeError(`${width} x ${height} px do not fit in ${data.length} bytes`);
  }
}
