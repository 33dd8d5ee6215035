import { open } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { type CompiledDataset, readShard } from '../datasets/index.js';
import type { GridPicture } from './picture-grid.js';
import { maskColors } from './style.js';

const maskBytes = maskColors.map((color) => Buffer.from(color.slice(1), 'hex'));

/**
 * Patches of a compiled dataset as its shards hold them, the first of each class (or of each slide where patches have no
 * class), each followed by its mask where there is one.
 *
 * @param each so many of each class
 * @param most so many patches in all
 */
export async function shardPictures(
  { folder, report }: CompiledDataset,
  { each, most }: { each: number; most: number },
): Promise<GridPicture[]> {
  const taken = new Map<string, number>();
  const found: { name: string; pictures: GridPicture[] }[] = [];
  for (const { shard, slide } of report.slides) {
    const path = join(folder, shard);
    const { patches } = await readShard(path);
    const file = await open(path, 'r');
    try {
      for (const { image, mask, facts } of patches) {
        const name = facts.class ?? slide;
        const before = taken.get(name) ?? 0;
        if (before >= each || found.length >= most) continue;
        taken.set(name, before + 1);
        const read = async ({ offset, length }: { offset: number; length: number }) =>
          (await file.read(Buffer.alloc(length), 0, length, offset)).buffer;
        const about = { caption: name, ...(facts.synthetic ? { mark: 'SYNTHETIC' } : {}) };
        const pictures = [{ ...(await decoded(await read(image))), ...about }];
        if (mask) pictures.push({ ...colored(await decoded(await read(mask))), caption: 'its mask' });
        found.push({ name, pictures });
      }
    } finally {
      await file.close();
    }
  }
  return found.sort((one, other) => (one.name < other.name ? -1 : 1)).flatMap(({ pictures }) => pictures);
}

async function decoded(bytes: Buffer) {
  const { data, info } = await sharp(bytes)
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { pixels: data, width: info.width, height: info.height };
}

/** A mask is gray: its three channels are its class numbers. */
function colored({ pixels, width, height }: { pixels: Buffer; width: number; height: number }) {
  const painted = Buffer.alloc(pixels.length);
  for (let at = 0; at < pixels.length; at += 3) maskBytes[pixels[at]!]!.copy(painted, at);
  return { pixels: painted, width, height };
}
