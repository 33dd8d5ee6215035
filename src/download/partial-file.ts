import { createHash, type Hash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { explainDiskFull } from '../base/disk-full.js';
import { syncFolder, writeFileAtomic } from '../base/files.js';
import { sha256 } from '../base/hash.js';

/** Contents of `<name>.partial.json` beside a partial file: the identity of the content, and how much is on disk. */
interface Sidecar {
  bytes: number;
  etag: string | null;
  modified: string | null;
  /** Number of bytes synced to disk. */
  synced: number;
}

/**
 * A partial download. It is in a separate folder under a unique name, and gets the file's name only when it is
 * complete, synced and checked. A partial file of another process is taken over by renaming it, so that of two
 * processes that claim it, one finds it missing.
 */
export class PartialFile {
  private sidecar: Sidecar | undefined;
  private handle: FileHandle | undefined;
  private hashes: { sha256: Hash; md5: Hash } = newHashes();
  private position = 0;

  private constructor(
    private readonly path: string,
    private readonly target: string,
    private readonly syncEveryBytes: number,
  ) {}

  /** Opens an existing partial file, or a new one. The caller holds the file's lock. */
  static async open(folder: string, path: string, syncEveryBytes: number): Promise<PartialFile> {
    const parts = partialFolder(folder);
    await mkdir(parts, { recursive: true });
    const stem = partialStem(path);
    const own = join(parts, `${stem}.${randomBytes(6).toString('hex')}.partial`);
    const partial = new PartialFile(own, join(folder, path), syncEveryBytes);
    await partial.adopt(stem);
    return partial;
  }

  /** Number of usable bytes. */
  get received(): number {
    return this.position;
  }

  get etag(): string | null {
    return this.sidecar?.etag ?? null;
  }

  /** Request header so that the server sends the rest only if the content is unchanged. */
  get validator(): string | undefined {
    const { etag, modified } = this.sidecar ?? {};
    // A weak ETag does not promise the same bytes.
    return etag && !etag.startsWith('W/') ? etag : (modified ?? undefined);
  }

  private async adopt(stem: string): Promise<void> {
    const parts = dirname(this.path);
    const left = (await readdir(parts)).filter((name) => name.startsWith(`${stem}.`) && name.endsWith('.partial'));
    let best: { name: string; sidecar: Sidecar } | undefined;
    for (const name of left) {
      const sidecar = await readSidecar(join(parts, name));
      if (sidecar && sidecar.synced > (best?.sidecar.synced ?? 0)) best = { name, sidecar };
    }
    if (best) {
      const there = join(parts, best.name);
      const taken = await rename(there, this.path).then(
        () => true,
        () => false,
      );
      if (taken) {
        this.sidecar = best.sidecar;
        this.position = best.sidecar.synced;
        await this.writeSidecar();
      }
    }
    const own = basename(this.path);
    const others = (await readdir(parts)).filter((name) => name.startsWith(`${stem}.`) && !name.startsWith(own));
    for (const name of others.filter((name) => /\.partial(\.json)?$/.test(name))) {
      await rm(join(parts, name), { force: true });
    }
  }

  /** Prepares to resume at `received`: hashes the existing bytes. */
  async resume(): Promise<void> {
    if (this.handle) return;
    this.handle = await open(this.path, 'r+');
    const stream = createReadStream(this.path, { start: 0, end: this.position - 1 });
    for await (const chunk of stream) this.hash(chunk as Buffer);
  }

  /** Discards the existing bytes and starts over with the server's current content. */
  async restart(content: { bytes: number; etag: string | null; modified: string | null }): Promise<void> {
    await this.discard();
    this.handle = await open(this.path, 'wx+');
    this.sidecar = { ...content, synced: 0 };
  }

  async write(chunk: Buffer): Promise<void> {
    await this.written(async () => {
      for (let written = 0; written < chunk.length; ) {
        const { bytesWritten } = await this.handle!.write(
          chunk,
          written,
          chunk.length - written,
          this.position + written,
        );
        written += bytesWritten;
      }
    });
    this.hash(chunk);
    this.position += chunk.length;
    if (this.position - this.sidecar!.synced >= this.syncEveryBytes) await this.sync();
  }

  /** Syncs to disk, so that the bytes are not requested again. */
  async sync(): Promise<void> {
    if (!this.handle || !this.sidecar || this.sidecar.synced === this.position) return;
    await this.written(async () => {
      await this.handle!.datasync();
      this.sidecar!.synced = this.position;
      await this.writeSidecar();
    });
  }

  /** Digests of the bytes so far. */
  digests(): { sha256: string; md5: string } {
    return { sha256: this.hashes.sha256.copy().digest('hex'), md5: this.hashes.md5.copy().digest('hex') };
  }

  /** Modification time of the content, as the finished file will have it. */
  async modifiedMs(): Promise<number> {
    return (await this.handle!.stat()).mtimeMs;
  }

  /** Moves the complete, checked content to its path. */
  async finish(): Promise<void> {
    await this.written(() => this.handle!.sync());
    await this.move(this.target);
  }

  /** Moves wrong content to quarantine, for inspection. */
  async quarantine(place: string): Promise<void> {
    await this.move(place);
  }

  private async move(place: string): Promise<void> {
    await this.close();
    await mkdir(dirname(place), { recursive: true });
    await rename(this.path, place);
    await syncFolder(dirname(place));
    await this.discard();
  }

  async discard(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
    await rm(`${this.path}.json`, { force: true });
    this.sidecar = undefined;
    this.position = 0;
    this.hashes = newHashes();
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
  }

  private hash(chunk: Buffer): void {
    this.hashes.sha256.update(chunk);
    this.hashes.md5.update(chunk);
  }

  private async writeSidecar(): Promise<void> {
    await writeFileAtomic(`${this.path}.json`, `${JSON.stringify(this.sidecar)}\n`);
  }

  private async written(work: () => Promise<void>): Promise<void> {
    const words = () =>
      `${this.target} stopped after ${this.position} of ${this.sidecar?.bytes} bytes; ` +
      'make room and run it again to continue';
    await explainDiskFull(work, words);
  }
}

export function partialFolder(folder: string): string {
  return join(folder, 'partial');
}

/** A short name for a path's partial file and lock. */
export function partialStem(path: string): string {
  return `${basename(path).slice(0, 80)}-${sha256(path).slice(0, 12)}`;
}

async function readSidecar(partial: string): Promise<Sidecar | undefined> {
  try {
    const sidecar = JSON.parse(await readFile(`${partial}.json`, 'utf8')) as Sidecar;
    const { size } = await stat(partial);
    return Number.isSafeInteger(sidecar.synced) && sidecar.synced <= size ? sidecar : undefined;
  } catch {
    return undefined;
  }
}

function newHashes() {
  return { sha256: createHash('sha256'), md5: createHash('md5') };
}
