// Compiles and runs cells, one at a time.
const vm = require('node:vm');
const { setImmediate: nextTurn } = require('node:timers/promises');
const { describeDiagnostics, describeError } = require('./errors.cjs');
const { rewriteCell } = require('./rewrite.cjs');
const { takePositions } = require('./source-maps.cjs');

const scope = Symbol.for('pathlab.cell');

class Interrupted extends Error {
  name = 'Interrupted';
  message = 'the cell was interrupted';
}

class Executor {
  #tslab;
  #converter;
  #modules;
  #output;
  /** Cells by number, for the traces of errors in functions that earlier cells defined. */
  #cells = new Map();
  #declarations = '';
  #exports = cellVariables();
  #running;
  #ending = false;

  constructor({ tslab, modules, output }) {
    this.#tslab = tslab;
    this.#converter = tslab.createConverter();
    this.#modules = modules;
    this.#output = output;
    globalThis[scope] = [this.#exports, modules.require];
  }

  /**
   * Runs a cell: `{ number, source, request }`.
   *
   * @returns `{ value }` of its last expression, or `{ error }`, the content of an `error` message
   */
  async run(cell) {
    this.#cells.set(cell.number, cell);
    const failure = withResolvers();
    failure.promise.catch(() => {});
    this.#running = { cell, fail: failure.reject };
    try {
      return await this.#output.under(cell, () => this.#evaluate(cell, failure.promise));
    } catch (thrown) {
      return { error: describeError(readableInterrupt(thrown), this.#cells) };
    } finally {
      this.#running = undefined;
    }
  }

  async #evaluate(cell, failure) {
    const rewritten = rewriteCell(this.#tslab.typescript, cell.source);
    const compiled = this.#converter.convert(this.#declarations, rewritten.text);
    if (compiled.diagnostics.length > 0) {
      return { error: describeDiagnostics(inOriginal(compiled.diagnostics, cell, rewritten), cell) };
    }
    const cellPosition = takePositions();
    const lastLine = compiled.output?.split('\n').length ?? 0;
    // The compiler put one line before the cell's text; what follows its code is the call that runs it.
    cell.position = (line, column) => {
      const found = line > lastLine ? undefined : cellPosition(line, column);
      return found && found.line > 1 ? { ...found, line: found.line - 1 } : undefined;
    };
    const sideOutputs = compiled.sideOutputs ?? [];
    this.#modules.addCompiled(sideOutputs);
    const code = [compiled.output ?? '', ...sideOutputs.map(({ data }) => data)];
    await Promise.race([this.#modules.preload(code.flatMap((text) => this.#specifiers(text))), failure]);

    // tslab's fault: what a failed cell had assigned was undeclared afterwards.
    this.#declarations = compiled.declOutput ?? '';
    await Promise.race([runScript(cell, compiled), failure]);
    // Rejections that nobody handles and throws of due timers show up now, and fail the cell that caused them.
    await Promise.race([nextTurn(), failure]);

    const name = compiled.lastExpressionVar;
    if (name === undefined) return {};
    const value = this.#exports[name];
    delete this.#exports[name];
    return { value };
  }

  #specifiers(code) {
    return this.#tslab.typescript.preProcessFile(code, true, true).importedFiles.map(({ fileName }) => fileName);
  }

  /** The signal of the cell that is asking: the first interrupt aborts it and leaves the ending to the cell. */
  interruptSignal() {
    const cell = this.#output.cell;
    if (!cell) return new AbortController().signal;
    cell.interruption ??= new AbortController();
    return cell.interruption.signal;
  }

  /**
   * Asks the running cell to end because the kernel will.
   *
   * @returns whether it handles interrupts, and thus is worth waiting for
   */
  end() {
    this.#ending = true;
    const interruption = this.#running?.cell.interruption;
    interruption?.abort(new Interrupted());
    return interruption !== undefined;
  }

  interrupt() {
    // Jupyter's shutdown interrupts as well, and that must not count as the second interrupt.
    if (!this.#running || this.#ending) return;
    const { cell, fail } = this.#running;
    if (cell.interruption && !cell.interruption.signal.aborted) {
      this.#output.write(cell, 'stderr', 'Interrupted: stopping cleanly. Interrupt again to stop at once.\n');
      cell.interruption.abort(new Interrupted());
      return;
    }
    fail(new Interrupted());
  }

  /** An error outside every await: it fails the running cell, or shows under the cell that ran last. */
  failOutside(thrown) {
    if (this.#running) {
      this.#running.fail(thrown);
      return;
    }
    const cell = this.#output.cell;
    const { traceback } = describeError(thrown, this.#cells);
    if (cell) this.#output.write(cell, 'stderr', `${traceback.join('\n')}\n`);
    else process.stderr.write(`${traceback.join('\n')}\n`);
  }

  complete(code, position) {
    return this.#converter.complete(this.#declarations, code, position);
  }

  inspect(code, position) {
    return this.#converter.inspect(this.#declarations, code, position);
  }
}

/** A cell's variables. TypeScript defines imported names by getters; held as values, later cells can replace them. */
function cellVariables() {
  return new Proxy(
    {},
    {
      defineProperty(variables, name, { get, value }) {
        if (name !== '__esModule') variables[name] = get ? get() : value;
        return true;
      },
    },
  );
}

function runScript(cell, { output, hasToplevelAwait }) {
  if (!output) return undefined;
  const head = `(${hasToplevelAwait ? 'async ' : ''}function (exports, require) { `;
  const tail = `\n}).apply(undefined, globalThis[Symbol.for('${scope.description}')])`;
  const result = vm.runInThisContext(head + output + tail, {
    filename: `In[${cell.number}]`,
    columnOffset: -head.length,
    // Stops a loop that never yields. Node listens for signals in another way meanwhile, and one that comes as the code
    // ends can be lost; a cell that goes on after an await therefore relies on the kernel's own listener alone.
    breakOnSigint: !hasToplevelAwait,
  });
  return hasToplevelAwait ? result : undefined;
}

function readableInterrupt(thrown) {
  return thrown?.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED' ? new Interrupted() : thrown;
}

/** Diagnostics with the positions of the cell as its author wrote it. */
function inOriginal(diagnostics, cell, rewritten) {
  return diagnostics.map((diagnostic) => {
    if (diagnostic.fileName) return diagnostic;
    const before = cell.source.slice(0, rewritten.toOriginal(diagnostic.start.offset)).split('\n');
    return { ...diagnostic, start: { line: before.length - 1, character: before.at(-1).length } };
  });
}

/** What Promise.withResolvers does from Node 22 on. */
function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

module.exports = { Executor };
