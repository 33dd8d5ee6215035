import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { main as setUp } from './cli.mjs';
import { inForeground } from './foreground.mjs';
import { inProject } from './paths.mjs';

const pathlab = (...args) => inForeground(process.execPath, [inProject('kernel-setup/pathlab.mjs'), ...args]);

/** Exit statuses of a run that the user stopped. */
const stopped = [129, 130, 143];

/** @returns {Promise<number>} 0 only if every notebook ran and the gallery shows it */
export async function start(args) {
  const setUpCode = await setUp(args);
  if (setUpCode !== 0) return setUpCode;
  const notebooks = readdirSync(inProject('notebooks')).filter((name) => name.endsWith('.ipynb'));
  const failed = [];
  for (const notebook of notebooks.sort().map((name) => basename(name, '.ipynb'))) {
    console.log(`\n== ${notebook}, demo scale ==`);
    const code = await pathlab('run', notebook, '-p', 'scale', 'demo');
    if (stopped.includes(code)) return code;
    if (code !== 0) failed.push(notebook);
  }
  if (failed.length > 0)
    console.error(`\n${failed.length} of ${notebooks.length} notebooks failed: ${failed.join(', ')}`);
  // It prints the page's path, which thus is the last line.
  const galleryCode = await pathlab('gallery');
  return failed.length > 0 ? 1 : galleryCode;
}
