// The kernel's side of the Jupyter protocol: five sockets, requests in, answers and output out.
const { setTimeout: pause } = require('node:timers/promises');
const { inspect } = require('node:util');
const zeromq = require('zeromq');
const { answerFrames, parseMessage, protocolVersion, SendQueue } = require('./wire.cjs');

const quietFor = 10; // ms
const cleanEndWithin = 60_000; // ms

class KernelServer {
  #connection;
  #tslab;
  #sockets;
  #queues;
  #executor;
  #output;
  #executionCount = 0;
  /** The end of the cells asked for so far: they run one after the other. */
  #cells = Promise.resolve();
  #runningRequest;
  /** Execute requests that came before this many had come are dropped: a cell before them failed. */
  #dropBefore = 0;
  #received = 0;

  constructor(connection, tslab) {
    this.#connection = connection;
    this.#tslab = tslab;
  }

  async listen() {
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
  }

  /** Answers requests until shutdown. */
  async serve(executor, output) {
    this.#executor = executor;
    this.#output = output;
    const { shell, control, hb } = this.#sockets;
    await Promise.all([this.#answerAll(shell), this.#answerAll(control), this.#echoAll(hb)]);
  }

  publish = (type, content, request) => {
    const frames = answerFrames(request, type, content, this.#connection.key, [type]);
    return this.#queues.get(this.#sockets.iopub).send(frames);
  };

  async #echoAll(socket) {
    for await (const frames of socket) await socket.send(frames);
  }

  async #answerAll(socket) {
    for await (const frames of socket) {
      let request;
      try {
        request = parseMessage(frames, this.#connection.key);
      } catch (error) {
        process.stderr.write(`pathlab kernel: ignored ${error.message}\n`);
        continue;
      }
      this.#answer(socket, request);
    }
  }

  async #answer(socket, request) {
    const type = request.header.msg_type;
    if (type === 'execute_request') {
      const order = this.#received++;
      this.#cells = this.#cells.then(() => this.#answerWith(socket, request, () => this.#execute(request, order)));
      return;
    }
    const handler = this.#handlers[type];
    if (!handler) {
      process.stderr.write(`pathlab kernel: ignored a request of unknown type ${type}\n`);
      return;
    }
    await this.#answerWith(socket, request, () => handler(request.content));
    // A completion while a cell runs must not make the kernel look idle.
    if (this.#runningRequest) this.publish('status', { execution_state: 'busy' }, this.#runningRequest);
    if (type === 'shutdown_request') await this.#exit();
  }

  async #answerWith(socket, request, work) {
    this.publish('status', { execution_state: 'busy' }, request);
    let content;
    try {
      content = await work();
    } catch (error) {
      content = { status: 'error', ename: error.name, evalue: error.message, traceback: error.stack.split('\n') };
    }
    const type = request.header.msg_type.replace(/_request$/, '_reply');
    const frames = answerFrames(request, type, content, this.#connection.key, request.identities);
    await this.#queues.get(socket).send(frames);
    await this.publish('status', { execution_state: 'idle' }, request);
  }

  #handlers = {
    kernel_info_request: () => this.#kernelInfo(),
    is_complete_request: ({ code }) => {
      const { completed, indent } = this.#tslab.isCompleteCode(code);
      return completed ? { status: 'complete' } : { status: 'incomplete', indent };
    },
    complete_request: ({ code, cursor_pos: position }) => {
      const { start, end, candidates } = this.#executor.complete(code, position);
      return { status: 'ok', matches: candidates, cursor_start: start, cursor_end: end, metadata: {} };
    },
    inspect_request: ({ code, cursor_pos: position }) => {
      const info = this.#executor.inspect(code, position);
      const data = info ? { 'text/plain': this.#tslab.printQuickInfo(info) } : {};
      return { status: 'ok', found: Boolean(info), data, metadata: {} };
    },
    comm_info_request: () => ({ status: 'ok', comms: {} }),
    history_request: () => ({ status: 'ok', history: [] }),
    interrupt_request: () => {
      this.#executor.interrupt();
      return { status: 'ok' };
    },
    shutdown_request: ({ restart }) => ({ status: 'ok', restart }),
  };

  #kernelInfo() {
    return {
      status: 'ok',
      protocol_version: protocolVersion,
      implementation: 'pathlab',
      implementation_version: require('../../package.json').version,
      banner: `TypeScript ${this.#tslab.typescript.version} (pathlab) on Node ${process.versions.node}`,
      language_info: {
        name: 'typescript',
        version: this.#tslab.typescript.version,
        mimetype: 'text/typescript',
        file_extension: '.ts',
        pygments_lexer: 'typescript',
        codemirror_mode: { name: 'javascript', mode: 'typescript', typescript: true },
      },
    };
  }

  async #execute(request, order) {
    const { code, silent = false, store_history: counted = !silent, stop_on_error: stop = true } = request.content;
    if (order < this.#dropBefore) return { status: 'aborted', execution_count: this.#executionCount };
    if (counted && !silent) this.#executionCount++;
    const count = this.#executionCount;
    if (!silent) this.publish('execute_input', { code, execution_count: count }, request);

    const cell = { number: counted ? count : 0, source: code, request };
    this.#runningRequest = request;
    const { error, value } = await this.#executor.run(cell);
    this.#runningRequest = undefined;
    this.#output.flush();
    if (error) {
      if (stop) await this.#dropWaiting();
      this.#output.send(cell, 'error', error);
      return { status: 'error', execution_count: count, ...error };
    }
    if (value !== undefined && !silent) {
      const data = { 'text/plain': inspect(value) };
      this.#output.send(cell, 'execute_result', { data, metadata: {}, execution_count: count });
    }
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

  /** Ends the process; a cell that handles interrupts gets the time to save its work first. */
  async #exit() {
    if (this.#executor.end()) await Promise.race([this.#cells, pause(cleanEndWithin)]);
    this.#output.flush();
    await Promise.race([Promise.all([...this.#queues.values()].map((queue) => queue.sent)), pause(1000)]);
    process.exit(0);
  }
}

module.exports = { KernelServer };
