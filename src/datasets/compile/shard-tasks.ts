import { canonicalJson, sha256 } from '../../base/index.js';
import type { LabelRule } from '../definition.js';
import { jpegQuality, shardVersion } from '../shards/index.js';
import type { DatasetSlide } from '../slide-source.js';
import { compileSlide } from './compile-slide.js';
import { type CutOptions, type CutSettings, cutSettings, precutSettings, type SlideDataset } from './dataset.js';
import { fingerprintOf } from './fingerprint.js';
import { commonSide, compilePatches, precutGroups } from './precut-patches.js';
import type { CompileReport } from './report.js';
import type { ShardTask } from './shard-queue.js';

/** All tasks of a dataset. */
export interface Work {
  tasks: readonly ShardTask[];
  /** What the tasks are, in words. */
  what: string;
  /** For the report. */
  settings: CompileReport['settings'];
}

/** A task for each slide. */
export function slideWork({ definition, slides }: SlideDataset, options: CutOptions & { signal?: AbortSignal }): Work {
  const settings = cutSettings(definition, options);
  const { labels } = definition;
  const tasks = slides.map((record) => ({
    id: record.id,
    paths: [record.path, record.mask, record.annotation].filter((path): path is string => path !== null),
    async prepare() {
      const slide = { ...record, ...(await fingerprintOf(record.path)) };
      const inputHash = await inputHashOf(slide, { settings, labels });
      return {
        inputHash,
        async compile(shard: string) {
          await compileSlide(shard, slide, { settings, labels, inputHash, signal: options.signal });
          return [];
        },
      };
    },
  }));
  return { tasks, what: 'slides', settings };
}

/** Images of a shard that are cut into patches. */
const imagesOfShard = 20;

/** A task for some hundred patches. */
export async function precutWork(
  { definition: { labels }, slides }: SlideDataset,
  options: CutOptions & { signal?: AbortSignal },
): Promise<Work> {
  const { pixels: asked, tiles, lossless = false } = precutSettings(options);
  const pixels = asked ?? (await commonSide(slides));
  const job = { pixels, mayResize: asked !== null, tiles, lossless, labels, signal: options.signal };
  const tasks = precutGroups(slides, tiles && imagesOfShard).map((group) => ({
    id: group.id,
    paths: group.patches.flatMap(({ path, mask }) => (mask === null ? [path] : [path, mask])),
    async prepare() {
      const patches: object[] = [];
      for (const { path, mask, sha256: _, ...facts } of group.patches) {
        patches.push({
          ...facts,
          file: await fingerprintIfThere(path),
          mask: mask && (await fingerprintIfThere(mask)),
        });
      }
      const { mayResize } = job;
      const inputs = { shardVersion, jpegQuality, pixels, mayResize, tiles, lossless, labels, patches };
      const inputHash = sha256(canonicalJson(inputs));
      return { inputHash, compile: (shard: string) => compilePatches(shard, group, { ...job, inputHash }) };
    },
  }));
  return { tasks, what: 'shards of patches', settings: { geometry: { pixels }, ...(lossless && { lossless }) } };
}

/** Null if the file is missing; reading the patch then fails. */
async function fingerprintIfThere(path: string): Promise<string | null> {
  try {
    return (await fingerprintOf(path)).fingerprint;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Hash of all inputs of a shard: contents of files, not their paths. */
async function inputHashOf(
  record: DatasetSlide & { bytes: number; fingerprint: string },
  { settings, labels }: { settings: CutSettings; labels: LabelRule },
): Promise<string> {
  // A file's full hash is not always known, but its fingerprint is.
  const { path: _, sha256: __, mask, annotation, ...facts } = record;
  const fingerprint = async (path: string | null) => path && (await fingerprintOf(path)).fingerprint;
  return sha256(
    canonicalJson({
      shardVersion,
      jpegQuality,
      settings,
      labels,
      facts,
      mask: await fingerprint(mask),
      annotation: await fingerprint(annotation),
    }),
  );
}
