import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../base/files.js';

/** Facts of a run's folder for provenance. */
export interface RunOrigin {
  notebook: string;
  scale: string;
  started: Date;
  attempt: number;
  identity: { hash: string; parameters: Record<string, unknown>; hashes: Record<string, string> };
}

/** Contents of `provenance.json`: the inputs of every number of a run. */
export interface Provenance {
  notebook: string;
  scale: string;
  command: string;
  seed: number | string;
  runHash: string;
  /** Number of the attempt, from 1. */
  attempt: number;
  /** Names of files that are identical to the first attempt's, and of those that differ; null for the first. */
  repeats: { same: readonly string[]; different: readonly string[] } | null;
  /** Sources of cells that were run but are not in the notebook's file. */
  edited: readonly string[];
  /** SHA-256 of code and data definitions. */
  hashes: Record<string, string>;
  versions: Record<string, string>;
  device: Record<string, unknown>;
  choices: Record<string, unknown>;
  data: readonly Record<string, unknown>[];
  splits: Record<string, string>;
  weights: Record<string, string>;
  /** SHA-256 of each file of the run. */
  files: Record<string, string>;
  gitCommit: string | null;
  started: string;
  ended: string;
}

/** Facts that the caller knows: device, data and weights. */
export interface ProvenanceFacts {
  seed: number | string;
  device: object;
  /** What the run read: name, path, licence, SHA-256, whether it is synthetic. */
  data: readonly object[];
  /** SHA-256 of each split: of its lists of slides. */
  splits?: Record<string, string>;
  /** SHA-256 of each weights file that was read or written. */
  weights?: Record<string, string>;
  /** Other facts that decide the result: storage, measured algorithms, hashes of definition and list. */
  choices?: Record<string, unknown>;
}

/** The provenance of a run that ends now. */
export function provenanceOf(
  run: RunOrigin,
  facts: ProvenanceFacts & Pick<Provenance, 'edited' | 'files' | 'repeats'>,
): Provenance {
  const { hash, hashes } = run.identity;
  return {
    notebook: run.notebook,
    scale: run.scale,
    command: commandFor(run),
    seed: facts.seed,
    runHash: hash,
    attempt: run.attempt,
    repeats: facts.repeats,
    edited: facts.edited,
    hashes,
    versions: versions(),
    device: { ...facts.device },
    choices: facts.choices ?? {},
    data: facts.data.map((entry) => ({ ...entry })),
    splits: facts.splits ?? {},
    weights: facts.weights ?? {},
    files: facts.files,
    gitCommit: gitCommit(),
    started: run.started.toISOString(),
    ended: new Date().toISOString(),
  };
}

/** The command that reproduces this run. */
export function commandFor(run: Pick<RunOrigin, 'notebook' | 'identity'>): string {
  const given = Object.entries(run.identity.parameters).filter(([, value]) => value !== undefined);
  const words = given.map(([name, value]) => `-p ${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `npm run notebook -- ${run.notebook} ${words.join(' ')}`.trim();
}

/** Node's version and those of the direct dependencies, as installed. */
function versions(): Record<string, string> {
  const manifest = readJson(join(projectRoot, 'package.json')) as { version: string; dependencies: object };
  const installed = Object.keys(manifest.dependencies).map((name) => {
    const { version } = readJson(join(projectRoot, 'node_modules', name, 'package.json')) as { version: string };
    return [name, version] as const;
  });
  return { pathlab: manifest.version, node: process.versions.node, ...Object.fromEntries(installed) };
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The current commit, with `+changes` if files differ from it; null outside a git checkout. */
function gitCommit(): string | null {
  const git = (...words: string[]) =>
    execFileSync('git', ['-C', projectRoot, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain') ? '+changes' : '');
  } catch {
    return null;
  }
}
