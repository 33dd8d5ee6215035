import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot, sha256 } from '../base/index.js';
import type { SlideDataset } from './compile/index.js';
import type { DatasetDefinition } from './definition.js';
import { readSlideManifest } from './manifest.js';
import type { SlideSource } from './slide-source.js';

/** The manifest of the real slide that set-up downloads. */
export const sampleManifestName = 'openslide-cmu-1-small-region';

/**
 * The real sample slide, checked against its manifest.
 *
 * @throws Error when it is missing or does not match the manifest
 */
export function sampleSlide(root = projectRoot): SlideSource {
  const { file, licence, origin } = readSlideManifest(sampleManifestName, root);
  const path = join(root, file.path);
  if (!existsSync(path)) throw new Error(`the sample slide ${path} is missing; run "npm run setup" to get it`);
  const found = sha256(readFileSync(path));
  if (found !== file.sha256) {
    throw new Error(
      `the sample slide ${path} is damaged: its SHA-256 is ${found}, not ${file.sha256}; ` +
        'delete it and run "npm run setup" to get it again',
    );
  }
  return {
    id: file.name.replace(/\.[^.]+$/, ''),
    path,
    synthetic: false,
    licence: licence.name,
    origin: origin.name,
    sha256: found,
  };
}

/**
 * The real sample slide as a dataset of one slide without classes, cut as another definition says.
 *
 * @param like the definition whose geometry its patches have
 * @throws Error as `sampleSlide`
 */
export function sampleDataset(like: DatasetDefinition, root = projectRoot): SlideDataset {
  const { name, title, origin, licence, citation, file } = readSlideManifest(sampleManifestName, root);
  const slide = sampleSlide(root);
  return {
    definition: {
      ...like,
      name,
      title,
      unit: 'slides',
      synthetic: false,
      origin,
      source: { kind: 'slides', table: `${name}.json`, folder: dirname(file.path), columns: { path: 'file.path' } },
      minimumBytes: 0,
      exclusions: [],
      labels: { from: 'none' },
      licence,
      citation,
      notes: [`Cut like ${like.name}. A single slide, for viewing only: too few to split or train on.`],
      expected: null,
      resolvedSha256: null,
    },
    slides: [{ ...slide, patient: null, site: null, class: null, mask: null, annotation: null }],
  };
}
