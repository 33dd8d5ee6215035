import { from } from 'arquero';
import type { ArmComparison } from './compare-arms.js';
import type { Interval } from './intervals.js';

/** Rows of a page's tables: cells by heading. */
export interface ComparisonRows {
  /** A row for each arm, a column for each metric: value and interval. */
  arms: Record<string, string>[];
  /** A row for each comparison of the family: difference, interval, p-values. */
  differences: Record<string, string>[];
  /** A row for each arm and metric: standard deviations over patients (or what stands for them) and seeds. */
  spread: Record<string, string>[];
}

const missing = '–';

/** A comparison as tables' rows, with three decimals. */
export function comparisonRows({ arms, metrics, groups, values, differences }: ArmComparison): ComparisonRows {
  return {
    arms: arms.map((arm) => {
      const own = values.filter((value) => value.arm === arm);
      const cells = own.map(({ metric, value, interval }) => [metrics[metric]!, estimate(value.value, interval)]);
      return { Arm: arm, Runs: String(own[0]?.runs ?? 0), ...Object.fromEntries(cells) };
    }),
    differences: differences.map(({ arm, against, metric, value, interval, p, adjustedP }) => ({
      Comparison: `${arm} minus ${against}`,
      Metric: metrics[metric]!,
      Difference: estimate(value.value, interval, signed),
      p: pValue(p.value),
      'Adjusted p': p.value === null ? missing : pValue(adjustedP),
    })),
    spread: values.map(({ arm, metric, spread }) => ({
      Arm: arm,
      Metric: metrics[metric]!,
      [capitalized(groups.of)]: decimals(spread.patients),
      'Pretraining seeds': decimals(spread.pretraining.value),
      'Fine-tuning seeds': decimals(spread.fineTuning.value),
      'All runs': decimals(spread.runs.value),
    })),
  };
}

/** A comparison as CSV, not rounded: a line for each arm and metric, then one for each difference. */
export function comparisonCsv({ groups, values, differences }: ArmComparison): string {
  const rows = [
    ...values.map(({ arm, metric, value, interval, runs, spread }) => ({
      arm,
      against: null,
      metric,
      ...numbers(value.value, interval),
      p: null,
      adjustedP: null,
      test: null,
      runs,
      [`${groups.of}Deviation`]: spread.patients,
      pretrainingDeviation: spread.pretraining.value,
      fineTuningDeviation: spread.fineTuning.value,
      runsDeviation: spread.runs.value,
    })),
    ...differences.map(({ arm, against, metric, value, interval, p, adjustedP, test }) => ({
      arm,
      against,
      metric,
      ...numbers(value.value, interval),
      p: p.value,
      adjustedP: p.value === null ? null : adjustedP,
      test,
    })),
  ];
  return from(rows).toCSV();
}

/** A comparison as LaTeX: tables of the arms and of the differences, with its notes; needs the package `booktabs`. */
export function comparisonLatex(comparison: ArmComparison): string {
  const { arms, differences } = comparisonRows(comparison);
  const tables = [arms, differences].filter((rows) => rows.length > 0).map(latexTable);
  return `${[...tables, ...comparison.notes.map(escapeLatex)].join('\n\n')}\n`;
}

/** Rows of one heading each, as LaTeX; needs the package `booktabs`. */
export function latexTable(rows: readonly Record<string, string>[]): string {
  const line = (cells: readonly string[]) => `${cells.map(escapeLatex).join(' & ')} \\\\`;
  const headings = Object.keys(rows[0]!);
  return [
    `\\begin{tabular}{${'l'.repeat(headings.length)}}`,
    '\\toprule',
    line(headings),
    '\\midrule',
    ...rows.map((row) => line(Object.values(row))),
    '\\bottomrule',
    '\\end{tabular}',
  ].join('\n');
}

const latex: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
  '"': "''",
  '−': '$-$',
  '–': '--',
};

/** Text with LaTeX's special characters escaped. */
export function escapeLatex(text: string): string {
  return text.replace(/[\\~^<>|"−–&%$#_{}]/g, (character) => latex[character] ?? `\\${character}`);
}

function capitalized(word: string): string {
  return word.replace(/^./, (first) => first.toUpperCase());
}

function numbers(value: number | null, interval: Interval | null) {
  return { value, low: interval?.low ?? null, high: interval?.high ?? null };
}

function estimate(value: number | null, interval: Interval | null, format = decimals): string {
  if (value === null) return missing;
  return interval ? `${format(value)} (${format(interval.low)} to ${format(interval.high)})` : format(value);
}

function decimals(value: number | null): string {
  if (value === null) return missing;
  const text = value.toFixed(3);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

function signed(value: number | null): string {
  const text = decimals(value);
  return Number(text) > 0 ? `+${text}` : text;
}

function pValue(p: number | null): string {
  return p !== null && p < 0.001 ? '<0.001' : decimals(p);
}
