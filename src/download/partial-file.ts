import { createHash, type Hash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { explainDiskFull } from '../base/disk-full.js';
import { syncFolder, writeFileAtomic } from '../base/files.js';
import { sha256 } from '../base/hash.js';

/** What `<name>.partial.json` beside a partial file says: which content it is the beginning of, and how much is safe. */
interface Sidecar {
  bytes: number;
  etag: string | null;
  modified: string | null;
  /** So much is on the disk for certain, also after a power cut. */
  synced: number;
}

/**
 * The beginning of a file that is being downloaded. It lies in a folder of its own under a name that no other process
 * has, and gets the file's name only when it is whole, synced and checked. What another process left is taken over by
 * renaming it, so that of two processes that both believe the file to be theirs one finds its own gone.
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

  /** Opens what there is of a file, or nothing of it. The caller holds the file's lock. */
  static async open(folder: string, path: string, syncEveryBytes: number): Promise<PartialFile> {
    const parts = partialFolder(folder);
    await mkdir(parts, { recursive: true });
    const stem = partialStem(path);
    const own = join(parts, `${stem}.${randomBytes(6).toString('hex')}.partial`);
    const partial = new PartialFile(own, join(folder, path), syncEveryBytes);
    await partial.adopt(stem);
    return partial;
  }

  /** How much is there; 0 when nothing is, or it must not be used. */
  get received(): number {
    return this.position;
  }

  get etag(): string | null {
    return this.sidecar?.etag ?? null;
  }

  /** What a server needs to know to send the rest only if the content is still the same. */
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

  /** Makes ready to go on at `received`: reads what is there into the hashes. */
  async resume(): Promise<void> {
    if (this.handle) return;
    this.handle = await open(this.path, 'r+');
    const stream = createReadStream(this.path, { start: 0, end: this.position - 1 });
    for await (const chunk of stream) this.hash(chunk as Buffer);
  }

  /** Throws away what is there and begins anew with the content that the server has now. */
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

  /** Puts what is there on the disk for certain, so that it is not asked for again. */
  async sync(): Promise<void> {
    if (!this.handle || !this.sidecar || this.sidecar.synced === this.position) return;
    await this.written(async () => {
      await this.handle!.datasync();
      this.sidecar!.synced = this.position;
      await this.writeSidecar();
    });
  }

  /** Digests of what is there. */
  digests(): { sha256: string; md5: string } {
    return { sha256: this.hashes.sha256.copy().digest('hex'), md5: this.hashes.md5.copy().digest('hex') };
  }

  /** When the content was last written, as the finished file will tell it. */
  async modifiedMs(): Promise<number> {
    return (await this.handle!.stat()).mtimeMs;
  }

  /** Gives the whole, checked content its place. */
  async finish(): Promise<void> {
    await this.written(() => this.handle!.sync());
    await this.move(this.target);
  }

  /** Puts content that must not be used where people can look at it. */
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
      'make room and run it again, it goes on from there';
    await explainDiskFull(work, words);
  }
}

export function partialFolder(folder: string): string {
  return join(folder, 'partial');
}

/** A name for a path's partial file and lock: short whatever the path's length. */
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
