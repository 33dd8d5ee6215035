// tslab's fault: a failed cell sends no `error` message, so papermill reports "In [None]" without a traceback.
// Here errors become what Jupyter expects, with stack frames that name the cell and the line of its source.
const { inspect, types } = require('node:util');

const cellFrame = /In\[(\d+)\]:(\d+):(\d+)/;
const inCell = ({ cell, line }) => `cell [${cell.number}], line ${line}`;
const kernelFrame = /kernel-setup[\\/]kernel[\\/]|node:(vm|internal|events)/;

/**
 * @param thrown whatever the cell threw
 * @param cells cells by number: their source and their positions
 * @param failed the cell that it failed, if it is known
 * @returns `{ ename, evalue, traceback }`, the content of an `error` message
 */
function describeError(thrown, cells, failed) {
  const { ename, evalue } = nameAndMessage(thrown, cells);
  return { ename, evalue, traceback: [...excerptOf(thrown, cells, failed), ...tracebackOf(thrown, cells)] };
}

/** An error as text, for one that is looked at instead of thrown. */
function describeTrace(error, cells) {
  const { cause: _, errors: __, ...facts } = error;
  const more = Object.keys(facts).length > 0 ? [inspect(facts)] : [];
  return [...tracebackOf(error, cells), ...more].join('\n');
}

/** A message may name a place in a cell, as those of `compile` do: it becomes the line that its author wrote. */
function nameAndMessage(thrown, cells) {
  if (!isError(thrown)) return { ename: 'Thrown', evalue: typeof thrown === 'string' ? thrown : inspect(thrown) };
  const evalue = String(thrown.message).replace(new RegExp(cellFrame, 'g'), (place) => {
    const found = placeIn(place, cells);
    return found ? inCell(found) : place;
  });
  return { ename: String(thrown.name || thrown.constructor.name), evalue };
}

/** The cell, line and column of its source that a frame of the compiled cell stands for. */
function placeIn(frame, cells) {
  const [, number, line, column] = cellFrame.exec(frame) ?? [];
  const cell = cells.get(Number(number));
  const position = cell?.position?.(Number(line), Number(column));
  return position && { cell, ...position };
}

function isError(thrown) {
  return types.isNativeError(thrown) || thrown instanceof Error;
}

function tracebackOf(thrown, cells, seen = new Set()) {
  const { ename, evalue } = nameAndMessage(thrown, cells);
  const lines = `${ename}: ${evalue}`.split('\n');
  if (!isError(thrown)) return lines;
  seen.add(thrown);
  lines.push(...framesOf(thrown, cells).map((frame) => `    ${frame.text}`));
  const causes = [thrown.cause, ...(Array.isArray(thrown.errors) ? thrown.errors : [])];
  for (const cause of causes) {
    if (cause === undefined || seen.has(cause)) continue;
    const [first, ...rest] = tracebackOf(cause, cells, seen);
    lines.push(`Caused by: ${first}`, ...rest);
  }
  return lines;
}

/** The lines around the innermost frame in a cell, or else around what the cell awaited, with an arrow. */
function excerptOf(thrown, cells, failed) {
  const frame = isError(thrown) && framesOf(thrown, cells).find(({ cell }) => cell);
  if (frame) return sourceExcerpt(frame.cell, frame.line);
  return failed?.awaitedLine ? sourceExcerpt(failed, failed.awaitedLine) : [];
}

function sourceExcerpt(cell, line) {
  const source = cell.source.split('\n');
  const first = Math.max(1, line - 2);
  const shown = source.slice(first - 1, line + 2).map((text, index) => {
    const number = first + index;
    return `${number === line ? '---->' : '     '} ${String(number).padStart(3)} | ${text}`;
  });
  return [inCell({ cell, line }), ...shown, ''];
}

/** The stack's frames down to the kernel's own, those in cells with the positions of their source. */
function framesOf(error, cells) {
  const frames = [];
  for (const text of String(error.stack ?? '').split('\n')) {
    if (!/^\s+at /.test(text)) continue;
    const found = cellFrame.exec(text);
    if (!found) {
      if (kernelFrame.test(text) && frames.some(({ cell }) => cell)) break;
      frames.push({ text: text.trim() });
      continue;
    }
    const place = placeIn(found[0], cells);
    if (!place) continue;
    const { cell, line, column } = place;
    const shown = `In[${cell.number}]:${line}:${column}`;
    frames.push({ text: text.trim().replace(found[0], shown).replace('at Proxy.', 'at '), cell, line });
  }
  return frames.filter(({ text }) => !kernelFrame.test(text));
}

/** What the compiler refused, in the same form. */
function describeDiagnostics(diagnostics, cell) {
  const traceback = [];
  for (const { fileName, start, messageText, code } of diagnostics) {
    if (!fileName) traceback.push(...sourceExcerpt(cell, start.line + 1));
    const place = `${fileName ?? `In[${cell.number}]`}:${start.line + 1}:${start.character + 1}`;
    traceback.push(`${place} - TS${code}: ${messageText}`, '');
  }
  return { ename: 'TypeScriptError', evalue: diagnostics[0].messageText, traceback: traceback.slice(0, -1) };
}

module.exports = { describeError, describeTrace, describeDiagnostics };
