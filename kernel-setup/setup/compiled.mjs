import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { explain } from './failures.mjs';
import { inState } from './paths.mjs';
import { emptyBuildingFolder, hashOfFile } from './state.mjs';

/**
 * Puts a step's compiled file in its place. It is kept by the fingerprint of what it was made from, so that a new node_modules
 * or a return to earlier sources costs no compilation.
 *
 * @param {{ name: string, title: string }} step
 * @param {string} file the place
 * @param {{ fingerprint: string, force: boolean }} context of the step's run
 * @param {(built: string) => Promise<unknown>} compile makes the file under another name, in a folder of its own
 * @returns {Promise<string>} the file's SHA-256
 */
export async function placeCompiled(step, file, { fingerprint, force }, compile) {
  const kept = inState(step.name, `${fingerprint}${extname(file)}`);
  if (force || !existsSync(kept)) {
    const built = join(emptyBuildingFolder(step.name), basename(file));
    try {
      await compile(built);
    } catch (error) {
      throw explain(error, { what: `Compiling the ${step.title}` });
    }
    mkdirSync(dirname(kept), { recursive: true });
    renameSync(built, kept);
  }
  mkdirSync(dirname(file), { recursive: true });
  copyFileSync(kept, `${file}.partial`);
  renameSync(`${file}.partial`, file);
  return hashOfFile(file);
}
