import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { projectRoot, writeFileAtomic } from '../base/index.js';
import { type CompileProgress, compileDataset, inputHash, readReport, shardFolder } from './compile/index.js';
import type { DatasetDefinition } from './definition.js';
import { describeData } from './describe-data.js';
import { inferDefinition } from './infer/index.js';
import { checkDefinition, definitionPath, readDefinition } from './read-definition.js';
import { resolveDataset } from './resolve-dataset.js';
import { openShardDataset, type ShardDataset } from './shard-dataset.js';
import type { DatasetSlide } from './slide-source.js';
import { slidesOnDisk } from './slides-on-disk.js';

export interface OpenDataOptions {
  /** Size of patches, px: patches of another size are resized. By default they are kept, and must all have one size. */
  size?: number;
  /** Images of any shape are cut into square patches of this side, px (see `CutOptions`). */
  tile?: number;
  stride?: number;
  edge?: 'shift' | 'drop';
  /** Minimum tissue fraction of a patch, for slides and for images that are cut into patches. */
  minimumTissue?: number;
  /** Keeps patches as PNG, so that no value changes. */
  lossless?: boolean;
  /** Seed for drawing a slide's patches; 0 by default. */
  seed?: number | string;
  /** Slides, or shards of patches, compiled in parallel. */
  workers?: number;
  /** Where datasets lie, a folder each; by default the project's `data`. */
  data?: string;
  onProgress?: (event: CompileProgress) => void;
  signal?: AbortSignal;
}

export interface OpenedData {
  dataset: ShardDataset;
  /** Undefined where `data` is a folder of shards: its report says what it was compiled from. */
  definition: DatasetDefinition | undefined;
  /** Slides whose files are here; none of precut patches, or where `data` is a folder of shards. */
  slides: readonly DatasetSlide[];
  /** How the data were interpreted, in sentences to show. */
  understood: string[];
}

/** What the user's `data` names. */
export type NamedData =
  | { kind: 'shards'; folder: string }
  | {
      kind: 'definition';
      /** A name in `data-manifests/`, or the path of a file. */
      definition: string;
      /** The source of an inferred definition. */
      understood: string[];
      groupColumn?: string;
    };

/**
 * Opens a user's data as a compiled dataset, which is compiled if needed: a dataset compiled from the same list with
 * the same settings is reused.
 *
 * @param data a name in `data-manifests/`; or a path, from the current or else the project's folder, of a definition
 *   (`.json`), of a folder of compiled shards, of a folder with a folder of images for each class, of a folder of slides, or of a table of patches
 *   (`.csv`)
 * @throws Error with the problem and its solution; InterruptedError when `signal` aborts
 */
export async function openData(data: string, options: OpenDataOptions = {}): Promise<OpenedData> {
  const named = await nameData(data, options);
  if (named.kind === 'shards') {
    const dataset = await openShardDataset(named.folder);
    if (options.size !== undefined && options.size !== dataset.size) {
      throw new RangeError(
        `${data} is compiled at ${dataset.size} px; for ${options.size} px, compile its patches again`,
      );
    }
    if (options.tile !== undefined && options.tile !== dataset.size) {
      throw new RangeError(
        `${data} is cut into patches of ${dataset.size} px; for ${options.tile} px, cut its images again`,
      );
    }
    const { dataset: name, title } = dataset.report;
    return {
      dataset,
      definition: undefined,
      slides: [],
      understood: [`Shards of ${name}: ${title}.`, ...describeData(dataset)],
    };
  }
  const { size, tile, stride, edge, minimumTissue, lossless, seed, workers, onProgress, signal } = options;
  const root = options.data ?? join(projectRoot, 'data');
  const definition = readDefinition(named.definition);
  const cut = { size, tile, stride, edge, minimumTissue, lossless, seed };
  const folder = shardFolder(definition, cut, root);
  requireFetched(data, definition, folder);
  // Downloads stay in the fetch folder; records of the user's own files are beside the shards.
  const out = 'folder' in definition.source ? join(root, definition.name, 'source') : undefined;
  const resolved = await resolveDataset(named.definition, { out, signal });
  const { ready: slides, missing } = slidesOnDisk(resolved);
  if (slides.length === 0) {
    throw new Error(
      `none of the ${missing.length} ${definition.unit} of ${data} are in ${resolved.folder}. ${howToGet(data, folder)}`,
    );
  }
  const { excluded, listSha256 } = resolved.lock;
  const inputs = { definition, slides, excluded, listSha256 };
  let dataset = await openIfSame(folder, inputHash(inputs));
  if (!dataset) {
    await compileDataset(inputs, { ...cut, data: root, workers, onProgress, signal });
    dataset = await openShardDataset(folder);
  }
  const about = named.understood.length > 0 ? named.understood : [`${definition.name}: ${definition.title}.`];
  const understood = [...about, ...describeData(dataset, named.groupColumn)];
  if (missing.length > 0) {
    const { length } = resolved.slides;
    understood.push(`Missing: ${missing.length} of ${length} ${definition.unit}. ${howToGet(data, folder)}.`);
  }
  return { dataset, definition, slides: definition.unit === 'slides' ? slides : [], understood };
}

