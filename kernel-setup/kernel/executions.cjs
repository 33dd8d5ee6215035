// Execute requests, one after the other.
const { setTimeout: pause } = require('node:timers/promises');

const quietFor = 10; // ms

class Executions {
  #streams;
  #run;
  #began;
  /** The end of the cells asked for so far. */
  #turn = Promise.resolve();
  #count = 0;
  #received = 0;
  /** Execute requests that came before this many had come are dropped: a cell before them failed. */
  #dropBefore = 0;
  /** Requests by the number under which the cells' process knows their cells. */
  #requests = new Map();
  #closed = false;
  /** The request whose cell is running. */
  running;
  /** The request whose cell was started last. */
  latest;

  /**
   * @param run runs a cell and resolves to `{ error }`, `{ result }` or neither
   * @param began is told the count and the code of each cell that is kept in the history
   */
  constructor({ streams, run, began }) {
    this.#streams = streams;
    this.#run = run;
    this.#began = began;
  }

  enqueue(work) {
    this.#received++;
    this.#turn = this.#turn.then(work);
  }

  /** Resolves when no request waits. */
  settled = () => this.#turn;

  requestOf = (cell) => this.#requests.get(cell);

  /** From now on requests are answered without being run. */
  close() {
    this.#closed = true;
  }

  #started = 0;
  /** Runs a request's cell. @returns the content of the reply */
  async execute(request) {
    const { code, silent = false, store_history: counted = !silent, stop_on_error: stop = true } = request.content;
    // Without a number: a cell that was not run has none.
    if (this.#started++ < this.#dropBefore || this.#closed) return { status: 'aborted' };
    if (counted && !silent) {
      this.#count++;
      this.#began(this.#count, code);
    }
    const count = this.#count;
    if (!silent) this.#streams.send(request, 'execute_input', { code, execution_count: count });

    this.#requests.set(this.#started, request);
    this.running = request;
    this.latest = request;
    const { error, result } = await this.#run({
      cell: this.#started,
      count: counted ? count : 0,
      source: code,
      allowStdin: request.content.allow_stdin ?? false,
    });
    this.running = undefined;
    this.#streams.flush();
    if (error) {
      if (stop) await this.#dropWaiting();
      this.#streams.send(request, 'error', error);
      return { status: 'error', execution_count: count, ...error };
    }
    if (result && !silent) this.#streams.send(request, 'execute_result', { ...result, execution_count: count });
    return { status: 'ok', execution_count: count, user_expressions: {}, payload: [] };
  }

  /**
   * tslab's fault: for 200 ms after a failed cell it aborts whatever comes, also what was sent by someone who knew of
   * the failure. What was sent before is what has arrived before the failure is told: once the socket has been quiet
   * for a moment, that is all of it.
   */
  async #dropWaiting() {
    let before;
    do {
      before = this.#received;
      await pause(quietFor);
    } while (this.#received !== before);
    this.#dropBefore = this.#received;
  }
}

module.exports = { Executions };
