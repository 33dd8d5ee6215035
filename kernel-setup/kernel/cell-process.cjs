// The process in which cells run, as seen from the kernel: requests go in and messages come out as lines of JSON.
const { spawn } = require('node:child_process');
const { closeSync, readSync } = require('node:fs');
const { once } = require('node:events');
const { Socket } = require('node:net');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { makePipe } = require('./native-pipes.cjs');
const { MarkedText, WrittenOrder } = require('./stream-markers.cjs');

const logLines = 20;

class CellProcess {
  #child;
  #order;
  #readers;
  #messagesRead;
  #log = [];
  #ready = false;
  /** What was sent before the process was ready: if it has to be started again, it is sent again. */
  #early = [];
  #onEnd;
  /** Resolves when the process has ended. */
  ended;

  /**
   * @param {{ onText(name: 'stdout' | 'stderr', text: string): void, onMessage(message: object): void,
   *   onEnd(how: { code: number | null, signal: string | null, log: string[] }): void }} listeners
   */
  constructor({ onText, onMessage, onEnd }) {
    this.#onEnd = onEnd;
    this.#order = new WrittenOrder({
      onText: (name, text) => {
        this.#keepLog(text);
        onText(name, text);
      },
      onMessage: (message) => {
        if (message.type !== 'ready') return onMessage(message);
        this.#ready = true;
        this.#early = [];
      },
    });
    this.#start();
  }

  #start() {
    const pipes = { stdout: makePipe(), stderr: makePipe() };
    const [stdout, stderr] = Object.values(pipes).map(({ writeEnd }) => writeEnd);
    this.#child = spawn(
      process.execPath,
      [...nodeOptions(), '--expose-internals', path.join(__dirname, 'cells/main.cjs')],
      {
        stdio: ['ignore', stdout, stderr, 'pipe', 'pipe'],
      },
    );
    for (const { writeEnd } of Object.values(pipes)) closeSync(writeEnd);
    this.#readers = Object.entries(pipes).map(([name, { readEnd }]) => this.#readText(name, readEnd));
    this.#readMessages(this.#child.stdio[4]);
    // A request to a process that has just ended: its end is told by `exit`.
    this.#child.stdio[3].on('error', () => {});
    for (const line of this.#early) this.#child.stdio[3].write(line);
    this.ended = once(this.#child, 'exit').then(([code, signal]) => this.#end(code, signal));
  }

  send(request) {
    const line = `${JSON.stringify(request)}\n`;
    if (!this.#ready) this.#early.push(line);
    this.#child.stdio[3].write(line);
  }

  kill() {
    this.#child.kill('SIGKILL');
  }

  /** Reads a descriptor as text arrives; `rest` reads what has been written by now. */
  #readText(name, descriptor) {
    const marked = new MarkedText();
    const take = (bytes) => this.#order.addText(name, marked.take(bytes));
    const socket = new Socket({ fd: descriptor, readable: true, writable: false });
    socket.on('data', take).on('error', () => {});
    const buffer = Buffer.alloc(65536);
    const rest = () => {
      if (socket.destroyed) return;
      try {
        let count = readSync(descriptor, buffer);
        while (count > 0) {
          take(buffer.subarray(0, count));
          count = readSync(descriptor, buffer);
        }
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
      }
    };
    return { rest, close: () => socket.destroy() };
  }

  #readMessages(socket) {
    let begun = [];
    socket.on('data', (bytes) => {
      let start = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
        begun.push(bytes.subarray(start, end));
        this.#order.addMessage(JSON.parse(Buffer.concat(begun).toString()));
        begun = [];
        start = end + 1;
      }
      begun.push(bytes.subarray(start));
    });
    socket.on('error', () => {});
    this.#messagesRead = once(socket, 'close');
  }

  #keepLog(text) {
    this.#log.push(...text.split('\n').filter((line) => line.trim()));
    if (this.#log.length > logLines) this.#log = this.#log.slice(-logLines);
  }

  async #end(code, signal) {
    await Promise.race([this.#messagesRead, pause(1000)]);
    for (const reader of this.#readers) {
      reader.rest();
      reader.close();
    }
    this.#order.finish();
    // Jupyter's interrupt goes to all of the kernel's processes, and ends one that does not listen yet.
    if (!this.#ready && signal === 'SIGINT') {
      this.#start();
      return this.ended;
    }
    this.#onEnd({ code, signal, log: this.#log });
  }
}

/** This process's own options, which the kernelspec gives, with another heap if the shell asks for one. */
function nodeOptions() {
  const asked = process.env.PATHLAB_HEAP_MB;
  if (!asked) return process.execArgv;
  if (!/^[1-9]\d*$/.test(asked)) throw new Error(`PATHLAB_HEAP_MB is "${asked}"; it takes a number of megabytes`);
  const others = process.execArgv.filter((option) => !option.startsWith('--max-old-space-size'));
  return [...others, `--max-old-space-size=${asked}`];
}

module.exports = { CellProcess };
