// What the front process asks of the process in which cells run.
const { post } = require('./post.cjs');

const cleanEndWithin = 60_000; // ms

/** tslab's fault: it takes code that cannot be parsed for complete. */
function parses(typescript, code) {
  // A file with an `export` is a module, in which `await` is allowed at the top level.
  const file = typescript.createSourceFile('cell.ts', `export {};${code}`, typescript.ScriptTarget.ES2022);
  return file.parseDiagnostics.length === 0;
}

// Jupyter counts a cursor's position in characters of Unicode, JavaScript in the UTF-16 units of which some take two.
const unitsBefore = (code, characters) => Array.from(code).slice(0, characters).join('').length;
const charactersBefore = (code, units) => Array.from(code.slice(0, units)).length;

/** @returns a function that takes one request */
function handlerOf({ executor, input, tslab, state }) {
  const answering = (work) => (request) => {
    const answer = (content) => post({ type: 'answer', question: request.question, content });
    try {
      answer(work(request));
    } catch (error) {
      answer({ status: 'error', ename: error.name, evalue: error.message, traceback: error.stack.split('\n') });
    }
  };

  const handlers = {
    execute: (request) => {
      const { cell: id, count: number, source, allowStdin } = request;
      executor.run({ id, number, source, allowStdin }, (content) =>
        post({ type: 'answer', question: request.question, content }),
      );
    },
    is_complete: answering(({ code }) => {
      const { completed, indent } = tslab.isCompleteCode(code);
      if (!completed) return { status: 'incomplete', indent };
      return { status: parses(tslab.typescript, code) ? 'complete' : 'invalid' };
    }),
    complete: answering(({ code, cursor_pos: position }) => {
      const { start, end, candidates } = executor.complete(code, unitsBefore(code, position));
      const [from, to] = [start, end].map((units) => charactersBefore(code, units));
      return { status: 'ok', matches: candidates, cursor_start: from, cursor_end: to, metadata: {} };
    }),
    inspect: answering(({ code, cursor_pos: position }) => {
      const info = executor.inspect(code, unitsBefore(code, position));
      const data = info ? { 'text/plain': tslab.printQuickInfo(info) } : {};
      return { status: 'ok', found: Boolean(info), data, metadata: {} };
    }),
    input: ({ value }) => input.take(value),
    interrupt: () => {
      state.hear();
      executor.interrupt();
    },
    end: () => {
      state.hear();
      if (!executor.end(() => process.exit(0))) process.exit(0);
      setTimeout(() => process.exit(0), cleanEndWithin);
    },
  };
  return (request) => handlers[request.type](request);
}

module.exports = { handlerOf };
