import { inParallel } from '../base/index.js';
import { type CompiledDataset, openShardDataset, readEncoded, type ShardDataset } from '../datasets/index.js';
import { imageLimits, readImageFile } from '../slides/index.js';
import { type GridImage, showImageGrid } from './image-grid.js';
import { ignoredColor, maskColor } from './style.js';

const maskBytes = Array.from({ length: 256 }, (_, number) => Buffer.from(maskColor(number).slice(1), 'hex'));

/**
 * Shows patches of a compiled dataset: as many of each class as fit (of each patient or slide if patches have no
 * class), each followed by its mask, if any.
 *
 * @param options.save also writes the image to this PNG file
 */
export async function showPatches(
  { folder }: Pick<CompiledDataset, 'folder'>,
  options: { save?: string } = {},
): Promise<void> {
  const dataset = await openShardDataset(folder);
  const hasMasks = dataset.mask.length.some((bytes) => bytes > 0);
  const patches = await patchGridImages(dataset, sampleRows(dataset, hasMasks ? 15 : 20));
  const columns = hasMasks ? 6 : [5, 4].find((count) => patches.length % count === 0);
  await showImageGrid(patches.flat(), {
    columns: columns ?? 5,
    cell: 150,
    legend: maskLegend(dataset),
    alt: `${patches.length} patches of ${dataset.report.dataset} from its shards${hasMasks ? ', each with its mask' : ''}`,
    ...options,
  });
}

/**
 * Example patches: as many of each class as fit, spread over it; for patches without a class, of each patient or slide.
 *
 * @param from rows of the index to choose from, by default all
 * @returns rows of the index, class by class in the order of their names
 */
export function sampleRows(dataset: ShardDataset, maxPatches: number, from?: ArrayLike<number>): number[] {
  const rowsOf = new Map<string, number[]>();
  for (const row of from ? Array.from(from) : Array(dataset.count).keys()) {
    const { caption } = patchCaption(dataset, row);
    const known = rowsOf.get(caption);
    if (known) known.push(row);
    else rowsOf.set(caption, [row]);
  }
  const each = Math.max(1, Math.floor(maxPatches / rowsOf.size));
  const names = [...rowsOf.keys()].sort().slice(0, maxPatches);
  return names.flatMap((name) => spread(rowsOf.get(name)!, each));
}

/** A patch's caption: its class, or else its patient or slide; synthetic ones are marked. */
export function patchCaption(dataset: ShardDataset, row: number): { caption: string; mark?: string } {
  const { classNames, labels, patients, slides, synthetic } = dataset;
  const caption =
    classNames[labels[row]!] ?? patients.names[patients.codes[row]!] ?? slides.names[slides.codes[row]!] ?? '';
  return { caption, ...(synthetic[row] ? { mark: 'SYNTHETIC' } : {}) };
}

/** Encoded patches from their shards: the image, and the mask, if any. */
export function patchGridImages(dataset: ShardDataset, rows: readonly number[]): Promise<GridImage[][]> {
  return inParallel(rows, async (row) => {
    const [encoded] = await readEncoded(dataset, [row]);
    const about = patchCaption(dataset, row);
    const patch = { ...(await decoded(encoded!.image, about.caption)), ...about };
    if (!encoded!.mask) return [patch];
    return [patch, { ...colored(await decoded(encoded!.mask, about.caption)), caption: 'its mask' }];
  });
}

/** What the gray in masks means, where there is some. */
export function maskLegend({ report: { ignoredMaskValues } }: Pick<ShardDataset, 'report'>) {
  return ignoredMaskValues
    ? [{ color: ignoredColor, words: `ignored: the mask value ${ignoredMaskValues.join(', ')}` }]
    : [];
}

function spread(rows: readonly number[], count: number): number[] {
  const step = Math.max(1, rows.length / count);
  return Array.from({ length: Math.min(count, rows.length) }, (_, n) => rows[Math.floor(n * step)]!);
}

async function decoded(encoded: Uint8Array, name: string) {
  const form = { as: 'rgb', limits: imageLimits } as const;
  const { data, facts } = await readImageFile(encoded, form, `a patch of ${name}`);
  return { pixels: data, width: facts.width, height: facts.height };
}

/** A mask as gray RGB of its class numbers. */
function colored({ pixels, width, height }: { pixels: Uint8Array; width: number; height: number }) {
  const painted = Buffer.alloc(pixels.length);
  for (let at = 0; at < pixels.length; at += 3) maskBytes[pixels[at]!]!.copy(painted, at);
  return { pixels: painted, width, height };
}
