import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { canonicalJson, projectRoot, sha256 } from '../base/index.js';
import type { DatasetDefinition } from './definition.js';
import { definitionFaults } from './definition-rules.js';
import { readJsonFile } from './json-file.js';
import { isObject } from './schema.js';

/**
 * Reads a definition and checks every field.
 *
 * @param nameOrPath a name in `data-manifests/`, or the path of a `.json` file
 * @throws Error that names the file and each field that is missing, unknown or wrong
 */
export function readDefinition(nameOrPath: string, root = projectRoot): DatasetDefinition {
  const path = definitionPath(nameOrPath, root);
  if (!nameOrPath.endsWith('.json') && !existsSync(path)) {
    throw new RangeError(
      `there is no definition "${nameOrPath}": data-manifests/ holds ${definitionNames(dirname(path)).join(', ')}; to ` +
        'use your own definition, give its path, which ends with .json',
    );
  }
  return checkDefinition(readJsonFile(path, 'the dataset definition'), path);
}

/** Checks a definition that is in memory already, and returns it. */
export function checkDefinition(given: unknown, path: string): DatasetDefinition {
  const content = withCurrentNames(given);
  const wrong = definitionFaults(content);
  const name = basename(path, '.json');
  if (wrong.length === 0 && (content as DatasetDefinition).name !== name) {
    wrong.push(`name is "${(content as DatasetDefinition).name}", the file's is "${name}"`);
  }
  if (wrong.length > 0) throw new Error(`the dataset definition ${path} is invalid: ${wrong.join('; ')}`);
  return content as DatasetDefinition;
}

/** Accepts the earlier names of three fields. */
function withCurrentNames(content: unknown): unknown {
  if (!isObject(content)) return content;
  const { labels, geometry, source } = content;
  return {
    ...content,
    ...(isObject(labels) && { labels: renamed(labels, 'others', 'unmapped', { refuse: 'error' }) }),
    ...(isObject(geometry) && { geometry: renamed(geometry, 'mostPatchesPerSlide', 'maxPatchesPerSlide') }),
    ...(isObject(source) &&
      isObject(source.columns) && { source: { ...source, columns: renamed(source.columns, 'side', 'split') } }),
  };
}

function renamed(
  fields: Record<string, unknown>,
  earlier: string,
  now: string,
  values: Record<string, string> = {},
): Record<string, unknown> {
  if (!(earlier in fields) || now in fields) return fields;
  const { [earlier]: value, ...others } = fields;
  return { ...others, [now]: values[String(value)] ?? value };
}

/** The file of a definition. */
export function definitionPath(nameOrPath: string, root = projectRoot): string {
  if (nameOrPath.endsWith('.json')) return resolve(nameOrPath);
  if (!/^[a-z0-9-]+$/.test(nameOrPath)) {
    throw new RangeError(
      `"${nameOrPath}" is neither a definition's name (a-z, 0-9 and - only) nor the path of a .json file`,
    );
  }
  return join(root, 'data-manifests', `${nameOrPath}.json`);
}

/** A folder of definitions also contains manifests of single slides. */
function definitionNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .filter((file) => 'unit' in (readJsonFile(join(folder, file), 'the dataset definition') as object))
    .map((file) => basename(file, '.json'))
    .sort();
}

/** The folder that a definition's relative paths start from. */
export function definitionFolder(nameOrPath: string, root = projectRoot): string {
  return dirname(definitionPath(nameOrPath, root));
}

/** Hash of what a definition asks for; results of resolving are not included. */
export function definitionSha256(definition: DatasetDefinition): string {
  const { expected: _, resolvedSha256: __, ...asked } = definition;
  return sha256(canonicalJson(asked));
}

/** Whether the list is verified: it is the user's own, or its hash is in the definition. */
export function isResolved({ source, resolvedSha256 }: DatasetDefinition): boolean {
  return ['folder', 'csv', 'slides'].includes(source.kind) || resolvedSha256 !== null;
}
