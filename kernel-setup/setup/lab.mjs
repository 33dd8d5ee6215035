import { join } from 'node:path';
import { trySetUp } from './cli.mjs';
import { inForeground } from './foreground.mjs';
import { inProject, venv } from './paths.mjs';

/** JupyterLab on the loopback address, with the token that it prints: it opens on the notebooks, and reaches the results. */
export async function lab(args) {
  if (!(await trySetUp({ quiet: true }))) return 1;
  const folder = inProject('notebooks');
  // Containers have no other user. The server listens on the loopback address only and asks for its token.
  const asRoot = process.getuid() === 0 ? ['--allow-root'] : [];
  return inForeground(
    join(venv, 'bin', 'jupyter'),
    [
      ...['lab', '--ServerApp.ip=127.0.0.1', `--ServerApp.root_dir=${inProject()}`],
      ...[`--FileContentsManager.preferred_dir=${folder}`, ...asRoot, ...args],
    ],
    // The kernel is found by the PATH's Node, which has to be this one.
    { cwd: folder, env: { ...process.env, PATH: `${join(process.execPath, '..')}:${process.env.PATH}` } },
  );
}
