import { type CompiledDataset, openShardDataset, readEncoded } from '../datasets/index.js';
import { pictureLimits, readPicture } from '../slides/index.js';
import type { GridPicture } from './picture-grid.js';
import { maskColor } from './style.js';

const maskBytes = Array.from({ length: 256 }, (_, number) => Buffer.from(maskColor(number).slice(1), 'hex'));

/**
 * Patches of a compiled dataset as its shards hold them, the first of each class (or of each slide where patches have no
 * class), each followed by its mask where there is one. Of ready patches without a class each is the only one of its name.
 *
 * @param each so many of each class
 * @param most so many patches in all
 */
export async function shardPictures(
  { folder }: Pick<CompiledDataset, 'folder'>,
  { each, most }: { each: number; most: number },
): Promise<GridPicture[]> {
  const dataset = await openShardDataset(folder);
  const [classes, slides, synthetic] = ['class', 'slide', 'synthetic'].map((name) => dataset.index.array(name));
  const taken = new Map<string, number>();
  const found: { name: string; pictures: GridPicture[] }[] = [];
  for (let row = 0; row < dataset.count && found.length < most; row++) {
    const name = (classes![row] ?? slides![row]) as string;
    const before = taken.get(name) ?? 0;
    if (before >= each) continue;
    taken.set(name, before + 1);
    const [patch] = await readEncoded(dataset, [row]);
    const about = { caption: name, ...(synthetic![row] ? { mark: 'SYNTHETIC' } : {}) };
    const pictures = [{ ...(await decoded(patch!.image, name)), ...about }];
    if (patch!.mask) pictures.push({ ...colored(await decoded(patch!.mask, name)), caption: 'its mask' });
    found.push({ name, pictures });
  }
  return found.sort((one, other) => (one.name < other.name ? -1 : 1)).flatMap(({ pictures }) => pictures);
}

async function decoded(encoded: Uint8Array, name: string) {
  const form = { as: 'rgb', limits: pictureLimits } as const;
  const { data, facts } = await readPicture(encoded, form, `a patch of ${name}`);
  return { pixels: data, width: facts.width, height: facts.height };
}

/** A mask is gray: its three channels are its class numbers. */
function colored({ pixels, width, height }: { pixels: Uint8Array; width: number; height: number }) {
  const painted = Buffer.alloc(pixels.length);
  for (let at = 0; at < pixels.length; at += 3) maskBytes[pixels[at]!]!.copy(painted, at);
  return { pixels: painted, width, height };
}
