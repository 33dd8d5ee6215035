import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { killGroup } from './lock.mjs';
import { inState, shown } from './paths.mjs';

/** A child that ended badly. */
export class ChildFailure extends Error {
  constructor(command, ending, output, log) {
    super(`${command} ended with ${ending}`);
    this.output = output;
    this.log = log;
  }
}

/** The processes that set-up runs. None outlives the lock's holder for long. */
export class Children {
  #running = new Set();
  #stopped = false;
  #lock;

  constructor(lock) {
    this.#lock = lock;
  }

  /** Ends all children and lets no more begin. */
  stop() {
    this.#stopped = true;
    for (const pid of this.#running) killGroup(pid);
  }

  /**
   * Runs a command to its end, with its output in `.pathlab/logs/<log>.log`.
   *
   * @param {string} command
   * @param {string[]} args
   * @param {{log: string, cwd?: string, env?: NodeJS.ProcessEnv, onLine?: (line: string) => void}} options
   * @returns {Promise<string>} what it wrote to stdout and stderr
   * @throws ChildFailure
   */
  async run(command, args, { log, cwd, env = process.env, onLine = () => {} }) {
    if (this.#stopped) throw new Error(`${command} was not started: set-up is stopping`);
    mkdirSync(inState('logs'), { recursive: true });
    const logPath = inState('logs', `${log}.log`);
    const logFile = openSync(logPath, 'a');
    writeSync(logFile, `\n$ ${[command, ...args].join(' ')}\n`);
    // The shell waits for a line before it becomes the command. So there is no moment at which a child works that is
    // not yet registered: if this process is killed in between, the shell reads the end of its input and goes.
    const child = spawn('/bin/sh', ['-c', 'read -r go && exec "$@"', 'sh', command, ...args], {
      cwd,
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve(signal ?? code));
    });
    let output = '';
    const listen = (chunk) => {
      output += chunk;
      writeSync(logFile, chunk);
      const line = String(chunk)
        .trimEnd()
        .split(/[\r\n]/)
        .at(-1)
        ?.trim();
      if (line) onLine(line);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    try {
      if (child.pid !== undefined) {
        this.#running.add(child.pid);
        this.#lock.register(child.pid);
        child.stdin.on('error', () => {});
        child.stdin.end('go\n');
      }
      const ending = await ended;
      if (ending !== 0) {
        throw new ChildFailure(command, typeof ending === 'number' ? `exit ${ending}` : ending, output, shown(logPath));
      }
      return output;
    } finally {
      this.#running.delete(child.pid);
      closeSync(logFile);
    }
  }
}
