import type { SlideRequest } from './messages.js';
import type { OpenFile } from './open-file.js';
import { type Box, type Pixels, resample, shrink } from './pixels.js';
import { sharpModule } from './sharp-module.js';
import { turboJpeg } from './turbojpeg.js';

type BoxesRequest = Extract<SlideRequest, { do: 'boxes' }>;

/** Lanczos' kernel reaches this many pixels, times the factor by which an image shrinks. */
const reach = 3;

/**
 * Reads boxes of a level, resamples each to one size, and writes them one after the other.
 *
 * @param options.room gives room for an image that the next box may use again
 * @returns bytes of each image that was written
 */
export async function readBoxes(
  file: OpenFile,
  { level, boxes, width, height, margin, jpegQuality }: BoxesRequest,
  { room, write }: { room(width: number, height: number): Pixels; write(data: Buffer, at: number): void },
): Promise<number[]> {
  const target = { data: Buffer.allocUnsafeSlow(width * height * 3), width, height };
  const lengths: number[] = [];
  let at = 0;
  for (const box of boxes) {
    const plan = planRead(box, width, height, margin);
    const source = room(plan.width, plan.height);
    await file.read(level, plan.x, plan.y, source);
    const shrunk = plan.shrinkBy > 1 ? shrink(source, plan.shrinkBy) : source;
    resample(shrunk, plan.box, target);
    const data = jpegQuality === undefined ? target.data : await encode(target, jpegQuality);
    write(data, at);
    at += data.length;
    lengths.push(data.length);
  }
  return lengths;
}

/** What to read for a box: whole pixels around it, and where the box then lies in them. */
export function planRead(
  { left, top, right, bottom }: Box,
  width: number,
  height: number,
  margin: boolean,
): { x: number; y: number; width: number; height: number; shrinkBy: number; box: Box } {
  const scale = Math.max((right - left) / width, (bottom - top) / height);
  // A great reduction begins with means of blocks, which leave Lanczos' kernel at least two pixels for each of its own.
  const shrinkBy = margin ? Math.max(1, Math.floor(scale / 2)) : 1;
  const around = margin ? reach * Math.max(1, scale) + 1 : 0;
  const down = (value: number) => Math.floor((value - around) / shrinkBy) * shrinkBy;
  const up = (value: number) => Math.ceil((value + around) / shrinkBy) * shrinkBy;
  const [x, y] = [down(left), down(top)];
  const inSource = (value: number, start: number) => (value - start) / shrinkBy;
  return {
    x,
    y,
    width: up(right) - x,
    height: up(bottom) - y,
    shrinkBy,
    box: { left: inSource(left, x), top: inSource(top, y), right: inSource(right, x), bottom: inSource(bottom, y) },
  };
}

async function encode(image: Pixels, quality: number): Promise<Buffer> {
  const turbo = turboJpeg();
  if (turbo) return turbo.encode(image, quality);
  const { data, width, height } = image;
  const sharp = await sharpModule();
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality, chromaSubsampling: '4:4:4' })
    .toBuffer();
}
