import { main as setUp } from './cli.mjs';
import { endWithParent } from './end-with-parent.mjs';
import { inForeground } from './foreground.mjs';
import { inProject } from './paths.mjs';

const pathlab = (...args) =>
  inForeground(process.execPath, [inProject('kernel-setup/pathlab.mjs'), ...args], {
    cwd: inProject(),
    env: { ...process.env, PATHLAB_PARENT: String(process.pid) },
  });

/** Exit statuses of a run that the user stopped. */
const stopped = [129, 130, 143];

/** @returns {Promise<number>} 0 only if every notebook ran and the gallery shows it */
export async function start(args) {
  const setUpCode = await setUp(args);
  if (setUpCode !== 0) return setUpCode;
  if (process.env.npm_lifecycle_event) endWithParent('SIGTERM');
  const code = await pathlab('run', '--matrix', 'experiments/demo.yaml');
  if (stopped.includes(code)) return code;
  // It prints the page's path, which thus is the last line.
  const galleryCode = await pathlab('gallery');
  return code || galleryCode;
}
