// Where a cell's output goes. tslab's faults: it sends every write as a message of its own, of which all but a few
// are lost in a burst; and what a finished cell still writes shows under the cell that runs now.
// Writes are joined for 50 ms, in order with displays, and each goes under the cell that started it.
const { AsyncLocalStorage } = require('node:async_hooks');
const { writeSync } = require('node:fs');
const { Writable } = require('node:stream');
const { StringDecoder } = require('node:string_decoder');

const joinFor = 50; // ms
const runningIn = new AsyncLocalStorage();

class CellOutput {
  #publish;
  #pending = [];
  #timer;
  #latest;

  /** @param publish sends one iopub message: type, content, the request that it belongs to */
  constructor(publish) {
    this.#publish = publish;
    // Not by replacing `process.stdout.write`: merely opening the real stream makes the pipe that Jupyter or papermill
    // itself writes to non-blocking, and their output is then cut.
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
    if (text === '') return;
    const last = this.#pending.at(-1);
    if (last?.cell === cell && last.name === name) last.parts.push(text);
    else this.#pending.push({ cell, name, parts: [text] });
    this.#timer ??= setTimeout(() => this.flush(), joinFor);
  }

  flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const pending = this.#pending;
    this.#pending = [];
    for (const { cell, name, parts } of pending) this.#publish('stream', { name, text: parts.join('') }, cell.request);
  }

  send(cell, type, content) {
    this.flush();
    this.#publish(type, content, cell.request);
  }

  /** One display: a MIME bundle, in which bytes become base64. */
  display({ data, metadata = {}, displayId, update = false }) {
    const cell = this.cell;
    if (!cell) throw new Error('nothing can be displayed before the first cell runs');
    if (update && !displayId) throw new TypeError('display: an update needs the displayId of the display to replace');
    const bundle = Object.fromEntries(
      Object.entries(data).map(([type, value]) => [
        type,
        value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
      ]),
    );
    const transient = displayId ? { display_id: displayId } : {};
    this.send(cell, update ? 'update_display_data' : 'display_data', { data: bundle, metadata, transient });
  }

  /** A stream in place of the process's own; the terminal's is used only before the first cell. */
  #stream(name, descriptor) {
    const decoder = new StringDecoder('utf8');
    const write = (chunk, _encoding, done) => {
      const cell = this.cell;
      if (cell) this.write(cell, name, typeof chunk === 'string' ? chunk : decoder.write(chunk));
      else writeSync(descriptor, chunk);
      done();
    };
    return Object.assign(new Writable({ write, decodeStrings: false }), { fd: descriptor });
  }
}

module.exports = { CellOutput };
