// tslab's fault: it sends every write as a message of its own, of which all but a few are lost in a burst.
// Here the writes of 50 ms are joined, in order with displays, and each goes under the cell that started it.
const joinFor = 50; // ms

class Streams {
  #publish;
  #pending = [];
  #timer;

  /** @param publish sends one iopub message: type, content, the request that it belongs to */
  constructor(publish) {
    this.#publish = publish;
  }

  write(request, name, text) {
    if (text === '') return;
    const last = this.#pending.at(-1);
    if (last?.request === request && last.name === name) last.parts.push(text);
    else this.#pending.push({ request, name, parts: [text] });
    this.#timer ??= setTimeout(() => this.flush(), joinFor);
  }

  flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const pending = this.#pending;
    this.#pending = [];
    for (const { request, name, parts } of pending) this.#publish('stream', { name, text: parts.join('') }, request);
  }

  /** Sends a message after what was written before it. */
  send(request, type, content) {
    this.flush();
    this.#publish(type, content, request);
  }
}

module.exports = { Streams };
