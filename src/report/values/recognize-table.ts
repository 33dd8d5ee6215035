/** What is used of an arquero table. */
export interface ArqueroTable {
  numRows(): number;
  columnNames(): string[];
  objects(options: { limit: number }): object[];
}

/** What is used of a danfojs frame or series. */
export interface DanfojsFrame {
  shape: number[];
  columns: string[];
  index: (string | number)[];
  values: unknown[];
  $isSeries: boolean;
}

export function isTable(value: object): value is ArqueroTable {
  return ['numRows', 'columnNames', 'objects'].every(
    (name) => typeof (value as Record<string, unknown>)[name] === 'function',
  );
}

export function isFrame(value: object): value is DanfojsFrame {
  const frame = value as { $isSeries?: unknown; columns?: unknown; values?: unknown };
  return typeof frame.$isSeries === 'boolean' && Array.isArray(frame.columns) && Array.isArray(frame.values);
}
