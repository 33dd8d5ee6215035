import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { canonicalJson, sha256 } from '../../base/index.js';
import { dataGroups } from '../../report/index.js';
import type { Provenance } from '../../runs/index.js';
import { isWeights } from './copy-run.js';
import { weightsPath } from './model-cards.js';

/** A file of a site. */
export interface SiteFile {
  /** From the site's folder. */
  path: string;
  bytes: number;
  sha256: string;
}

/** A node of an RO-Crate's graph. */
export interface CrateEntity {
  '@id': string;
  '@type': string | readonly string[];
  [property: string]: unknown;
}

export interface Crate {
  '@context': readonly unknown[];
  '@graph': readonly CrateEntity[];
}

export const crateName = 'ro-crate-metadata.json';
/** The entity that tells a site of `pathlab publish` from other crates. */
export const publisher = '#pathlab-publish';
const profile = 'https://w3id.org/ro/wfrun/process/0.5';

/** What people who cite a site need. */
export interface SiteTitle {
  title: string;
  authors: readonly string[];
  /** ISO 8601. */
  date: string;
}

/**
 * The metadata of a site: RO-Crate 1.1 with the profile Process Run Crate 0.5. Every file has its size and SHA-256, and
 * every run is an action: its instrument is the code, its objects are data, parameters and first weights, its results are
 * metrics, page and weights.
 *
 * @param runs names of the runs' folders in `site/runs`
 */
export function crateOf(site: string, files: readonly SiteFile[], runs: readonly string[], title: SiteTitle): Crate {
  const paths = new Set(files.map(({ path }) => path));
  const entities = new Map<string, CrateEntity>();
  const add = (entity: CrateEntity) => {
    entities.set(entity['@id'], entity);
    return { '@id': entity['@id'] };
  };
  const authors = title.authors.map((name) => add({ '@id': `#author-${slug(name)}`, '@type': 'Person', name }));
  const actions = runs.map((name) => add(actionOf(site, name, { add, has: (path) => paths.has(path), authors })));
  return {
    '@context': ['https://w3id.org/ro/crate/1.1/context', { sha256: 'https://w3id.org/ro/terms/workflow-run#sha256' }],
    '@graph': [
      {
        ...{ '@id': crateName, '@type': 'CreativeWork', about: { '@id': './' } },
        conformsTo: { '@id': 'https://w3id.org/ro/crate/1.1' },
      },
      {
        ...{ '@id': './', '@type': 'Dataset', name: title.title, datePublished: title.date },
        description:
          'Results of pathlab: notebooks that pretrain on pathology patches and fine-tune on small sets, with their pages, ' +
          'numbers, weights and provenance.',
        ...(authors.length > 0 && { author: one(authors) }),
        ...{ license: { '@id': 'LICENSE.md' }, conformsTo: { '@id': profile } },
        ...{ hasPart: files.map(({ path }) => ({ '@id': idOf(path) })), mentions: one(actions) },
      },
      { '@id': profile, '@type': 'CreativeWork', name: 'Process Run Crate', version: '0.5' },
      { '@id': publisher, '@type': 'SoftwareApplication', name: 'pathlab publish', description: 'wrote this crate' },
      ...files.map(fileEntity),
      ...entities.values(),
    ],
  };
}

/** The address of a file in a crate. */
export const idOf = (path: string) => path.split('/').map(encodeURIComponent).join('/');

function fileEntity({ path, bytes, sha256: digest }: SiteFile): CrateEntity {
  const encodingFormat = formats[extname(path)] ?? 'application/octet-stream';
  const about = path.startsWith('weights/') ? { description: 'weights of a network, in safetensors' } : {};
  return {
    ...{ '@id': idOf(path), '@type': 'File', name: path, contentSize: String(bytes), sha256: digest, ...about },
    encodingFormat,
  };
}

const formats: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.json': 'application/json',
  '.jsonl': 'application/jsonl',
  '.ipynb': 'application/x-ipynb+json',
  '.csv': 'text/csv',
  '.md': 'text/markdown',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.tex': 'application/x-tex',
};

