import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * A Python of the peers' own, made when it is not there or its requirements have changed. Each group of peers has one,
 * so that the versions that one needs do not decide those of another.
 *
 * @param {string} group whose requirements are in `bench/peers/<group>.txt`
 * @returns {string} path of the interpreter
 */
export function peerPython(group) {
  const folder = fileURLToPath(new URL(`.venv/${group}`, import.meta.url));
  const requirements = fileURLToPath(new URL(`peers/${group}.txt`, import.meta.url));
  const stamp = `${folder}/pathlab-requirements.txt`;
  const wanted = readFileSync(requirements, 'utf8');
  const python = `${folder}/bin/python`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return python;
  console.error(`Making the peers' environment in ${folder}; this takes some minutes the first time.`);
  rmSync(folder, { recursive: true, force: true });
  run(process.env.PYTHON ?? 'python3', ['-m', 'venv', folder]);
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  writeFileSync(`${stamp}.partial`, wanted);
  renameSync(`${stamp}.partial`, stamp);
  return python;
}

function run(program, args) {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}
