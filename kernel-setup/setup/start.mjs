import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { main as setUp } from './cli.mjs';
import { inForeground } from './foreground.mjs';
import { inProject } from './paths.mjs';

const pathlab = (...args) => inForeground(process.execPath, [inProject('kernel-setup/pathlab.mjs'), ...args]);

/** @returns {Promise<number>} 0 only if every notebook ran and the gallery shows it */
export async function start(args) {
  const setUpCode = await setUp(args);
  if (setUpCode !== 0) return setUpCode;
  const gallery = inProject('results/index.html');
  // An old gallery must not pass for the new one.
  rmSync(gallery, { force: true });
  const notebooks = readdirSync(inProject('notebooks')).filter((name) => name.endsWith('.ipynb'));
  const failed = [];
  for (const notebook of notebooks.sort().map((name) => basename(name, '.ipynb'))) {
    console.log(`\n== ${notebook}, demo scale ==`);
    const code = await pathlab('run', notebook, '-p', 'scale', 'demo');
    if (code > 128) return code;
    if (code !== 0) failed.push(notebook);
  }
  const galleryCode = await pathlab('gallery');
  if (failed.length > 0)
    console.error(`\n${failed.length} of ${notebooks.length} notebooks failed: ${failed.join(', ')}`);
  if (!existsSync(gallery)) {
    console.error('the gallery was not written\n  Remedy: npx --no-install pathlab doctor');
    return 1;
  }
  console.log(gallery);
  return failed.length > 0 || galleryCode !== 0 ? 1 : 0;
}
