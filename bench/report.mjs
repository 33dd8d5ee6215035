import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Prints a benchmark's table and last line, and writes `bench/results/<name>.json`; of a quick run, which is too short
 * to be kept, `<name>.local.json`.
 *
 * @param {string} name
 * @param {{work: string, columns: Record<string, string>, rows: Record<string, unknown>[], ratios: Record<string, number>, quick: boolean}} result
 *   `ratios` are ours over the peer's throughput by main row; the smallest is the benchmark's
 */
export function report(name, result) {
  printTable(result);
  for (const [row, ratio] of Object.entries(result.ratios)) console.log(`${row}: ${ratio.toFixed(2)} times the peer`);
  const ratio = Math.min(...Object.values(result.ratios));
  write(name, { ratio, ...result });
  console.log(`${name}: ratio ${ratio.toFixed(2)}`);
}

/**
 * The same for a benchmark that has no peer.
 *
 * @param {{work: string, columns: Record<string, string>, rows: Record<string, unknown>[], value: number, unit: string}} result
 */
export function reportValue(name, result) {
  printTable(result);
  write(name, result);
  console.log(`${name}: value ${result.value.toFixed(0)} ${result.unit}`);
}

function printTable(result) {
  const titles = Object.values(result.columns);
  const cells = result.rows.map((row) => Object.keys(result.columns).map((column) => shown(row[column])));
  const widths = titles.map((title, place) => Math.max(title.length, ...cells.map((row) => row[place].length)));
  const line = (row) =>
    row
      .map((cell, place) => cell.padEnd(widths[place]))
      .join('  ')
      .trimEnd();
  console.log([result.work, line(titles), ...cells.map(line)].join('\n'));
}

function write(name, { columns: _, ...kept }) {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const text = `${JSON.stringify({ name, date: new Date().toISOString(), ...kept }, undefined, 2)}\n`;
  const path = `${folder}${name}${kept.quick ? '.local' : ''}.json`;
  writeFileSync(`${path}.partial`, text);
  renameSync(`${path}.partial`, path);
}

function shown(value) {
  return typeof value === 'number' ? value.toFixed(0) : String(value);
}
