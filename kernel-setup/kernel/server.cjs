// The kernel's side of the Jupyter protocol: five sockets, requests in, answers and output out.
const { writeSync } = require('node:fs');
const { setTimeout: pause } = require('node:timers/promises');
const zeromq = require('zeromq');
const { CellProcess } = require('./cell-process.cjs');
const { describeEnd } = require('./end-of-process.cjs');
const { Executions } = require('./executions.cjs');
const { History } = require('./history.cjs');
const { kernelInfo } = require('./kernel-info.cjs');
const { Streams } = require('./streams.cjs');
const { withoutNotices } = require('./tensorflow-log.cjs');
const { answerFrames, parseMessage, SendQueue } = require('./wire.cjs');

const cleanEndWithin = 60_000; // ms

class KernelServer {
  #connection;
  #sockets;
  #queues;
  #cells;
  #streams = new Streams((type, content, request) => this.#publish(type, content, request));
  #executions;
  #history = new History();
  /** What the cells' process has been asked, by number: what takes the answer. */
  #asked = new Map();
  #questions = 0;
  /** What waits for a person's input. */
  #awaitingInput;
  #ending = false;

  constructor(connection) {
    this.#connection = connection;
    this.#cells = new CellProcess({
      onText: (name, text) => this.#nativeText(name, text),
      onMessage: (message) => this.#hear(message),
      onEnd: (how) => this.#processEnded(how),
    });
    this.#executions = new Executions({
      streams: this.#streams,
      run: (cell) => this.#ask('execute', cell),
      began: (number, code) => this.#history.add(number, code),
    });
  }

  /** Answers requests until shutdown. */
  async serve() {
    const { transport, ip } = this.#connection;
    this.#sockets = {
      // Without a limit: a slow reader must not make the kernel drop output.
      iopub: new zeromq.Publisher({ sendHighWaterMark: 0 }),
      shell: new zeromq.Router(),
      control: new zeromq.Router(),
      stdin: new zeromq.Router(),
      hb: new zeromq.Reply(),
    };
    this.#queues = new Map(Object.values(this.#sockets).map((socket) => [socket, new SendQueue(socket)]));
    for (const [name, socket] of Object.entries(this.#sockets)) {
      await socket.bind(`${transport}://${ip}:${this.#connection[`${name}_port`]}`);
    }
    const { shell, control, stdin, hb } = this.#sockets;
    const answering = [shell, control].map((socket) =>
      this.#receiveAll(socket, (request) => this.#answer(socket, request)),
    );
    const inputs = this.#receiveAll(stdin, (message) => this.#takeInput(message));
    await Promise.all([...answering, inputs, this.#echoAll(hb)]);
  }

  interrupt() {
    this.#cells.send({ type: 'interrupt' });
  }

  /** Ends everything at once. */
  kill() {
    this.#cells.kill();
    endGroup(1);
  }

  #publish(type, content, request) {
    if (!this.#sockets) return undefined;
    const frames = answerFrames(request, type, content, this.#connection.key, [type]);
    return this.#queues.get(this.#sockets.iopub).send(frames);
  }

  async #echoAll(socket) {
    for await (const frames of socket) await socket.send(frames);
  }

  async #receiveAll(socket, take) {
    for await (const frames of socket) {
      let message;
      try {
        message = parseMessage(frames, this.#connection.key);
      } catch (error) {
        log(`pathlab kernel: ignored ${error.message}\n`);
        continue;
      }
      take(message);
    }
  }

  async #answer(socket, request) {
    const type = request.header.msg_type;
    const handler = this.#handlers[type];
    if (!handler) {
      log(`pathlab kernel: ignored a request of unknown type ${type}\n`);
      return;
    }
    const work = () => this.#answerWith(socket, request, () => handler(request.content, request));
    if (type === 'execute_request') {
      this.#executions.enqueue(work);
      return;
    }
    await work();
    // A completion while a cell runs must not make the kernel look idle.
    const running = this.#executions.running;
    if (running) this.#publish('status', { execution_state: 'busy' }, running);
    if (type === 'shutdown_request') await this.#shutDown();
  }

  async #answerWith(socket, request, work) {
    this.#publish('status', { execution_state: 'busy' }, request);
    let content;
    try {
      content = await work();
    } catch (error) {
      content = { status: 'error', ename: error.name, evalue: error.message, traceback: error.stack.split('\n') };
    }
    const type = request.header.msg_type.replace(/_request$/, '_reply');
    const frames = answerFrames(request, type, content, this.#connection.key, request.identities);
    await this.#queues.get(socket).send(frames);
    await this.#publish('status', { execution_state: 'idle' }, request);
  }

  #handlers = {
    kernel_info_request: () => kernelInfo(),
    execute_request: (_content, request) => this.#executions.execute(request),
    is_complete_request: (content) => this.#ask('is_complete', content),
    complete_request: (content) => this.#ask('complete', content),
    inspect_request: (content) => this.#ask('inspect', content),
    history_request: (content) => ({ status: 'ok', history: this.#history.find(content) }),
    comm_info_request: () => ({ status: 'ok', comms: {} }),
    interrupt_request: () => {
      this.interrupt();
      return { status: 'ok' };
    },
    shutdown_request: ({ restart }) => ({ status: 'ok', restart }),
  };

  /** Asks the cells' process and waits for its answer. */
  #ask(type, content) {
    const question = ++this.#questions;
    return new Promise((resolve) => {
      this.#asked.set(question, resolve);
      this.#cells.send({ type, question, ...content });
    });
  }

  /** A message of the cells' process. */
  #hear(message) {
    const { type, question, cell, content } = message;
    if (type === 'answer') {
      this.#asked.get(question)?.(content);
      this.#asked.delete(question);
      return;
    }
    const request = this.#executions.requestOf(cell);
    if (type === 'stream') this.#streams.write(request, content.name, content.text);
    else if (type === 'input_request') this.#askForInput(request, content);
    else this.#streams.send(request, type, content);
  }

  /** What native code and child processes write: shown under the cell that runs, or that ran last. */
  #nativeText(name, text) {
    const shown = name === 'stderr' ? withoutNotices(text, Number(process.env.TF_CPP_MIN_LOG_LEVEL)) : text;
    const request = this.#executions.latest;
    if (request) this.#streams.write(request, name, shown);
    else writeSync(name === 'stdout' ? 1 : 2, shown);
  }

  #askForInput(request, content) {
    this.#streams.flush();
    this.#awaitingInput = request;
    const frames = answerFrames(request, 'input_request', content, this.#connection.key, request.identities);
    this.#queues.get(this.#sockets.stdin).send(frames);
  }

  #takeInput({ content }) {
    if (!this.#awaitingInput) return;
    this.#awaitingInput = undefined;
    this.#cells.send({ type: 'input', value: content.value });
  }

  async #shutDown() {
    this.#ending = true;
    // A cell that handles interrupts gets the time to save its work; any other ends at once.
    this.#cells.send({ type: 'end' });
    await Promise.race([this.#cells.ended, pause(cleanEndWithin)]);
    this.#cells.kill();
    await this.#exit(0);
  }

  /** The cells' process has ended by itself: the running cell fails with the reason, and Jupyter finds the kernel dead. */
  async #processEnded(how) {
    if (this.#ending) return;
    const error = describeEnd(how);
    log(`pathlab kernel: ${error.traceback.join('\n')}\n`);
    const { latest, running } = this.#executions;
    if (latest && !running) this.#streams.write(latest, 'stderr', `${error.traceback.join('\n')}\n`);
    this.#executions.close();
    for (const answer of this.#asked.values()) answer({ error, status: 'error', ...error });
    await this.#executions.settled();
    await this.#exit(1);
  }

  async #exit(code) {
    this.#streams.flush();
    const sent = [...(this.#queues?.values() ?? [])].map((queue) => queue.sent);
    await Promise.race([Promise.all(sent), pause(1000)]);
    // What is sent is on its way only when the sockets have closed.
    await Promise.race([this.#closeSockets(), pause(1000)]);
    endGroup(code);
  }

  async #closeSockets() {
    for (const socket of Object.values(this.#sockets ?? {})) socket.close();
    await pause(100);
  }
}

/** Ends this process and what cells have started: Jupyter makes the kernel the leader of a process group. */
function endGroup(code) {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch (error) {
    // Started by someone else, who gave it no group of its own.
    if (error.code !== 'ESRCH') throw error;
  }
  process.exit(code);
}

/** To Jupyter's own log. Not by `process.stderr`: opening it makes the pipe that Jupyter or papermill writes to non-blocking. */
function log(text) {
  writeSync(2, text);
}

module.exports = { KernelServer };
