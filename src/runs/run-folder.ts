import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EventLog, type RunEvent } from './event-log.js';
import { projectRoot, writeFileAtomic } from './files.js';
import { canonicalJson, sha256, sha256OfTree } from './hash.js';
import { type Provenance, type ProvenanceFacts, provenanceOf } from './provenance.js';

/** What a notebook was asked for; a parameter that is `undefined` was left to the scale. */
export type RunParameters = Record<string, unknown>;

/** A number that the gallery and later runs read, with its 95 % interval where there is one. */
export interface Metric {
  name: string;
  value: number;
  interval?: readonly [low: number, high: number];
  unit?: string;
  /** What the number is, in words: data, split, method of the interval. */
  about?: string;
}

/** What is kept of a finished run: its key numbers, and what they were made of. */
export interface RunResult extends ProvenanceFacts {
  /** In the order in which the gallery shows them. */
  metrics: readonly Metric[];
}

/**
 * Where a notebook run with these parameters belongs:
 * `results/runs/<notebook>-<scale>-<short hash>`. The hash covers what decides the result: the parameters that were
 * given (not `out`), src/, the notebook's code and the data manifests. A run asked for again lands in the same
 * folder and resumes there.
 */
export function runFolderFor(notebook: string, parameters: RunParameters, root = projectRoot): string {
  const { hash, scale } = runIdentity(notebook, parameters, root);
  return join(root, 'results', 'runs', `${notebook}-${scale}-${hash.slice(0, 8)}`);
}

/** The SHA-256 that names a run, and what went into it. */
export function runIdentity(notebook: string, parameters: RunParameters, root = projectRoot) {
  const given = Object.fromEntries(Object.entries(parameters).filter(([name]) => name !== 'out'));
  const scale = given.scale;
  if (typeof scale !== 'string' || !/^[a-z]+$/.test(scale)) {
    throw new TypeError(`a run needs the parameter scale (smoke, demo or paper); got ${JSON.stringify(scale)}`);
  }
  const code = codeHashes(notebook, root);
  const hash = sha256(canonicalJson({ notebook, parameters: given, ...code }));
  return { hash, scale, parameters: given, ...code };
}

/** SHA-256 of the code and data definitions that a run rests on. */
export function codeHashes(notebook: string, root = projectRoot) {
  return {
    source: sha256OfTree(join(root, 'src')),
    notebookCode: sha256(notebookCode(join(root, 'notebooks', `${notebook}.ipynb`))),
    manifests: sha256OfTree(join(root, 'data-manifests')),
    lockFile: sha256(readFileSync(join(root, 'package-lock.json'))),
  };
}

/** The code cells' text: outputs, and the cell that papermill injects, are not part of what a notebook is. */
function notebookCode(path: string): string {
  if (!existsSync(path)) throw new Error(`there is no notebook ${path}`);
  const notebook = JSON.parse(readFileSync(path, 'utf8')) as {
    cells: { cell_type: string; source: string | string[]; metadata?: { tags?: string[] } }[];
  };
  return notebook.cells
    .filter((cell) => cell.cell_type === 'code' && !cell.metadata?.tags?.includes('injected-parameters'))
    .map((cell) => (Array.isArray(cell.source) ? cell.source.join('') : cell.source))
    .join('\n\0');
}

/** A run's folder, open for writing. */
export class Run {
  readonly started = new Date();

  private constructor(
    readonly notebook: string,
    readonly folder: string,
    readonly identity: ReturnType<typeof runIdentity>,
    /** `events.jsonl`. */
    readonly log: EventLog,
  ) {}

  /**
   * Opens (or reopens) the folder of a notebook run.
   *
   * @param options.out the folder that a runner chose; by default the one that the parameters decide
   */
  static async open(options: {
    notebook: string;
    parameters: RunParameters;
    out?: string;
    root?: string;
  }): Promise<Run> {
    const root = options.root ?? projectRoot;
    const identity = runIdentity(options.notebook, options.parameters, root);
    const folder = options.out ? resolve(root, options.out) : runFolderFor(options.notebook, options.parameters, root);
    const run = new Run(options.notebook, folder, identity, await EventLog.open(join(folder, 'events.jsonl')));
    await mkdir(run.checkpoints, { recursive: true });
    await mkdir(run.figures, { recursive: true });
    await run.write('parameters.json', identity.parameters);
    await run.emit({ kind: 'opened', notebook: options.notebook, hash: identity.hash });
    return run;
  }

  get scale(): string {
    return this.identity.scale;
  }

  get checkpoints(): string {
    return join(this.folder, 'checkpoints');
  }

  get figures(): string {
    return join(this.folder, 'figures');
  }

  /** The path of a file of the run's folder. */
  file(name: string): string {
    return join(this.folder, name);
  }

  /** The path of a figure. */
  figure(name: string): string {
    return join(this.figures, name);
  }

  /** Logs an event. */
  emit(event: RunEvent): Promise<void> {
    return this.log.append(event);
  }

  /** Writes one JSON file of the folder, whole or not at all. */
  async write(name: string, content: unknown): Promise<void> {
    await writeFileAtomic(join(this.folder, name), `${JSON.stringify(content, null, 2)}\n`);
  }

  /**
   * Writes `metrics.json` and `provenance.json`, after all events: where a provenance lies, the metrics beside it are its
   * own. To be called when everything else of the run is on disk.
   *
   * @returns the provenance, for the page
   * @throws RangeError for a metric that is not a number; both files stay as they were
   */
  async keep({ metrics, ...facts }: RunResult): Promise<Provenance> {
    checkMetrics(metrics);
    const provenance = provenanceOf(this, facts);
    await this.log.sync();
    // That of an earlier run does not belong to the metrics that are written now.
    await rm(join(this.folder, 'provenance.json'), { force: true });
    await this.write('metrics.json', { notebook: this.notebook, scale: this.scale, metrics });
    await this.write('provenance.json', provenance);
    return provenance;
  }
}

function checkMetrics(metrics: readonly Metric[]): void {
  for (const { name, value, interval = [] } of metrics) {
    const broken = [value, ...interval].find((number) => !Number.isFinite(number));
    if (broken !== undefined) throw new RangeError(`the metric "${name}" is ${broken}, not a number`);
  }
}

/** `Run.open` under the name that notebooks use. */
export const openRun = Run.open;

/** The run folders under `results/runs`, in name order. */
export function listRuns(root = projectRoot): string[] {
  const runs = join(root, 'results', 'runs');
  if (!existsSync(runs)) return [];
  return readdirSync(runs, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(runs, entry.name))
    .sort();
}
