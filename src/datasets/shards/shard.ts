import { type FileHandle, open } from 'node:fs/promises';
import { canonicalJson, UnfinishedFile } from '../../base/index.js';
import type { SplitName } from '../definition.js';
import {
  commentOf,
  readTarHeader,
  type TarEntry,
  tarComment,
  tarContentOffset,
  tarEnd,
  tarFile,
  tarHeaderSize,
} from './tar.js';

/**
 * A shard is a tar archive with the patches of one slide (or with some precut patches), as WebDataset reads it: `<slide>/000012.jpg` (or `.png`) beside
 * `<slide>/000012.json` and, where there is one, `<slide>/000012.mask.png`. It begins with a comment, `pathlab shard
 * <version> <hash of its inputs>`, and ends with `__slide__/slide.json`, what is known of the slide as a whole
 * (WebDataset passes over such names).
 */
export const shardVersion = 3;

/** Of the JPEGs that compiling encodes. */
export const jpegQuality = 90;

const slideMember = '__slide__/slide.json';

/** What is known of one patch beside its image. */
export interface PatchFacts {
  /** Name of the patch's class; null where it has none. */
  class: string | null;
  patient: string | null;
  /** Where the slide was made: a hospital, or a scanner. */
  site: string | null;
  /** Top left corner, level-0 px; 0 of a precut patch. */
  x: number;
  y: number;
  /** Numbers that judge the patch: the share that is tissue, and what else was measured. */
  scores: Readonly<Record<string, number>>;
  synthetic: boolean;
  /** Of a precut patch, its id in the user's list; of a patch of a slide, the slide is the shard's. */
  slide?: string;
  /** Its split in the user's table. */
  split?: SplitName;
}

/** A patch as it goes into a shard. */
export interface ShardPatch {
  /** JPEG, or PNG. */
  image: Uint8Array;
  /** PNG, a class number a pixel. */
  mask?: Uint8Array;
  facts: PatchFacts;
}

/** Writes a shard under a temporary name; `finish` gives it its own. */
export class ShardWriter {
  private patches = 0;

  private constructor(
    private readonly file: UnfinishedFile,
    private readonly slide: string,
  ) {}

  /**
   * @param path of the shard
   * @param slide id of the slide, a safe name
   * @param inputHash hash of all that decides the shard's bytes
   */
  static async create(path: string, slide: string, inputHash: string): Promise<ShardWriter> {
    const writer = new ShardWriter(await UnfinishedFile.create(path), slide);
    try {
      await writer.file.append(tarComment(`pathlab shard ${shardVersion} ${inputHash}`));
      return writer;
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  async append({ image, mask, facts }: ShardPatch): Promise<void> {
    const name = `${this.slide}/${String(this.patches++).padStart(6, '0')}`;
    const type = isPng(image) ? 'png' : 'jpg';
    const parts = [tarFile(`${name}.${type}`, image), tarFile(`${name}.json`, Buffer.from(canonicalJson(facts)))];
    if (mask) parts.push(tarFile(`${name}.mask.png`, mask));
    await this.file.append(Buffer.concat(parts));
  }

  /** @param facts what is known of the slide as a whole */
  async finish(facts: unknown): Promise<void> {
    await this.file.append(tarFile(slideMember, Buffer.from(canonicalJson(facts))));
    await this.file.append(tarEnd());
    await this.file.finish();
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    await this.file.abandon();
  }
}

/** The hash of the inputs of the shard at `path`; undefined where there is none, or only a part of one. */
export async function shardInputHash(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    const { inputHash } = await readComment(file, path);
    const { size } = await file.stat();
    const end = await readAt(file, size - tarEnd().length, tarEnd().length);
    return size % tarHeaderSize === 0 && end.equals(tarEnd()) ? inputHash : undefined;
  } finally {
    await file.close();
  }
}

async function readComment(file: FileHandle, path: string): Promise<{ inputHash: string; end: number }> {
  const header = readTarHeader(await readAt(file, 0, tarHeaderSize), path);
  if (header.kind !== 'comment')
    throw new Error(`${path} is not a shard of pathlab: it does not begin with its comment`);
  const comment = commentOf(await readAt(file, tarHeaderSize, header.length), path);
  const [, version, inputHash] = /^pathlab shard (\d+) ([0-9a-f]+)$/.exec(comment) ?? [];
  if (!inputHash) throw new Error(`${path} is not a shard of pathlab: its comment is ${JSON.stringify(comment)}`);
  if (Number(version) !== shardVersion) {
    throw new Error(
      `${path} is a shard of version ${version}; this version of pathlab reads version ${shardVersion}: compile it again`,
    );
  }
  return { inputHash, end: tarHeaderSize + header.span };
}

/** Where a patch lies in its shard. */
export interface PatchPlace {
  image: TarEntry;
  mask?: TarEntry;
  facts: PatchFacts;
}

export interface ShardContent<SlideFacts> {
  inputHash: string;
  slide: SlideFacts;
  patches: PatchPlace[];
}

/**
 * Reads all of a shard but the images.
 *
 * @throws Error that says what is wrong with a shard that is damaged or cut off
 */
export async function readShard<SlideFacts>(path: string): Promise<ShardContent<SlideFacts>> {
  const file = await open(path, 'r');
  try {
    const { inputHash, end } = await readComment(file, path);
    const patches: PatchPlace[] = [];
    let slide: SlideFacts | undefined;
    let image: TarEntry | undefined;
    for (let at = end; ; ) {
      const header = readTarHeader(await readAt(file, at, tarHeaderSize), path);
      if (header.kind === 'end') break;
      const entry = { name: header.name, offset: at + tarContentOffset, length: header.length };
      if (entry.name.endsWith('.mask.png')) patches.at(-1)!.mask = entry;
      else if (/\.(jpg|png)$/.test(entry.name)) image = entry;
      else {
        const content: unknown = JSON.parse((await readAt(file, entry.offset, entry.length)).toString('utf8'));
        if (entry.name === slideMember) slide = content as SlideFacts;
        else if (image) patches.push({ image, facts: content as PatchFacts });
      }
      at = entry.offset + header.span;
    }
    if (!slide) throw new Error(`${path} is damaged: it ends without ${slideMember}`);
    return { inputHash, slide, patches };
  } finally {
    await file.close();
  }
}

/** By its first byte; a JPEG has 0xff there. */
function isPng(image: Uint8Array): boolean {
  return image[0] === 0x89;
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}
