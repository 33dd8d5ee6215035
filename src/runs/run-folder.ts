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

/** A notebook's parameters; `undefined` means the scale's default. */
export type RunParameters = Record<string, unknown>;

/** A key number for the gallery and later runs, with its 95 % interval, if any. */
export interface Metric {
  name: string;
  value: number;
  interval?: readonly [low: number, high: number];
  unit?: string;
  /** Description: data, split, method of the interval. */
  about?: string;
}

/** Results of a finished run: its metrics and their inputs. */
export interface RunResult extends ProvenanceFacts {
  /** In the gallery's order. */
  metrics: readonly Metric[];
}

/**
 * The folder of a notebook run with these parameters: `results/runs/<notebook>-<scale>-<short hash>`. The hash covers
 * the inputs: given parameters (not `out` and `processes`), src/, the native ops, the notebook's code, cells that were run
 * but are not in the notebook, and the data manifests. An unfinished run resumes there (see `attemptIn`).
 */
export function runFolderFor(
  notebook: string,
  parameters: RunParameters,
  root = projectRoot,
  inputs: Readonly<Record<string, string>> = {},
): string {
  return folderOf(notebook, runIdentity(notebook, parameters, root, inputs), root);
}

function folderOf(notebook: string, { hash, scale }: RunIdentity, root: string): string {
  return join(root, 'results', 'runs', `${notebook}-${scale}-${hash.slice(0, 8)}`);
}

/**
 * The folder of the next attempt of a run: a finished run is never changed, and later attempts are in `<folder>-2`,
 * `<folder>-3` and so on.
 */
export function attemptIn(folder: string): { folder: string; first: string; attempt: number } {
  const [, base, number] = /^(.*)-(\d+)$/.exec(folder) ?? [];
  // The given folder may be an attempt's.
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

/**
 * The SHA-256 that names a run, and its inputs.
 *
 * @param inputs hashes of what else decides its numbers, such as the runs that a page of results reads
 */
export function runIdentity(
  notebook: string,
  parameters: RunParameters,
  root = projectRoot,
  inputs: Readonly<Record<string, string>> = {},
) {
  // Where a run is, and in how many processes it trains, do not make another one of it.
  const { out: _, processes: __, ...asked } = parameters;
  // JSON has no infinities and NaN.
  const inJson = (_name: string, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? { $number: String(value) } : value;
  const given = JSON.parse(JSON.stringify(asked, inJson)) as Record<string, unknown>;
  // A user's own notebook need not have scales.
  const { scale = 'own' } = given;
  if (typeof scale !== 'string' || !/^[a-z]+$/.test(scale)) {
    throw new TypeError(`a run needs the parameter scale (smoke, demo or paper); got ${JSON.stringify(scale)}`);
  }
  const cells = readNotebookCells(join(root, 'notebooks', `${notebook}.ipynb`));
  const hashes = {
    'src/': sha256OfTree(join(root, 'src')),
    'kernel-setup/native/': sha256OfTree(join(root, 'kernel-setup/native')),
    'notebook code': sha256(cells.sources.join('\n\0')),
    'data-manifests/': sha256OfTree(join(root, 'data-manifests')),
    'package-lock.json': sha256(readFileSync(join(root, 'package-lock.json'))),
    ...inputs,
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

/** The cells that were run, in words and a hash: the notebook's, or others too. */
function executedCode(foreign: readonly string[]): string {
  if (foreign.length === 0) return "the notebook's";
  const [line] = foreign[0]!.split('\n');
  return (
    `${foreign.length} not of the notebook's file, as ${JSON.stringify(line)}: restart the kernel and run the notebook's ` +
    `cells to go on; ${sha256(canonicalJson([...foreign].sort()))}`
  );
}

/** The running script; undefined in a kernel. */
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
    /** Cells run before it was opened: later parameter cells count as edits. */
    private readonly ranBefore: ReadonlySet<string>,
    /** Folder of the first attempt. */
    private readonly first: string,
  ) {}

  /**
   * Opens (or reopens) the folder of a notebook run; for a finished run, that of its next attempt.
   *
   * @param options.inputs see `runIdentity`
   * @param options.out the folder; by default derived from the parameters
   * @throws Error if another process writes into it, naming that process
   */
  static async open(options: {
    notebook: string;
    parameters: RunParameters;
    inputs?: Readonly<Record<string, string>>;
    out?: string;
    root?: string;
  }): Promise<Run> {
    const { notebook, parameters, inputs, out, root = projectRoot } = options;
    const identity = runIdentity(notebook, parameters, root, inputs);
    const { folder, first, attempt } = attemptIn(out ? resolve(root, out) : folderOf(notebook, identity, root));
    if (attempt > 1) console.log(`${basename(first)} is finished and is not changed: this is attempt ${attempt}`);
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
   * The path of a file in the run's folder, for writing.
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
      `${this.folder} is finished, and a finished run is not changed: run the cell with openRun again, which starts ` +
        'another attempt',
    );
  }

  /** The path of a figure. */
  figure(name: string): string {
    return join(this.figures, name);
  }

  /**
   * The current inputs besides method, settings and data, part by part: a checkpoint with different ones is refused.
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

  /** Writes a JSON file in the folder atomically. */
  async write(name: string, content: unknown): Promise<void> {
    await writeFileAtomic(this.file(name), `${JSON.stringify(content, null, 2)}\n`);
  }

  /**
   * Finishes the run: writes `metrics.json`, and last `provenance.json` with the hashes of all files. Call it when all
   * other files are written. Afterwards the folder is read-only.
   *
   * @returns the provenance, for the page
   * @throws RangeError for a NaN or infinite metric, before anything is written
   * @throws Error if the run is already finished, or its folder was reopened
   */
  async keep({ metrics, ...facts }: RunResult): Promise<Provenance> {
    checkMetrics(metrics);
    this.requireOpen();
    if (!this.lock.isHeld) {
      throw new Error(`${this.folder} was opened again since this run was opened`);
    }
    const { seed } = this.identity.parameters;
    if (seed !== undefined && seed !== facts.seed) {
      throw new Error(`the run was opened with seed ${seed}, but its results have seed ${facts.seed}`);
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

  /** Cells that were run but are not in the notebook, including parameter cells run after the run was opened. */
  private foreign(): string[] {
    return foreignCells(this.identity.cells, this.ranBefore);
  }

  /** Which files of an attempt are identical to the first attempt's, and which differ. */
  private async compareWithFirst(files: Record<string, string>): Promise<Provenance['repeats']> {
    if (this.attempt === 1) return null;
    const kept = JSON.parse(await readFile(join(this.first, 'provenance.json'), 'utf8')) as Partial<Provenance>;
    const before = kept.files ?? {};
    const names = Object.keys(files).filter((name) => name in before);
    const isSame = (name: string) => before[name] === files[name];
    return { same: names.filter(isSame), different: names.filter((name) => !isSame(name)) };
  }

  /** SHA-256 of each file except checkpoints, log and page, which are written later. */
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

/** Same as `Run.open`, for notebooks. */
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
