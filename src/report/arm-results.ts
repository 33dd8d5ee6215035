import type { ClassifiedCases } from '../evaluate/index.js';
import { faintInk, palette } from './style.js';

/** One result of each arm, by the arm's name, on the same cases. */
export type ArmResults = Readonly<Record<string, ClassifiedCases>>;

/**
 * Colors of the arms of a chart, and a legend that gives the value of each.
 *
 * @param values of each arm; null where there is none
 * @throws RangeError for more arms than there are colors
 */
export function armColors(values: Readonly<Record<string, number | null>>, title: string) {
  const names = Object.keys(values);
  if (names.length > palette.length) {
    throw new RangeError(`a chart can show ${palette.length} arms; got ${names.length}`);
  }
  const labels = names.map((name) => `${values[name] === null ? '–' : values[name]!.toFixed(3)}  ${name}`);
  return {
    labelOf: (name: string) => labels[names.indexOf(name)]!,
    color: {
      field: 'arm',
      type: 'nominal' as const,
      scale: { domain: labels, range: palette.slice(0, names.length) },
      title,
      legend: {
        ...{ orient: 'bottom' as const, direction: 'vertical' as const, columns: 1, offset: 8 },
        ...{ symbolType: 'square' as const, symbolOpacity: 1 },
      },
    },
  };
}

/** A dashed line between two places of a panel, behind the data. */
export function referenceLine(from: readonly [x: number, y: number], to: readonly [x: number, y: number]) {
  return {
    data: { values: [from, to].map(([x, y]) => ({ x, y })) },
    mark: { type: 'line' as const, strokeDash: [5, 4], strokeWidth: 1, color: faintInk },
    encoding: {
      x: { field: 'x', type: 'quantitative' as const },
      y: { field: 'y', type: 'quantitative' as const },
    },
  };
}

/** An axis from 0 to 1. */
export function unitAxis(field: string, title: string) {
  return {
    field,
    type: 'quantitative' as const,
    title,
    scale: { domain: [0, 1] },
    axis: { format: '.1~f', tickCount: 5, grid: true },
  };
}
