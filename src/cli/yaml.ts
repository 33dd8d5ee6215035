/**
 * A JSON value as YAML 1.1 that PyYAML reads as the same value. JSON itself is not enough: PyYAML reads `1e-7` as text,
 * U+2028 as a line break and a surrogate pair as two characters. Undefined is written as null.
 */
export function toYaml(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return yamlText(value);
  if (typeof value === 'number') return yamlNumber(value);
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map(toYaml).join(', ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([name, item]) => `${yamlText(name)}: ${toYaml(item)}`);
    return `{${entries.join(', ')}}`;
  }
  throw new TypeError(`a parameter cannot be of type ${typeof value}`);
}

function yamlNumber(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  return String(value).replace(/^(-?\d+)e/, '$1.0e');
}

function yamlText(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/gu, (character) => {
    return `\\U${character.codePointAt(0)!.toString(16).padStart(8, '0')}`;
  });
}
