import { availableParallelism } from 'node:os';
import { freePort } from '../dist/training/supervise-workers.js';
import { Worker } from './worker.mjs';

/**
 * Processes that compute together on this machine. They find each other as those of a launcher do, by RANK, WORLD_SIZE,
 * MASTER_ADDR and MASTER_PORT, which pathlab and PyTorch both read. Each answers a line of JSON with one, as a `Worker`.
 */
export class ProcessGroup {
  #workers;

  /**
   * @param {string} name for errors
   * @param {string[]} command of each process
   * @param {number} count
   * @param {Record<string, string>} [environment]
   */
  static async start(name, command, count, environment = {}) {
    const shared = {
      WORLD_SIZE: `${count}`,
      MASTER_ADDR: '127.0.0.1',
      MASTER_PORT: `${await freePort()}`,
      ...environment,
    };
    return new ProcessGroup(
      Array.from(
        { length: count },
        (_, index) => new Worker(`${name}, process ${index} of ${count}`, command, { ...shared, RANK: `${index}` }),
      ),
    );
  }

  constructor(workers) {
    this.#workers = workers;
  }

  /**
   * Gives each process the same line.
   *
   * @param {Record<string, unknown>} asked
   * @returns {Promise<Record<string, any>[]>} the answers, once all have answered
   */
  run(asked) {
    return Promise.all(this.#workers.map((worker) => worker.run(JSON.stringify(asked))));
  }

  async end() {
    await Promise.all(this.#workers.map((worker) => worker.end()));
  }
}

/** The cores that each of several processes has, as `joinReplicas` shares them. */
export function threadsOfEach(count) {
  return Math.max(1, Math.floor(availableParallelism() / count));
}