/**
 * Resolves the user's `data`, and makes a definition from a folder of images or a table.
 *
 * @param options.data where datasets lie, and such a definition with them
 * @throws Error when there is nothing of that name, or it cannot be understood
 */
export async function nameData(
  data: string,
  options: { data?: string; signal?: AbortSignal } = {},
): Promise<NamedData> {
  if (data.trim() === '') throw new RangeError('data is empty; name a definition, a file or a folder');
  if (/^[a-z0-9-]+$/.test(data) && existsSync(definitionPath(data))) {
    return { kind: 'definition', definition: data, understood: [] };
  }
  const places = [resolve(data), resolve(projectRoot, data)];
  const path = places.find((place) => existsSync(place));
  if (path === undefined) {
    throw new Error(
      `there is no ${data}: neither a definition in data-manifests/ nor a file or folder ${[...new Set(places)].join(' or ')}`,
    );
  }
  const isFolder = statSync(path).isDirectory();
  if (isFolder && existsSync(join(path, 'index.arrow'))) return { kind: 'shards', folder: path };
  if (!isFolder && path.endsWith('.json')) return { kind: 'definition', definition: path, understood: [] };
  if (!isFolder && !/\.csv$/i.test(path)) {
    throw new Error(
      `${path} is neither a folder nor a definition (.json) nor a table of patches (.csv): data is one of these, or a name in ` +
        'data-manifests/',
    );
  }
  const { definition, understood, groupColumn, table } = await inferDefinition(path, options);
  const place = join(options.data ?? join(projectRoot, 'data'), definition.name, `${definition.name}.json`);
  if (table !== undefined) await writeFileAtomic(join(dirname(place), `${definition.name}.csv`), table);
  await writeFileAtomic(place, `${JSON.stringify(checkDefinition(definition, place), null, 2)}\n`);
  return { kind: 'definition', definition: place, understood, groupColumn };
}

/** Only `pathlab fetch` contacts a source: opening data downloads nothing. */
function requireFetched(data: string, { name, source }: DatasetDefinition, folder: string): void {
  const lock = join(projectRoot, 'data', name, 'source', 'lock.json');
  if ('folder' in source || existsSync(lock)) return;
  throw new Error(`the files of ${name} are not here: there is no ${lock}. ${howToGet(data, folder)}`);
}

function howToGet(data: string, folder: string): string {
  const compiled = existsSync(join(folder, 'index.arrow'))
    ? `; the compiled dataset opens without them: ${folder}`
    : '';
  return `"npx --no-install pathlab fetch ${data}" downloads them (--plan shows how much)${compiled}`;
}

/** The dataset in a folder, if it was compiled from these inputs and is whole. */
async function openIfSame(folder: string, inputs: string | null): Promise<ShardDataset | undefined> {
  const report = await readReport(folder).catch(() => undefined);
  if (inputs === null || report?.inputHash !== inputs) return undefined;
  const dataset = await openShardDataset(folder).catch(() => undefined);
  return dataset?.shardNames.every((name) => existsSync(join(folder, name))) ? dataset : undefined;
}
