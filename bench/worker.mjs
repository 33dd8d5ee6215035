import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A process that runs steps on request: one number a line in, one line of JSON out. */
export class Worker {
  #child;
  #lines;
  #name;

  /**
   * @param {string} name for errors
   * @param {string[]} command
   * @param {Record<string, string>} [environment] beside that of this process
   */
  constructor(name, [program, ...args], environment = {}) {
    this.#name = name;
    this.#child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid() {
    return this.#child.pid;
  }

  /** Gives the process a line before its first steps. */
  send(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  /**
   * @param {number | string} steps
   * @returns {Promise<{times: number[], loss: number, peakMiB: number, version: string}>} times in ms
   */
  async run(steps) {
    this.#child.stdin.write(`${steps}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#name} ended before it answered "${steps}"`);
    return JSON.parse(value);
  }

  async end() {
    const exit = once(this.#child, 'exit');
    this.#child.stdin.end();
    await exit;
  }
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
