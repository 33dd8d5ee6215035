import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { projectRoot, writeFileAtomic } from '../base/files.js';
import { canonicalJson, digestOfFile, sha256, sha256OfTree } from '../base/hash.js';
import { kernelServices } from '../base/interrupt.js';
import type { FileLock } from '../base/lock.js';
import { EventLog, type RunEvent } from './event-log.js';
import { lockFolder } from './lock-folder.js';
import { foreignCells, readNotebookCells } from './notebook-cells.js';
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
 * given (not `out`), src/, the notebook's code, cells that were run and are not the notebook's, and the data manifests. A
 * run asked for again resumes there, until it is finished (see `attemptIn`).
 */
export function runFolderFor(notebook: string, parameters: RunParameters, root = projectRoot): string {
  return folderOf(notebook, runIdentity(notebook, parameters, root), root);
}

function folderOf(notebook: string, { hash, scale }: RunIdentity, root: string): string {
  return join(root, 'results', 'runs', `${notebook}-${scale}-${hash.slice(0, 8)}`);
}

/**
 * The folder of the next attempt of a run: a finished one is never changed, and what comes after it lies in `<folder>-2`,
 * `<folder>-3` and so on.
 */
export function attemptIn(folder: string): { folder: string; first: string; attempt: number } {
  const [, base, number] = /^(.*)-(\d+)$/.exec(folder) ?? [];
  // A runner may have chosen the folder of an attempt already.
  const isLater = base !== undefined && Number(number) > 1 && isFinished(base);
  const [first, begun] = isLater ? [base, Number(number)] : [folder, 1];
  for (let attempt = begun; ; attempt++) {
    const own = attempt === 1 ? first : `${first}-${attempt}`;
    if (!isFinished(own)) return { folder: own, first, attempt };
  }
}

/** A run is finished when its provenance is written, which comes last. */
function isFinished(folder: string): boolean {
  return existsSync(join(folder, 'provenance.json'));
}

export type RunIdentity = ReturnType<typeof runIdentity>;

