// Where a cell's output goes. tslab's faults: it sends every write as a message of its own, of which all but a few
// are lost in a burst; and what a finished cell still writes shows under the cell that runs now.
// Writes are joined for 50 ms, in order with displays, and each goes under the cell that started it.
const { AsyncLocalStorage } = require('node:async_hooks');
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
    for (const name of ['stdout', 'stderr']) this.#capture(process[name], name);
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

  #capture(stream, name) {
    const decoder = new StringDecoder('utf8');
    const original = stream.write.bind(stream);
    stream.write = (chunk, encoding, done) => {
      const cell = this.cell;
      if (!cell) return original(chunk, encoding, done);
      const text = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
      this.write(cell, name, text);
      const callback = typeof encoding === 'function' ? encoding : done;
      if (callback) process.nextTick(callback);
      return true;
    };
  }
}

module.exports = { CellOutput };
