import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file's pages above this are given back once they have been read. */
const keptBytes = 2 ** 24;

/**
 * A file in memory through which a reader process hands over pixels: it writes, this process reads them straight to
 * where they belong. Images that are in this process's memory go to the reader the same way. The file has no name, so that nothing is left when both have ended.
 */
export class SlotFile {
  readonly descriptor: number;

  constructor() {
    const folder = mkdtempSync(join(sharedMemory(), 'pathlab-reader-'));
    try {
      this.descriptor = openSync(join(folder, 'pixels'), 'w+', 0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  read(target: Uint8Array, at: number): void {
    for (let filled = 0; filled < target.length; ) {
      const count = readSync(this.descriptor, target, filled, target.length - filled, at + filled);
      if (count === 0) throw new Error('a reader process handed over fewer pixels than it said');
      filled += count;
    }
  }

  /** Puts in what the reader process is to read, one after the other. */
  write(parts: readonly Uint8Array[]): void {
    let at = 0;
    for (const part of parts) {
      for (let written = 0; written < part.length; ) {
        written += writeSync(this.descriptor, part, written, part.length - written, at + written);
      }
      at += part.length;
    }
  }

  /** After `bytes` were read or put in. */
  release(bytes: number): void {
    if (bytes > keptBytes) ftruncateSync(this.descriptor, 0);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** The memory file system where there is one with room, else the temporary folder. */
function sharedMemory(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    if (bavail * bsize > 2 ** 28) return '/dev/shm';
  } catch {
    // Not Linux.
  }
  return tmpdir();
}
