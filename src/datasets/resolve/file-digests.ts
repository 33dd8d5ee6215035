import { readFile, stat } from 'node:fs/promises';
import { digestOfFile, throwIfInterrupted, writeFileAtomic } from '../../base/index.js';

/** A file that changed less than this before it was read may change again within the timestamp's resolution, ms. */
const settled = 2000;
/** Between two calls of `onFile`, ms. */
const emitEvery = 1000;

/**
 * SHA-256 of the user's files. Earlier digests are reused while size and timestamps of a file are unchanged, so that
 * terabytes of slides are not read again for each list. The ctime is included, since copying programs cannot set it.
 */
export class FileDigests {
  private readonly found = new Map<string, readonly [state: string, sha256: string]>();
  private isNew = false;
  private count = 0;
  private told = Date.now();

  private constructor(
    private readonly path: string | undefined,
    private readonly known: ReadonlyMap<string, readonly [state: string, sha256: string]>,
    private readonly watch: { signal?: AbortSignal; onFile?: (files: number) => void },
  ) {}

  /**
   * @param path of the file to store them in; undefined to store none
   * @param options.everyByte reads every file again
   * @param options.onFile called periodically with the number of files so far
   */
  static async open(
    path?: string,
    options: { everyByte?: boolean; signal?: AbortSignal; onFile?: (files: number) => void } = {},
  ): Promise<FileDigests> {
    const text =
      path === undefined || options.everyByte ? undefined : await readFile(path, 'utf8').catch(() => undefined);
    return new FileDigests(path, parsed(text), options);
  }

  /**
   * @param name key of the file: its path in the user's folder
   * @throws InterruptedError when the signal aborts; system errors
   */
  async of(place: string, name: string): Promise<string> {
    throwIfInterrupted(this.watch.signal, 'making the list');
    const { size, mtimeNs, ctimeNs, ctimeMs } = await stat(place, { bigint: true });
    const state = `${size} ${mtimeNs} ${ctimeNs}`;
    const before = this.known.get(name);
    const isKnown = before?.[0] === state;
    const began = Date.now();
    const sha256 = isKnown ? before[1] : await digestOfFile(place);
    if (began - Number(ctimeMs) > settled) {
      this.found.set(name, [state, sha256]);
      this.isNew ||= !isKnown;
    }
    this.count++;
    if (Date.now() - this.told >= emitEvery) {
      this.told = Date.now();
      this.watch.onFile?.(this.count);
    }
    return sha256;
  }

  /** Stores the digests for a later call. If this fails, the files are only read again. */
  async keep(): Promise<void> {
    if (this.path === undefined || !this.isNew) return;
    await writeFileAtomic(this.path, `${JSON.stringify([...this.found])}\n`).catch(() => {});
  }
}

/** Empty if the file is invalid, which only costs time. */
function parsed(text: string | undefined): ReadonlyMap<string, readonly [state: string, sha256: string]> {
  try {
    const entries = JSON.parse(text ?? '[]') as [string, [string, string]][];
    return new Map(entries.filter(([, [, sha256]]) => /^[0-9a-f]{64}$/.test(sha256)));
  } catch {
    return new Map();
  }
}
