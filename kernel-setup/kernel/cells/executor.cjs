// Compiles and runs cells, one at a time.
const { writeSync } = require('node:fs');
const vm = require('node:vm');
const { setImmediate: nextTurn } = require('node:timers/promises');
const { describeDiagnostics, describeError, describeTrace } = require('./errors.cjs');
const { offerStop } = require('./expect-stop.cjs');
const { Interrupted } = require('./interrupted.cjs');
const { inBase64 } = require('./output.cjs');
const { post } = require('./post.cjs');
const { rewriteCell } = require('./rewrite.cjs');
const { bundleOf } = require('./shown-value.cjs');
const { takePositions } = require('./source-maps.cjs');

const scope = Symbol.for('pathlab.cell');

class Executor {
  #tslab;
  #converter;
  #modules;
  #output;
  #state;
  /** Cells by number, for the traces of errors in functions that earlier cells defined. */
  #cells = new Map();
  /** Sources of the cells whose code was begun. */
  #ran = new Set();
  #declarations = '';
  #variables = {};
  #running;
  #whenEnded;

  constructor({ tslab, modules, output, state }) {
    this.#tslab = tslab;
    this.#converter = tslab.createConverter();
    this.#modules = modules;
    this.#output = output;
    this.#state = state;
    offerStop(state);
  }

