import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { canonicalJson, sha256 } from '../../base/index.js';
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
  const byName = new Map(files.map((file) => [file.path, file]));
  const entities = new Map<string, CrateEntity>();
  const add = (entity: CrateEntity) => {
    entities.set(entity['@id'], entity);
    return { '@id': entity['@id'] };
  };
  const authors = title.authors.map((name) => add({ '@id': `#author-${slug(name)}`, '@type': 'Person', name }));
  const actions = runs.map((name) => add(actionOf(site, name, { add, has: (path) => byName.has(path), authors })));
  const pathlab = {
    '@id': publisher,
    '@type': 'SoftwareApplication',
    name: 'pathlab publish',
    url: 'https://arxiv.org/abs/2303.15693',
  };
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
        ...(authors.length > 0 && { author: authors }),
        ...{ license: { '@id': 'LICENSE.md' }, conformsTo: { '@id': profile } },
        ...{ hasPart: files.map(({ path }) => ({ '@id': idOf(path) })), mentions: actions },
      },
      { '@id': profile, '@type': 'CreativeWork', name: 'Process Run Crate', version: '0.5' },
      pathlab,
      ...files.map(fileEntity),
      ...entities.values(),
    ],
  };
}

/** The address of a file in a crate. */
export const idOf = (path: string) => path.split('/').map(encodeURIComponent).join('/');

function fileEntity({ path, bytes, sha256: digest }: SiteFile): CrateEntity {
  const encodingFormat = formats[extname(path)];
  const about = path.startsWith('weights/') ? { description: 'weights of a network, in safetensors' } : {};
  return {
    ...{ '@id': idOf(path), '@type': 'File', name: path, contentSize: String(bytes), sha256: digest, ...about },
    ...(encodingFormat && { encodingFormat }),
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
    softwareRequirements: Object.entries(run.versions).map(([part, version]) => `${part} ${version}`),
  });
  const data = run.data.map((entry) => {
    const { name: of, origin, licence, sha256: hash } = entry as Readonly<Record<string, string | undefined>>;
    return add({
      ...{
        '@id': `#data-${(hash ?? sha256(canonicalJson(entry))).slice(0, 16)}-${slug(String(of))}`,
        '@type': 'CreativeWork',
      },
      ...{ name: String(of), ...(origin && { description: origin }), ...(licence && { license: licence }) },
      ...(hash && { sha256: hash }),
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
    object: [...data, ...parameters, ...weightsIn],
    result: [...new Set([...results, ...kept])].filter(has).map((path) => ({ '@id': idOf(path) })),
    ...{
      startTime: run.started,
      endTime: run.ended,
      actionStatus: { '@id': 'http://schema.org/CompletedActionStatus' },
    },
    ...(authors.length > 0 && { agent: authors }),
  };
}

const slug = (text: string) =>
  encodeURIComponent(
    text
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '-'),
  );
