// What a cell's code writes comes over three ways: messages (streams and displays from JavaScript), and the text that
// native code and child processes write to file descriptors 1 and 2. Before each message the cells' process puts a mark
// with its number into both descriptors, so that the three can be put back into the order in which they were written.
const { StringDecoder } = require('node:string_decoder');

const opening = '\0pathlab ';
const closing = '\0';

const markOf = (number) => `${opening}${number}${closing}`;

/** Takes one descriptor's bytes apart into text and marks. */
class MarkedText {
  #decoder = new StringDecoder('utf8');
  #rest = '';

  /** @returns {(string | number)[]} texts, and the numbers of marks */
  take(bytes) {
    let text = this.#rest + this.#decoder.write(bytes);
    const items = [];
    for (;;) {
      const start = text.indexOf(opening);
      const end = start < 0 ? -1 : text.indexOf(closing, start + opening.length);
      if (end < 0) break;
      if (start > 0) items.push(text.slice(0, start));
      items.push(Number(text.slice(start + opening.length, end)));
      text = text.slice(end + closing.length);
    }
    const whole = text.length - lengthOfBegunMark(text);
    if (whole > 0) items.push(text.slice(0, whole));
    this.#rest = text.slice(whole);
    return items;
  }
}

/** How much of the text's end may be the beginning of a mark. */
function lengthOfBegunMark(text) {
  const start = text.lastIndexOf('\0');
  if (start < 0) return 0;
  const tail = text.slice(start);
  return opening.startsWith(tail) || tail.startsWith(opening) ? tail.length : 0;
}

/** Puts messages and the texts of the two descriptors into the order in which they were written. */
class WrittenOrder {
  #texts = { stdout: [], stderr: [] };
  #messages = [];
  #onText;
  #onMessage;

  constructor({ onText, onMessage }) {
    this.#onText = onText;
    this.#onMessage = onMessage;
  }

  addText(name, items) {
    this.#texts[name].push(...items);
    this.#advance();
  }

  addMessage(message) {
    this.#messages.push(message);
    this.#advance();
  }

  /** Gives out all that is left; for a process that has ended and will not complete the order. */
  finish() {
    for (;;) {
      const message = this.#messages.shift();
      if (!message) break;
      this.#giveTexts();
      this.#onMessage(message);
    }
    for (const [name, items] of Object.entries(this.#texts)) {
      for (const item of items.splice(0)) if (typeof item === 'string') this.#onText(name, item);
    }
  }

  #advance() {
    for (;;) {
      this.#giveTexts();
      const message = this.#messages[0];
      if (!message || Object.values(this.#texts).some(([mark]) => mark !== message.number)) return;
      this.#messages.shift();
      for (const items of Object.values(this.#texts)) items.shift();
      this.#onMessage(message);
    }
  }

  /** The texts up to the next mark of each descriptor. */
  #giveTexts() {
    for (const [name, items] of Object.entries(this.#texts)) {
      while (typeof items[0] === 'string') this.#onText(name, items.shift());
    }
  }
}

module.exports = { markOf, MarkedText, WrittenOrder };
