// Where a cell's output goes. tslab's fault: what a finished cell still writes shows under the cell that runs now.
// Here each write goes under the cell whose code, also by a timer or a promise, made it.
const { AsyncLocalStorage } = require('node:async_hooks');
const { writeSync } = require('node:fs');
const { Writable } = require('node:stream');
const { StringDecoder } = require('node:string_decoder');
const { Interrupted } = require('./interrupted.cjs');
const { post } = require('./post.cjs');

const runningIn = new AsyncLocalStorage();

class CellOutput {
  #latest;

  constructor() {
    for (const [name, descriptor] of [
      ['stdout', 1],
      ['stderr', 2],
    ]) {
      const stream = this.#stream(name, descriptor);
      Object.defineProperty(process, name, { get: () => stream, configurable: true });
    }
  }

  /** Runs `work` so that its output, also what comes after its end, belongs to `cell`. */
  under(cell, work) {
    this.#latest = cell;
    return runningIn.run(cell, work);
  }

  /** The cell whose code is running now, or the last one that ran; undefined before the first. */
  get cell() {
    return runningIn.getStore() ?? this.#latest;
  }

  write(cell, name, text) {
    if (text !== '') post({ type: 'stream', cell: cell.id, content: { name, text } });
  }

  /** Ends code that goes on although its cell was stopped. */
  throwIfStopped() {
    if (runningIn.getStore()?.stopped) throw new Interrupted();
  }

  /** One display: a MIME bundle, in which bytes become base64. */
  display({ data, metadata = {}, displayId, update = false }) {
    const cell = this.#cellThatShows();
    if (update && !displayId) throw new TypeError('display: an update needs the displayId of the display to replace');
    const content = { data: inBase64(data), metadata, transient: displayId ? { display_id: displayId } : {} };
    post({ type: update ? 'update_display_data' : 'display_data', cell: cell.id, content });
  }

  /** Removes the cell's output so far; with `wait` only when the next output comes, so that nothing flickers. */
  clear(wait = false) {
    post({ type: 'clear_output', cell: this.#cellThatShows().id, content: { wait } });
  }

  #cellThatShows() {
    this.throwIfStopped();
    if (!this.cell) throw new Error('nothing can be displayed before the first cell runs');
    return this.cell;
  }

  /** A stream in place of the process's own. */
  #stream(name, descriptor) {
    const decoder = new StringDecoder('utf8');
    const write = (chunk, _encoding, done) => {
      this.throwIfStopped();
      const { cell } = this;
      if (cell) this.write(cell, name, typeof chunk === 'string' ? chunk : decoder.write(chunk));
      else writeSync(descriptor, chunk);
      done();
    };
    return Object.assign(new Writable({ write, decodeStrings: false }), { fd: descriptor });
  }
}

/** A bundle in which bytes are base64, as Jupyter wants images. */
function inBase64(data) {
  const entries = Object.entries(data).map(([type, value]) => [
    type,
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
  ]);
  return Object.fromEntries(entries);
}

module.exports = { CellOutput, inBase64 };
