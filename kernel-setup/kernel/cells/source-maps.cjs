// tslab's fault: it throws source maps away, so that a stack trace points into JavaScript that nobody wrote.
// A cell is compiled in two steps (TypeScript to ES modules, those to CommonJS); each step's map is kept and the two
// are followed backwards.
const { SourceMap } = require('node:module');

const mapComment = /\n?\/\/# sourceMappingURL=data:application\/json;base64,([A-Za-z0-9+/=]+)\s*$/;
let lastMaps;

const keepSourceMaps = {
  /** Asks the first step for a map. */
  options:
    (createWatchCompilerHost) =>
    (roots, options, ...rest) =>
      createWatchCompilerHost(roots, { ...options, inlineSourceMap: true }, ...rest),

  /** Asks the second step for a map and takes both off the code. */
  transpiler: (typescript) => (code, settings) => {
    const first = takeMap(code);
    const result = typescript.transpileModule(first.code, {
      ...settings,
      compilerOptions: { ...settings.compilerOptions, inlineSourceMap: true },
    });
    const second = takeMap(result.outputText);
    lastMaps = [second.map, first.map];
    return { ...result, outputText: second.code };
  },
};

function takeMap(code) {
  const found = mapComment.exec(code ?? '');
  return found ? { code: code.slice(0, found.index), map: found[1] } : { code, map: undefined };
}

/**
 * Positions in the code compiled last (tslab compiles the cell itself after what it imports).
 * Returns a function from a line and column of the JavaScript, counted from 1, to those of the source.
 */
function takePositions() {
  const encoded = lastMaps;
  let maps;
  return (line, column) => {
    maps ??= encoded.map((map) => map && new SourceMap(JSON.parse(Buffer.from(map, 'base64').toString())));
    let position = { line: line - 1, column: column - 1 };
    for (const map of maps) {
      const entry = map?.findEntry(position.line, position.column);
      if (entry?.originalLine === undefined) return undefined;
      position = { line: entry.originalLine, column: entry.originalColumn };
    }
    return { line: position.line + 1, column: position.column + 1 };
  };
}

module.exports = { keepSourceMaps, takePositions };
