import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder, temporaryName } from './files.js';

/** A file that is written in parts, under a temporary name; `finish` gives it its own. */
export class UnfinishedFile {
  private length = 0;

  private constructor(
    private readonly path: string,
    private readonly temporary: string,
    private readonly file: FileHandle,
  ) {}

  static async create(path: string): Promise<UnfinishedFile> {
    await mkdir(dirname(path), { recursive: true });
    const temporary = temporaryName(path);
    return new UnfinishedFile(path, temporary, await open(temporary, 'wx'));
  }

  /** Bytes written so far. */
  get size(): number {
    return this.length;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.writeAt(bytes, this.length);
    this.length += bytes.length;
  }

  /** Writes over bytes that are there. */
  async overwrite(bytes: Uint8Array, at: number): Promise<void> {
    if (!(at >= 0 && at + bytes.length <= this.length)) {
      throw new RangeError(`bytes ${at} to ${at + bytes.length} are not within the ${this.length} bytes written`);
    }
    await this.writeAt(bytes, at);
  }

  async finish(): Promise<void> {
    await this.file.sync();
    await this.file.close();
    await rename(this.temporary, this.path);
    await syncFolder(dirname(this.path));
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    await this.file.close().catch(() => {});
    await rm(this.temporary, { force: true });
  }

  private async writeAt(bytes: Uint8Array, at: number): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      written += (await this.file.write(bytes, written, bytes.length - written, at + written)).bytesWritten;
    }
  }
}

/** Removes temporary files of a killed process. Only the process that writes the file, or its folder, may call it. */
export async function removeUnfinished(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) {
    if (name.startsWith(prefix) && name.endsWith('.partial')) await rm(join(folder, name), { force: true });
  }
}