  /**
   * Runs a cell: `{ id, number, source, allowStdin }`.
   *
   * @param done is called once, with `{ error }`, the content of an `error` message, or with `{ result }`, the data and
   *   metadata of its last expression, or with neither
   */
  run(cell, done) {
    this.#cells.set(cell.number, cell);
    const settle = (content) => {
      if (this.#running?.cell !== cell) return;
      this.#running = undefined;
      this.#state.cooperative = false;
      done(content);
      this.#whenEnded?.();
    };
    const fail = (thrown) => settle({ error: describeError(thrown, this.#cells, cell) });
    this.#running = { cell, fail };
    // A turn of its own: what is stopped from outside takes with it whatever called it.
    setImmediate(() => this.#output.under(cell, () => this.#evaluate(cell)).then(settle, fail));
  }

  async #evaluate(cell) {
    const { compiled, error } = this.#compile(cell);
    if (error) return { error };
    const sideOutputs = compiled.sideOutputs ?? [];
    this.#modules.addCompiled(sideOutputs);
    const code = [compiled.output ?? '', ...sideOutputs.map(({ data }) => data)];
    await this.#modules.preload(code.flatMap((text) => this.#specifiers(text)));
    this.#output.throwIfStopped();
    this.#ran.add(cell.source);

    // tslab's fault: what a failed cell had assigned was undeclared afterwards.
    this.#declarations = compiled.declOutput ?? '';
    const last = {};
    globalThis[scope] = [exportsOfCell(this.#variables, compiled.lastExpressionVar, last), this.#modules.require];
    await runScript(cell, compiled);
    // Rejections that nobody handles and throws of due timers show up now, and fail the cell that caused them.
    await nextTurn();

    if (last.value === undefined) return {};
    const { data, metadata } = await bundleOf(last.value, (error) => describeTrace(error, this.#cells));
    return { result: { data: inBase64(data), metadata } };
  }

  #compile(cell) {
    const rewritten = rewriteCell(this.#tslab.typescript, cell.source);
    const compiled = this.#state.whileCompiling(() => this.#converter.convert(this.#declarations, rewritten.text));
    if (compiled.diagnostics.length > 0) {
      return { error: describeDiagnostics(inOriginal(compiled.diagnostics, cell, rewritten), cell) };
    }
    const cellPosition = takePositions();
    const lastLine = compiled.output?.split('\n').length ?? 0;
    // The compiler put one line before the cell's text; what follows its code is the call that runs it.
    cell.position = (line, column) => {
      const found = line > lastLine ? undefined : cellPosition(line, column);
      if (!(found?.line > 1)) return undefined;
      const before = rewritten.text.split('\n').slice(0, found.line - 2);
      const offset = before.join('\n').length + Math.min(before.length, 1) + found.column - 1;
      const { line: row, character } = placeInSource(cell, rewritten, offset);
      return { line: row + 1, column: character + 1 };
    };
    return { compiled };
  }

  #specifiers(code) {
    return this.#tslab.typescript.preProcessFile(code, true, true).importedFiles.map(({ fileName }) => fileName);
  }

  /** The sources of the cells that were run, in their order, with the running one's; each text once. */
  executedCells() {
    return [...this.#ran];
  }

  /** The signal of the cell that is asking: the first interrupt aborts it and leaves the ending to the cell. */
  interruptSignal() {
    const { cell } = this.#output;
    if (!cell) return new AbortController().signal;
    cell.interruption ??= new AbortController();
    if (cell === this.#running?.cell) this.#state.cooperative = !cell.interruption.signal.aborted;
    return cell.interruption.signal;
  }

  /**
   * Asks the running cell to end because the process will.
   *
   * @param whenEnded is called when it has
   * @returns whether the cell handles interrupts, and thus is worth waiting for
   */
  end(whenEnded) {
    const interruption = this.#running?.cell.interruption;
    if (!interruption) return false;
    this.#whenEnded = whenEnded;
    interruption.abort(new Interrupted());
    return true;
  }

  interrupt() {
    // Jupyter's shutdown interrupts as well, and that must not count as the second interrupt.
    if (!this.#running || this.#whenEnded) return;
    const { cell, fail } = this.#running;
    if (cell.interruption && !cell.interruption.signal.aborted) {
      this.#output.write(cell, 'stderr', 'Interrupted: stopping cleanly. Interrupt again to stop at once.\n');
      this.#state.cooperative = false;
      cell.interruption.abort(new Interrupted());
      return;
    }
    cell.stopped = true;
    fail(new Interrupted());
  }

  /** An error outside every await: it fails the running cell, or shows under the cell that it belongs to. */
  failOutside(thrown) {
    const { cell } = this.#output;
    if (cell?.stopped && thrown instanceof Interrupted) return;
    // An error that names no cell is taken for the running one's.
    if (this.#running && (!cell || cell === this.#running.cell)) {
      this.#running.fail(thrown);
      return;
    }
    const error = describeError(thrown, this.#cells);
    if (cell) post({ type: 'error', cell: cell.id, content: error });
    else writeSync(2, `${error.traceback.join('\n')}\n`);
  }

  complete(code, position) {
    return this.#state.whileCompiling(() => this.#converter.complete(this.#declarations, code, position));
  }

  inspect(code, position) {
    return this.#state.whileCompiling(() => this.#converter.inspect(this.#declarations, code, position));
  }
}

/**
 * What a cell's code exports to: the variables of all cells, and `last` for the value of its last expression. That one is
 * the cell's own: code of a failed cell may go on and come to its last expression while another cell runs.
 * TypeScript defines imported names by getters; held as values, later cells can replace them.
 */
function exportsOfCell(cellVariables, lastExpression, last) {
  return new Proxy(cellVariables, {
    defineProperty(variables, name, { get, value }) {
      if (name === lastExpression) last.value = value;
      else if (name !== '__esModule') variables[name] = get ? get() : value;
      return true;
    },
  });
}

function runScript(cell, { output, hasToplevelAwait }) {
  if (!output) return undefined;
  const head = `(${hasToplevelAwait ? 'async ' : ''}function (exports, require) { `;
  const tail = `\n}).apply(undefined, globalThis[Symbol.for('${scope.description}')])`;
  const result = vm.runInThisContext(head + output + tail, {
    filename: `In[${cell.number}]`,
    columnOffset: -head.length,
  });
  return hasToplevelAwait ? result : undefined;
}

/** Diagnostics with the positions of the cell as its author wrote it. */
function inOriginal(diagnostics, cell, rewritten) {
  return diagnostics.map((diagnostic) => {
    if (diagnostic.fileName) return diagnostic;
    return { ...diagnostic, start: placeInSource(cell, rewritten, diagnostic.start.offset) };
  });
}

/** Where an offset of the rewritten text is in the cell as its author wrote it. */
function placeInSource(cell, rewritten, offset) {
  const before = cell.source.slice(0, rewritten.toOriginal(offset)).split('\n');
  return { line: before.length - 1, character: before.at(-1).length };
}

module.exports = { Executor };