/** The SHA-256 that names a run, and what went into it. */
export function runIdentity(notebook: string, parameters: RunParameters, root = projectRoot) {
  const { out: _, ...asked } = parameters;
  // JSON has no word for infinities and NaN.
  const inJson = (_name: string, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? { $number: String(value) } : value;
  const given = JSON.parse(JSON.stringify(asked, inJson)) as Record<string, unknown>;
  // A notebook of the user's own need not have scales.
  const { scale = 'own' } = given;
  if (typeof scale !== 'string' || !/^[a-z]+$/.test(scale)) {
    throw new TypeError(`a run needs the parameter scale (smoke, demo or paper); got ${JSON.stringify(scale)}`);
  }
  const cells = readNotebookCells(join(root, 'notebooks', `${notebook}.ipynb`));
  const hashes = {
    'src/': sha256OfTree(join(root, 'src')),
    'notebook code': sha256(cells.sources.join('\n\0')),
    'data-manifests/': sha256OfTree(join(root, 'data-manifests')),
    'package-lock.json': sha256(readFileSync(join(root, 'package-lock.json'))),
  };
  const executed = executedCode(foreignCells(cells));
  return {
    hash: sha256(canonicalJson({ notebook, parameters: given, hashes, executed })),
    scale,
    parameters: given,
    hashes,
    cells,
  };
}

/** What was run, in words and a hash: the cells of the notebook's file, or others too. */
function executedCode(foreign: readonly string[]): string {
  if (foreign.length === 0) return "the notebook's";
  const [line] = foreign[0]!.split('\n');
  return (
    `${foreign.length} not of the notebook's file, as ${JSON.stringify(line)}: restart the kernel and run the notebook's ` +
    `cells to go on; ${sha256(canonicalJson([...foreign].sort()))}`
  );
}

/** Outside a kernel the script that runs; undefined in one. */
function executedScript(): string | undefined {
  const script = kernelServices() ? undefined : process.argv[1];
  return script && existsSync(script) ? `the script ${basename(script)}, ${sha256(readFileSync(script))}` : undefined;
}

/** A run's folder, open for writing until the run is finished. */
export class Run {
  readonly started = new Date();

  private constructor(
    readonly notebook: string,
    readonly folder: string,
    /** From 1: how often this run was begun after it had been finished. */
    readonly attempt: number,
    readonly identity: RunIdentity,
    /** `events.jsonl`. */
    readonly log: EventLog,
    private readonly lock: FileLock,
    /** Cells that had been run when it was opened: what sets parameters after that is not among its own. */
    private readonly ranBefore: ReadonlySet<string>,
    /** Folder of the first attempt. */
    private readonly first: string,
  ) {}

  /**
   * Opens (or reopens) the folder of a notebook run; of a run that is finished, that of its next attempt.
   *
   * @param options.out the folder that a runner chose; by default the one that the parameters decide
   * @throws Error where another process writes into it, naming that process
   */
  static async open(options: {
    notebook: string;
    parameters: RunParameters;
    out?: string;
    root?: string;
  }): Promise<Run> {
    const { notebook, parameters, out, root = projectRoot } = options;
    const identity = runIdentity(notebook, parameters, root);
    const { folder, first, attempt } = attemptIn(out ? resolve(root, out) : folderOf(notebook, identity, root));
    if (attempt > 1) console.log(`${basename(first)} is finished, and stays as it is: this is attempt ${attempt}`);
    await mkdir(folder, { recursive: true });
    const lock = await lockFolder(folder, 'run');
    const log = await EventLog.open(join(folder, 'events.jsonl'));
    const ranBefore = new Set(kernelServices()?.executedCells());
    const run = new Run(notebook, folder, attempt, identity, log, lock, ranBefore, first);
    await mkdir(run.checkpoints, { recursive: true });
    await mkdir(run.figures, { recursive: true });
    await run.write('parameters.json', identity.parameters);
    await run.emit({ kind: 'opened', notebook, hash: identity.hash });
    return run;
  }

  get scale(): string {
    return this.identity.scale;
  }

  get checkpoints(): string {
    return this.file('checkpoints');
  }

  get figures(): string {
    return this.file('figures');
  }

  /**
   * The path of a file of the run's folder, to be written.
   *
   * @throws Error if the run is finished
   */
  file(name: string): string {
    this.requireOpen();
    return join(this.folder, name);
  }

  private requireOpen(): void {
    if (!isFinished(this.folder)) return;
    throw new Error(
      `${this.folder} is finished, and a finished run is not changed: run the cell with openRun again, which begins ` +
        'another attempt',
    );
  }

  /** The path of a figure. */
  figure(name: string): string {
    return join(this.figures, name);
  }

  /**
   * What decides the result beside method, settings and data, part by part, as it is now: a checkpoint is refused if one of
   * them is another.
   */
  get parts(): Record<string, string> {
    const { hashes, parameters } = this.identity;
    const executed = executedScript() ?? executedCode(this.foreign());
    return { notebook: this.notebook, parameters: canonicalJson(parameters), ...hashes, 'executed cells': executed };
  }

  /** Logs an event. */
  emit(event: RunEvent): Promise<void> {
    return this.log.append(event);
  }

  /** Writes one JSON file of the folder, whole or not at all. */
  async write(name: string, content: unknown): Promise<void> {
    await writeFileAtomic(this.file(name), `${JSON.stringify(content, null, 2)}\n`);
  }

  /**
   * Finishes the run: writes `metrics.json`, and last `provenance.json` with the hashes of all files beside it. To be called
   * when everything else of the run is on disk. From then on the folder is not written to.
   *
   * @returns the provenance, for the page
   * @throws RangeError for a metric that is not a number; nothing is written then
   * @throws Error if the run is finished already, or its folder was opened again
   */
  async keep({ metrics, ...facts }: RunResult): Promise<Provenance> {
    checkMetrics(metrics);
    this.requireOpen();
    if (!this.lock.isHeld) {
      throw new Error(`${this.folder} was opened again since this run was opened`);
    }
    const { seed } = this.identity.parameters;
    if (seed !== undefined && seed !== facts.seed) {
      throw new Error(`the run was opened with the seed ${seed}, and its results are said to be of ${facts.seed}`);
    }
    const edited = this.foreign();
    await this.log.sync();
    await this.write('metrics.json', {
      notebook: this.notebook,
      scale: this.scale,
      edited: edited.length > 0,
      metrics,
    });
    const files = await this.hashFiles();
    const provenance = provenanceOf(this, { ...facts, edited, files, repeats: await this.compareWithFirst(files) });
    await this.write('provenance.json', provenance);
    await this.lock.release();
    return provenance;
  }

  /** Cells that were run and are not the notebook's, among them those that set parameters after the run was opened. */
  private foreign(): string[] {
    return foreignCells(this.identity.cells, this.ranBefore);
  }

  /** Which files of an attempt are, to the bit, those of the run's first attempt, and which are not. */
  private async compareWithFirst(files: Record<string, string>): Promise<Provenance['repeats']> {
    if (this.attempt === 1) return null;
    const kept = JSON.parse(await readFile(join(this.first, 'provenance.json'), 'utf8')) as Partial<Provenance>;
    const before = kept.files ?? {};
    const names = Object.keys(files).filter((name) => name in before);
    const isSame = (name: string) => before[name] === files[name];
    return { same: names.filter(isSame), different: names.filter((name) => !isSame(name)) };
  }

  /** SHA-256 of each file, but of checkpoints and of the log and the page, which go on after this. */
  private async hashFiles(): Promise<Record<string, string>> {
    const names = readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(this.folder, join(entry.parentPath, entry.name)))
      .filter((name) => !/^(\.|checkpoints\/|events\.jsonl$|notebook\.)/.test(name))
      .sort();
    const hashes: Record<string, string> = {};
    for (const name of names) hashes[name] = await digestOfFile(join(this.folder, name));
    return hashes;
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
