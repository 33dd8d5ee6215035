import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { digestOfFile, projectRoot } from '../../base/index.js';
import {
  checkUrl,
  type DownloadOptions,
  downloadAll,
  redactedUrl,
  request,
  withDefaults,
} from '../../download/index.js';
import { openSafetensors, type TensorFile } from '../../engine/index.js';
import { openNpz } from './npz.js';
import { openTorchFile } from './torch-file.js';

export interface SourceOptions {
  /** What the file must be: required of an address. */
  sha256?: string;
  /** Of an address: where the file is kept, by default `data/weights` in the project; and how it is brought. */
  folder?: string;
  download?: DownloadOptions;
}

/** Weights that are open, and the SHA-256 of each of their files by its name. */
export interface OpenedWeights extends TensorFile {
  files: Record<string, string>;
}

/** What a folder of shards is listed in. */
const indexName = 'model.safetensors.index.json';

/**
 * Opens weights: a safetensors file, a folder of shards with their index, a PyTorch file, a NumPy archive, or the https
 * address of one, which is kept.
 *
 * @throws Error that names the file and what is wrong with it
 */
export async function openWeights(source: string, options: SourceOptions = {}): Promise<OpenedWeights> {
  const { sha256 } = options;
  const path = /^https?:/.test(source) ? await brought(source, options) : source;
  if ((await stat(path)).isDirectory() || basename(path) === indexName) {
    if (sha256 !== undefined) throw new RangeError(`${path}: a SHA-256 applies to one file, not to a folder of shards`);
    return openShards(basename(path) === indexName ? dirname(path) : path);
  }
  const digest = await digestOfFile(path);
  if (sha256 !== undefined && digest !== sha256) {
    throw new Error(`${path} is not the requested file: its SHA-256 is ${digest}, not ${sha256}`);
  }
  const file = await openFile(path);
  return { ...file, files: { [basename(path)]: digest } };
}

function openFile(path: string): Promise<TensorFile> {
  if (/\.safetensors$/i.test(path)) return openSafetensors(path);
  if (/\.npz$/i.test(path)) return openNpz(path);
  if (/\.(pth|pt|bin|ckpt|tar|torch)$/i.test(path)) return openTorchFile(path);
  throw new Error(
    `${path} does not have the extension of a weights file: .safetensors, .npz, .pth, .pt, .bin, .ckpt, .tar or .torch`,
  );
}

async function openShards(folder: string): Promise<OpenedWeights> {
  const path = join(folder, indexName);
  let listed: Record<string, unknown>;
  try {
    const index = JSON.parse(await readFile(path, 'utf8')) as { weight_map?: Record<string, unknown> } | null;
    listed = index?.weight_map ?? {};
  } catch (error) {
    throw new Error(`${path} is not an index of shards: ${(error as Error).message}`, { cause: error });
  }
  const names = Object.values(listed);
  // A shard lies beside its index.
  const isName = (name: unknown): name is string =>
    typeof name === 'string' && /^[\w-][\w.-]*\.safetensors$/.test(name);
  if (names.length === 0 || !names.every((name) => isName(name))) {
    throw new Error(`${path} is not an index of shards: its weight_map does not give each tensor's file`);
  }
  const shards = new Map<string, TensorFile>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    const files: Record<string, string> = { [indexName]: await digestOfFile(path) };
    for (const name of new Set(names as string[])) {
      shards.set(name, await openSafetensors(join(folder, name)));
      files[name] = await digestOfFile(join(folder, name));
    }
    const tensors = Object.entries(listed as Record<string, string>).map(([name, shard]) => {
      const stored = shards.get(shard)!.tensors[name];
      if (!stored) throw new Error(`${path} lists the tensor "${name}" in ${shard}, which does not contain it`);
      return [name, stored] as const;
    });
    const count = [...shards.values()].reduce((sum, { tensors }) => sum + Object.keys(tensors).length, 0);
    if (count !== tensors.length)
      throw new Error(`${path} lists ${tensors.length} tensors, but its shards contain ${count}`);
    return { tensors: Object.fromEntries(tensors), metadata: {}, files, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The file of a URL, downloaded unless it is here. */
async function brought(source: string, { sha256, folder, download = {} }: SourceOptions): Promise<string> {
  const url = checkUrl(source);
  const shown = redactedUrl(url);
  if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new RangeError(`${shown}: weights from a URL need the option sha256, 64 hexadecimal digits`);
  }
  const name = basename(url.pathname);
  if (!/^\w[\w.-]*$/.test(name)) throw new RangeError(`${shown} does not end with a file name`);
  const place = join(folder ?? join(projectRoot, 'data', 'weights'), sha256);
  const path = join(place, name);
  if (await stat(path).catch(() => undefined)) return path;
  const answer = await request(source, { ...withDefaults(download), method: 'HEAD', headers: {} });
  answer.close();
  const bytes = Number(answer.headers['content-length']);
  if (answer.status !== 200 || !Number.isSafeInteger(bytes)) {
    throw new Error(`${shown}: the server answers ${answer.status} without the length of the file`);
  }
  const file = { path: name, url: source, bytes, md5: null, sha256, etag: null };
  const { failed } = await downloadAll(place, [file], download);
  if (failed[0]) throw new Error(`${shown}: ${failed[0].reason}`);
  return path;
}
