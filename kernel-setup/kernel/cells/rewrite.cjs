// tslab's faults, repaired in the cell's text before it is compiled:
// - `{ epochs }` with `epochs` of an earlier cell is a ReferenceError: it rewrites uses of such variables to
//   `exports.epochs`, but not the shorthand. Written out, `{ epochs: epochs }`, it works.
// - `await (promise)`, `await [..]` and the like at the top level are parsed as a call of a function named await.
//   `await Promise.resolve((promise))` is not.
// - `for await` at the top level is refused. Inside an async function that is awaited, it is not.
// - an error that was made in a callback has no frame in the cell that waits for it. Each await at the top level begins
//   by telling its line.
// - a loop that awaits goes on after its cell was interrupted. Each of its rounds begins with a question whether to stop.
// Insertions add no line, so lines of errors stay right; `toOriginal` gives the columns.

const kernel = "globalThis[globalThis.Symbol.for('pathlab.kernel')]";
const stopHere = ` ${kernel}.throwIfStopped();`;

/** The cell's text as tslab understands it, and the way back from its offsets to the original's. */
function rewriteCell(typescript, code) {
  // A file with an `export` is a module, in which TypeScript's own parser allows `await` at the top level.
  const prefix = 'export {};';
  const file = typescript.createSourceFile('cell.ts', prefix + code, typescript.ScriptTarget.ES2022, true);
  const insertions = [];
  const insert = (at, text) => insertions.push({ at: at - prefix.length, text });
  const tellLine = (node) => `${kernel}.awaitsAt(${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1})`;

  const visit = (node, insideFunction) => {
    // What ends with the node comes after what ends with a node in it, also where both end at the same place.
    const closings = [];
    const wrap = (start, opening, end, closing) => {
      insert(start, opening);
      closings.push([end, closing]);
    };
    if (typescript.isShorthandPropertyAssignment(node)) insert(node.name.end, `: ${node.name.text}`);
    if (!insideFunction && typescript.isAwaitExpression(node)) {
      const { expression } = node;
      wrap(expression.getStart(file), `globalThis.Promise.resolve((${tellLine(node)}, `, expression.end, '))');
    }
    if (typescript.isIterationStatement(node, false) && awaits(typescript, node)) {
      const { statement } = node;
      if (typescript.isBlock(statement)) {
        insert(statement.getStart(file) + 1, stopHere);
      } else {
        wrap(statement.getStart(file), `{${stopHere} `, statement.end, ' }');
      }
    }
    if (!insideFunction && typescript.isForOfStatement(node) && node.awaitModifier) {
      const opening = `await globalThis.Promise.resolve((async () => { ${tellLine(node)}; `;
      wrap(node.getStart(file), opening, node.end, ' })());');
      insideFunction = true;
    }
    const inner = insideFunction || typescript.isFunctionLike(node) || typescript.isClassLike(node);
    typescript.forEachChild(node, (child) => visit(child, inner));
    for (const [at, text] of closings) insert(at, text);
  };
  visit(file, false);

  insertions.sort((one, other) => one.at - other.at);
  let text = '';
  let end = 0;
  for (const { at, text: inserted } of insertions) {
    text += code.slice(end, at) + inserted;
    end = at;
  }
  text += code.slice(end);
  return { text, toOriginal: (offset) => originalOffset(insertions, offset) };
}

/** Whether a loop itself awaits, not just a function in it. */
function awaits(typescript, loop) {
  if (loop.awaitModifier) return true;
  const search = (node) => {
    if (typescript.isFunctionLike(node) || typescript.isClassLike(node)) return false;
    if (typescript.isAwaitExpression(node) || (typescript.isForOfStatement(node) && node.awaitModifier)) return true;
    return typescript.forEachChild(node, search) ?? false;
  };
  return typescript.forEachChild(loop, search) ?? false;
}

function originalOffset(insertions, offset) {
  let added = 0;
  for (const { at, text } of insertions) {
    if (offset <= at + added) break;
    added += Math.min(text.length, offset - at - added);
  }
  return offset - added;
}

module.exports = { rewriteCell };
