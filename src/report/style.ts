import type { Config } from 'vega-lite';
import { unlabelled } from '../datasets/index.js';
import { fontFamily } from './figure.js';

/**
 * Okabe and Ito's colors for all kinds of color vision (jfly.uni-koeln.de/color); gray and violet replace pale yellow
 * and black.
 */
export const palette = [
  '#0072B2',
  '#D55E00',
  '#009E73',
  '#CC79A7',
  '#56B4E9',
  '#E69F00',
  '#777777',
  '#5E3C99',
] as const;

/** Background, stroma, benign, and three grades of cancer. */
const maskColors = ['#ffffff', '#eda0c8', '#50a050', '#f0dc3c', '#f08c1e', '#c81e1e'] as const;

/** Of pixels in masks that do not count. */
export const ignoredColor = '#5f6b7a';

/** Color of a value in masks: of a class's number, where colors repeat if there are many, or of `unlabelled`. */
export function maskColor(number: number): string {
  if (number === unlabelled) return ignoredColor;
  return maskColors[number] ?? palette[(number - maskColors.length) % palette.length]!;
}

/** Of shares 0, a half and 1: one hue that darkens, as gray too. */
export const shareColors = ['#f3f6f9', '#7fb2d6', '#004f86'] as const;

/** Of a chart with its axis, px: a telephone shows it at its own size. */
export const chartWidth = 360;

export const ink = '#1f2933';
export const faintInk = '#5f6b7a';
const line = '#d5dae0';

/** Vega-Lite config that gives all charts one look. */
export const chartConfig: Config = {
  background: '#ffffff',
  // Quoted: an unquoted font name cannot contain a number.
  font: `'${fontFamily}', 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif`,
  padding: 12,
  view: { stroke: null },
  axis: {
    labelColor: faintInk,
    titleColor: ink,
    labelFontSize: 12,
    titleFontSize: 13,
    titleFontWeight: 600,
    gridColor: '#eceff2',
    domainColor: line,
    tickColor: line,
  },
  legend: {
    labelLimit: 0,
    labelColor: ink,
    titleColor: ink,
    labelFontSize: 12,
    titleFontSize: 13,
    titleFontWeight: 600,
  },
  title: {
    color: ink,
    subtitleColor: faintInk,
    fontSize: 16,
    fontWeight: 600,
    subtitleFontSize: 13,
    anchor: 'start',
    offset: 12,
  },
  range: { category: [...palette] },
  line: { strokeWidth: 2 },
  point: { size: 45, filled: true },
};
