import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('./', import.meta.url);

/**
 * Runs `bench/<name>.<kind>.mjs`, or says which there are.
 *
 * @param {'bench' | 'campaign'} kind
 * @param {string[]} args the name, and what that program takes
 * @returns {number} the exit status
 */
export function dispatch(kind, [name, ...args]) {
  const ending = `.${kind}.mjs`;
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));
  if (!names.includes(name)) {
    const known = names.length > 0 ? `there are: ${names.sort().join(', ')}` : `there is none yet`;
    console.error(`npm run ${kind} -- NAME: ${name ? `no ${kind} is called ${name}` : 'which one?'}; ${known}`);
    return 1;
  }
  const program = fileURLToPath(new URL(name + ending, folder));
  return spawnSync(process.execPath, [program, ...args], { stdio: 'inherit' }).status ?? 1;
}
