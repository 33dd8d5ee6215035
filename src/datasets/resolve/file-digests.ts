import { readFile, stat } from 'node:fs/promises';
import { digestOfFile, throwIfInterrupted, writeFileAtomic } from '../../base/index.js';

/** A file that changed less than this before it was read may be written again within its clock's grain, ms. */
const settled = 2000;
/** Between two calls of `onFile`, ms. */
const emitEvery = 1000;

/**
 * SHA-256 of the user's files. Those of an earlier call count while size and times of a file stand: a folder of slides of
 * terabytes is not read again each time that its list is made. The time of the last change is the system's own, which no
 * copying program sets.
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
   * @param path of the file that keeps them; undefined to keep none
   * @param options.everyByte reads every file, whatever is known of it
   * @param options.onFile called now and then with the number of files so far
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
   * @param name of the file in what is kept: its path in the user's folder
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

  /** Keeps what was found for a later call. Where nothing can be written the files are read again: that is slow, and no harm. */
  async keep(): Promise<void> {
    if (this.path === undefined || !this.isNew) return;
    await writeFileAtomic(this.path, `${JSON.stringify([...this.found])}\n`).catch(() => {});
  }
}

/** Empty for what is not a list of digests, which costs time and nothing else. */
function parsed(text: string | undefined): ReadonlyMap<string, readonly [state: string, sha256: string]> {
  try {
    const entries = JSON.parse(text ?? '[]') as [string, [string, string]][];
    return new Map(entries.filter(([, [, sha256]]) => /^[0-9a-f]{64}$/.test(sha256)));
  } catch {
    return new Map();
  }
}
