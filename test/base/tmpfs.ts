import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A small disk of its own, in memory. */
export interface SmallDisk {
  folder: string;
  /** Fills it up to so many bytes. */
  leave(bytes: number): void;
  /** Takes away what filled it. */
  makeRoom(): void;
  remove(): void;
}

/** Mounts a small disk; undefined where this process may not mount. */
export function smallDisk(kibibytes: number): SmallDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', folder]);
  if (status !== 0) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  const filler = join(folder, 'filler');
  return {
    folder,
    leave(bytes) {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - bytes)));
    },
    makeRoom: () => rmSync(filler, { force: true }),
    remove() {
      spawnSync('umount', [folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Whether this process may mount, for tests that are skipped where it may not. */
export const canMount = (() => {
  const disk = smallDisk(64);
  disk?.remove();
  return disk !== undefined;
})();