interface Graph {
  add: (entity: CrateEntity) => { '@id': string };
  has: (path: string) => boolean;
  authors: readonly { '@id': string }[];
}

function actionOf(site: string, name: string, { add, has, authors }: Graph): CrateEntity {
  const read = <T>(file: string) => JSON.parse(readFileSync(join(site, 'runs', name, file), 'utf8')) as T;
  const run = read<Provenance>('provenance.json');
  const code = add({
    ...{
      '@id': `#code-${sha256(canonicalJson([run.notebook, run.hashes])).slice(0, 16)}`,
      '@type': 'SoftwareApplication',
    },
    name: run.notebook,
    softwareVersion: run.gitCommit ?? run.versions.pathlab ?? 'not known',
    description: Object.entries(run.hashes)
      .map(([part, hash]) => `SHA-256 of ${part}: ${hash}`)
      .join('; '),
    softwareRequirements: Object.entries(run.versions).map(([part, version]) =>
      add({
        '@id': `#software-${idOf(part)}-${idOf(version)}`,
        '@type': 'SoftwareApplication',
        name: part,
        softwareVersion: version,
      }),
    ),
  });
  const data = dataGroups(run.data).map(({ name: of, files: count, sha256: digest, facts }) => {
    const { origin, licence } = facts as { origin?: string; licence?: string };
    const many = count > 1 ? `${count} files; the SHA-256 is that of the list of theirs in provenance.json. ` : '';
    return add({
      ...{ '@id': `#data-${digest.slice(0, 16)}`, '@type': 'CreativeWork', name: of },
      ...{ description: `${many}${origin ?? ''}`.trim(), ...(licence && { license: licence }), sha256: digest },
    });
  });
  const parameters = Object.entries(read<Record<string, unknown>>('parameters.json')).map(([parameter, value]) =>
    add({
      ...{ '@id': `#run-${idOf(name)}-parameter-${idOf(parameter)}`, '@type': 'PropertyValue', name: parameter },
      value: typeof value === 'string' ? value : JSON.stringify(value),
    }),
  );
  const first = Object.entries(run.weights).filter(([file]) => !(file in run.files));
  const weightsIn = first.map(([file, hash]) =>
    has(weightsPath(hash))
      ? { '@id': weightsPath(hash) }
      : add({ '@id': `#weights-${hash.slice(0, 16)}`, '@type': 'CreativeWork', name: file, sha256: hash }),
  );
  const kept = Object.entries(run.files).flatMap(([file, hash]) => (isWeights(file) ? [weightsPath(hash)] : []));
  const results = ['metrics.json', 'notebook.html', 'notebook.ipynb'].map((file) => `runs/${name}/${file}`);
  const edited = run.edited.length > 0 ? 'Cells were run that are not of the notebook. ' : '';
  return {
    ...{ '@id': `#run-${idOf(name)}`, '@type': 'CreateAction', name: `${run.notebook}, ${run.scale} scale` },
    description: `${edited}${run.command}`,
    identifier: run.runHash,
    instrument: code,
    object: one([...data, ...parameters, ...weightsIn]),
    result: one([...new Set([...results, ...kept])].filter(has).map((path) => ({ '@id': idOf(path) }))),
    ...{
      startTime: inOffset(run.started),
      endTime: inOffset(run.ended),
      actionStatus: 'http://schema.org/CompletedActionStatus',
    },
    ...(authors.length > 0 && { agent: one(authors) }),
  };
}

/** ISO 8601 as the profile wants it: with an offset. */
const inOffset = (time: string) => time.replace(/Z$/, '+00:00');

/** JSON-LD as crates have it: one value alone, several as a list. */
const one = <T>(values: readonly T[]) => (values.length === 1 ? values[0]! : values);

const slug = (text: string) =>
  encodeURIComponent(
    text
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '-'),
  );
