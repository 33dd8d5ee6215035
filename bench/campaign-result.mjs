import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * Writes `bench/results/<name>.json`: what a campaign found, and what it ran on.
 *
 * @param {string} name
 * @param {(string | number)[]} args what the campaign was given
 * @param {object} content
 */
export function writeCampaignResult(name, args, content) {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const result = {
    command: ['npm run campaign --', name, ...args].join(' '),
    date: new Date().toISOString(),
    node: process.version,
    cpu: `${cpus()[0]?.model}, ${cpus().length} cores`,
    ...content,
  };
  const path = `${folder}${name}.json`;
  writeFileSync(`${path}.partial`, `${JSON.stringify(result, null, 2)}\n`);
  renameSync(`${path}.partial`, path);
}
