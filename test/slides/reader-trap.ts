import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Node arguments for a reader process in which files with "crash" in their name end it as a fault in a native library
 * does, and files with "hang" keep it for good: no image is known that does so to the decoders as they are now.
 *
 * @param folder for the program
 */
export function readerTrap(folder: string): string[] {
  const trap = join(folder, 'trap.mjs');
  writeFileSync(
    trap,
    `import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { open } = fs.promises;
    fs.promises.open = (path, ...others) => {
      if (/crash/.test(path)) process.kill(process.pid, 'SIGSEGV');
      if (/hang/.test(path)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      return open(path, ...others);
    };
    syncBuiltinESMExports();`,
  );
  return ['--import', trap];
}
