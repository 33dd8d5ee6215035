import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const projectRoot = fileURLToPath(new URL('../', import.meta.url));

/** What set-up and runs make, and what a fresh clone therefore does not have. */
const made = ['node_modules', '.venv', '.pathlab', 'dist', 'results', 'data', '.git', 'bench/.venv'];

/** Copies the project as a fresh clone would have it into a new temporary folder, and returns the folder. */
export function copyProject() {
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-copy-'));
  const isSource = (path) => !made.includes(relative(projectRoot, path).split(sep).join('/'));
  cpSync(projectRoot, folder, { recursive: true, filter: isSource, verbatimSymlinks: true });
  return folder;
}
