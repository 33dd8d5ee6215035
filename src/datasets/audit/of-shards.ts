import { basename } from 'node:path';
import { inParallel, throwIfInterrupted } from '../../base/index.js';
import { readEncoded } from '../read-encoded.js';
import { type CodedColumn, openShardDataset, type ShardDataset } from '../shard-dataset.js';
import { type AuditedImage, type AuditedImages, fingerprints, type ImageFacts } from './images.js';

export interface ShardImagesOptions {
  /**
   * Reads and compares at most about so many images, as many of each slide; a slide's are spread over it. Of the others
   * the index tells all but the bytes.
   */
  maxImages?: number;
  /** Called with what is known of all images before any is read; may throw. */
  check?: (images: readonly ImageFacts[]) => void;
  /** Called after each shard. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/** More would take hours to hash and compare. */
const defaultMaxImages = 100_000;

/**
 * The images of a compiled dataset, for an audit.
 *
 * @param folder with `index.arrow` and `report.json`
 * @throws Error when the folder is not a compiled dataset; InterruptedError when `signal` aborts
 */
export async function imagesOfShards(folder: string, options: ShardImagesOptions = {}): Promise<AuditedImages> {
  const dataset = await openShardDataset(folder);
  const rows = rowsToCompare(dataset, options.maxImages ?? defaultMaxImages);
  const { slides, patients, sites, splits, labels, classNames, synthetic } = dataset;
  const numbers = dataset.index.array('patch') as ArrayLike<number>;
  const nameAt = (column: CodedColumn | null, row: number) => column?.names[column.codes[row]!] ?? null;
  const factsOf = (row: number): ImageFacts => {
    const slide = nameAt(slides, row);
    return {
      id: `${slide}/${numbers[row]}`,
      split: nameAt(splits, row),
      slide,
      patient: nameAt(patients, row),
      site: nameAt(sites, row),
      class: classNames[labels[row]!] ?? null,
      synthetic: synthetic[row] === 1,
    };
  };
  const facts = Array.from({ length: dataset.count }, (_, row) => factsOf(row));
  options.check?.(facts);
  let done = 0;
  const ofShards = await inParallel(rows, async (ofShard) => {
    throwIfInterrupted(options.signal, 'comparing images');
    const encoded = await readEncoded(dataset, ofShard);
    const encodedImages = encoded.map(({ image }) => image);
    const images: AuditedImage[] = [];
    const nameOf = (place: number) => `the patch ${facts[ofShard[place]!]!.id}`;
    for await (const seen of fingerprints(encodedImages, nameOf, options.signal)) {
      images.push({ ...facts[ofShard[images.length]!]!, ...seen });
    }
    options.onProgress?.(++done, rows.length);
    return images;
  });
  const all = rows.flat();
  const read = new Set(all);
  return {
    name: `${dataset.report.dataset}, ${basename(folder)}`,
    images: ofShards.flat(),
    unread: facts.filter((_, row) => !read.has(row)),
    total: dataset.count,
    otherFiles: 0,
    read: async (place) => (await readEncoded(dataset, [all[place]!]))[0]!.image,
  };
}

/** Rows of the index, shard by shard: all, or as many of each shard. */
function rowsToCompare({ count, shards, shardNames }: ShardDataset, maxImages: number): number[][] {
  const ofShard: number[][] = shardNames.map(() => []);
  for (let row = 0; row < count; row++) ofShard[shards[row]!]!.push(row);
  if (count <= maxImages) return ofShard;
  const each = Math.max(1, Math.floor(maxImages / shardNames.length));
  return ofShard.map((rows) => {
    const step = Math.max(1, rows.length / each);
    return Array.from({ length: Math.min(each, rows.length) }, (_, n) => rows[Math.floor(n * step)]!);
  });
}
