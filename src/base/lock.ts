import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';

const { tryLock } = createRequire(import.meta.url)('fs-native-extensions') as {
  tryLock(fd: number, options: { shared: boolean }): boolean;
};

export interface LockOptions {
  /** A shared lock, which several processes may hold. */
  shared?: boolean;
}

/**
 * A lock on a file, which the operating system releases when the process ends in any way. It works across machines on
 * network file systems with POSIX locks (NFS 4, Lustre with flock).
 */
export class FileLock {
  private constructor(
    private readonly path: string,
    private file: FileHandle | undefined,
    private readonly shared: boolean,
  ) {}

  /**
   * Locks the file at `path`, which is created if missing, and writes its owner into it.
   *
   * @returns undefined when another process holds it
   */
  static async take(path: string, { shared = false }: LockOptions = {}): Promise<FileLock | undefined> {
    for (;;) {
      const file = await open(path, 'a+');
      try {
        if (!tryLock(file.fd, { shared })) {
          await file.close();
          return undefined;
        }
        // The previous owner may have removed the file between the two calls: then this lock is void.
        if (await isAt(path, file)) {
          await file.truncate();
          await file.writeFile(`process ${process.pid} on ${hostname()}`);
          return new FileLock(path, file, shared);
        }
        await file.close();
      } catch (error) {
        await file.close();
        throw error;
      }
    }
  }

  /**
   * The same without waiting.
   *
   * @throws Error that names its owner, beginning with `what`
   */
  static async require(path: string, what: string, options?: LockOptions): Promise<FileLock> {
    const lock = await FileLock.take(path, options);
    if (lock) return lock;
    throw new Error(`${what} by ${await lockOwner(path)}: wait until it ends, or stop it`);
  }

  get isHeld(): boolean {
    return this.file !== undefined;
  }

  async release(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    if (!file) return;
    if (!this.shared && (await isAt(this.path, file))) await rm(this.path, { force: true });
    await file.close();
  }
}

/** The owner of a lock, such as `process 12 on gpu-03`. */
export async function lockOwner(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')) || 'another process';
}

/** Whether an open file is still the one at `path`. */
async function isAt(path: string, file: FileHandle): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  return there?.ino === (await file.stat()).ino;
}
