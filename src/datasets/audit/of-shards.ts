import { basename } from 'node:path';
import { inParallel, throwIfInterrupted } from '../../base/index.js';
import { readEncoded } from '../read-encoded.js';
import { type CodedColumn, openShardDataset, type ShardDataset } from '../shard-dataset.js';
import { type AuditedPicture, type AuditedPictures, fingerprints, type PictureFacts } from './pictures.js';

export interface ShardPicturesOptions {
  /**
   * Reads and compares at most about so many pictures, as many of each slide; a slide's are spread over it. Of the others
   * the index tells all but the bytes.
   */
  most?: number;
  /** Called with what is known of all pictures before any is read; may throw. */
  check?: (pictures: readonly PictureFacts[]) => void;
  /** Called after each shard. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/** More would take hours to hash and compare. */
const defaultMost = 100_000;

/**
 * The pictures of a compiled dataset, for an audit.
 *
 * @param folder with `index.arrow` and `report.json`
 * @throws Error when the folder is not a compiled dataset; InterruptedError when `signal` aborts
 */
export async function picturesOfShards(folder: string, options: ShardPicturesOptions = {}): Promise<AuditedPictures> {
  const dataset = await openShardDataset(folder);
  const rows = rowsToCompare(dataset, options.most ?? defaultMost);
  const { slides, patients, sites, splits, labels, classNames, synthetic } = dataset;
  const numbers = dataset.index.array('patch') as ArrayLike<number>;
  const nameAt = (column: CodedColumn | null, row: number) => column?.names[column.codes[row]!] ?? null;
  const factsOf = (row: number): PictureFacts => {
    const slide = nameAt(slides, row);
    return {
      id: `${slide}/${numbers[row]}`,
      side: nameAt(splits, row),
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
    throwIfInterrupted(options.signal, 'comparing pictures');
    const encoded = await readEncoded(dataset, ofShard);
    const images = encoded.map(({ image }) => image);
    const pictures: AuditedPicture[] = [];
    const nameOf = (place: number) => `the patch ${facts[ofShard[place]!]!.id}`;
    for await (const seen of fingerprints(images, nameOf, options.signal)) {
      pictures.push({ ...facts[ofShard[pictures.length]!]!, ...seen });
    }
    options.onProgress?.(++done, rows.length);
    return pictures;
  });
  const all = rows.flat();
  const read = new Set(all);
  return {
    name: `${dataset.report.dataset}, ${basename(folder)}`,
    pictures: ofShards.flat(),
    unread: facts.filter((_, row) => !read.has(row)),
    total: dataset.count,
    otherFiles: 0,
    read: async (place) => (await readEncoded(dataset, [all[place]!]))[0]!.image,
  };
}

/** Rows of the index, shard by shard: all, or as many of each shard. */
function rowsToCompare({ count, shards, shardNames }: ShardDataset, most: number): number[][] {
  const ofShard: number[][] = shardNames.map(() => []);
  for (let row = 0; row < count; row++) ofShard[shards[row]!]!.push(row);
  if (count <= most) return ofShard;
  const each = Math.max(1, Math.floor(most / shardNames.length));
  return ofShard.map((rows) => {
    const step = Math.max(1, rows.length / each);
    return Array.from({ length: Math.min(each, rows.length) }, (_, n) => rows[Math.floor(n * step)]!);
  });
}
