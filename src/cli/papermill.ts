import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { projectRoot } from '../base/index.js';
import { UsageError } from './usage-error.js';
import { toYaml } from './yaml.js';

/** A program of the project's Python environment. */
export function pythonProgram(name: string): string {
  const program = join(projectRoot, '.venv', 'bin', name);
  if (!existsSync(program)) throw new UsageError(`${program} is missing: run \`npm run setup\``);
  return program;
}

/** The environment for Jupyter's programs: the kernel runs on this process's Node. */
export function jupyterEnvironment(): NodeJS.ProcessEnv {
  const path = [dirname(process.execPath), process.env.PATH].filter(Boolean).join(delimiter);
  return { ...process.env, PATH: path };
}

/**
 * Executes a notebook through papermill's own command; what it prints goes to the terminal.
 *
 * Ctrl-C (or a request to terminate) goes once to papermill, which hands it to the running cell, so that a training
 * loop saves a checkpoint and ends; a second one stops the kernel, a third one kills.
 */
export async function papermill(options: {
  input: string;
  output: string;
  parameters: Record<string, unknown>;
  folder: string;
}): Promise<'finished' | 'failed' | 'interrupted'> {
  const { input, output, parameters, folder } = options;
  // As YAML, because papermill's -p guesses types from text.
  const given = Object.keys(parameters).length > 0 ? ['-b', Buffer.from(toYaml(parameters)).toString('base64')] : [];
  const child = spawn(
    pythonProgram('papermill'),
    // A progress bar rewrites its line, which only a terminal supports.
    [
      input,
      output,
      '--cwd',
      folder,
      '--log-level',
      'WARNING',
      process.stderr.isTTY ? '--progress-bar' : '--no-progress-bar',
      ...given,
    ],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      // A separate process group: otherwise a terminal sends Ctrl-C to both processes, which counts as two.
      detached: true,
      env: { ...jupyterEnvironment(), PATHLAB_RUNNER: String(process.pid) },
    },
  );
  let interrupts = 0;
  const stopListening = onStopSignals(() => {
    interrupts++;
    if (interrupts < 3) child.kill('SIGINT');
    else process.kill(-child.pid!, 'SIGKILL');
  });
  try {
    const code = await exitOf(child);
    // After the last cell there is nothing to interrupt.
    if (code === 0) return 'finished';
    return interrupts > 0 ? 'interrupted' : 'failed';
  } finally {
    stopListening();
  }
}

/**
 * Calls a listener for each Ctrl-C, request to terminate and hang-up. One within half a second of another is its repeat: npm
 * and Snakemake hand on what the terminal or SLURM has sent to this process too.
 *
 * @returns what ends that
 */
export function onStopSignals(listener: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let heardAt = Number.NEGATIVE_INFINITY;
  const hear = () => {
    if (performance.now() - heardAt < 500) return;
    heardAt = performance.now();
    listener();
  };
  for (const signal of signals) process.on(signal, hear);
  return () => {
    for (const signal of signals) process.off(signal, hear);
  };
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code));
  });
}
