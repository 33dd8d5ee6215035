/** What a field of a JSON file must be: in words, and as a test. */
export interface Rule {
  is: string;
  holds(value: unknown): boolean;
  /** The file may leave the field out. */
  optional?: boolean;
}
export interface Shape {
  [field: string]: Rule | Shape;
}

export const text: Rule = { is: 'a text', holds: (value) => typeof value === 'string' && value.length > 0 };
export const count: Rule = {
  is: 'a whole number above 0',
  holds: (value) => Number.isSafeInteger(value) && Number(value) > 0,
};
export const countOrNone: Rule = {
  is: 'a whole number, 0 or above',
  holds: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
};
export const positive: Rule = {
  is: 'a number above 0',
  holds: (value) => Number.isFinite(value) && Number(value) > 0,
};
export const share: Rule = {
  is: 'a share from 0 to below 1',
  holds: (value) => typeof value === 'number' && value >= 0 && value < 1,
};
export const truth: Rule = { is: 'true or false', holds: (value) => typeof value === 'boolean' };
/** https, or http to this machine itself: a mirror, or a server in a test. */
export const webAddress = matching('an https address', /^(https:\/\/|http:\/\/(127\.0\.0\.1|localhost)[:/])\S+$/);
export const sha256Digest = matching('a SHA-256 in hexadecimal', /^[0-9a-f]{64}$/);
export const md5Digest = matching('an MD5 in hexadecimal', /^[0-9a-f]{32}$/);
/** A path that cannot leave the folder that it is put under. */
export const innerPath: Rule = { is: 'a relative path without ".."', holds: isInnerPath };
/** A name that is a file's whole name in any folder, on any machine. */
export const fileName: Rule = {
  is: 'a name of letters, digits and . _ - only, at most 128, which begins with a letter or digit and has no ".."',
  holds: (value) =>
    typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(value) && !value.includes('..'),
};

export function isInnerPath(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= 1000 &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    !/[\u0000-\u001f\\:*?"<>|]/.test(value) &&
    value.split('/').every((part) => part !== '' && !/^\.+$/.test(part))
  );
}

export function matching(is: string, pattern: RegExp): Rule {
  return { is, holds: (value) => typeof value === 'string' && pattern.test(value) };
}

export function oneOf(...values: readonly string[]): Rule {
  return {
    is: values.map((value) => `"${value}"`).join(' or '),
    holds: (value) => values.includes(value as string),
  };
}

export function exactly(value: unknown): Rule {
  return { is: JSON.stringify(value), holds: (found) => found === value };
}

export function orNull(rule: Rule): Rule {
  return { ...rule, is: `null or ${rule.is}`, holds: (value) => value === null || rule.holds(value) };
}

export function optional(rule: Rule): Rule {
  return { ...rule, optional: true };
}

export function listOf(rule: Rule): Rule {
  return { is: `a list, each of it ${rule.is}`, holds: (value) => Array.isArray(value) && value.every(rule.holds) };
}

/** An object with any names, whose values all keep the rule. */
export function mapOf(rule: Rule): Rule {
  return {
    is: `an object whose values are each ${rule.is}`,
    holds: (value) => isObject(value) && Object.values(value).every(rule.holds),
  };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * What is wrong with a value, one short sentence each; empty when it has the shape.
 *
 * @param what says whose field an unknown field is not, such as "a slide's manifest"
 */
export function faults(value: unknown, shape: Shape, what: string, prefix = ''): string[] {
  if (!isObject(value)) return [`${prefix.slice(0, -1) || 'the whole'} is not an object`];
  const unknown = Object.keys(value).filter((field) => !Object.hasOwn(shape, field));
  const found = unknown.map((field) => `${prefix}${field} is no field of ${what}`);
  for (const [field, rule] of Object.entries(shape)) {
    if (!isRule(rule)) found.push(...faults(value[field], rule, what, `${prefix}${field}.`));
    else if (value[field] === undefined && rule.optional) continue;
    else if (!rule.holds(value[field])) {
      found.push(`${prefix}${field} must be ${rule.is}; it is ${shown(value[field])}`);
    }
  }
  return found;
}

/** One sentence for each value that is there more than once. */
export function twice(values: readonly (string | number)[], place: string, field: string): string[] {
  const seen = new Set<string | number>();
  const repeated = new Set<string | number>();
  for (const value of values) (seen.has(value) ? repeated : seen).add(value);
  return [...repeated].map((value) => `${place} has the ${field} ${JSON.stringify(value)} more than once`);
}

/** A value in an error: all of it if short. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

function isRule(rule: Rule | Shape): rule is Rule {
  return typeof rule.holds === 'function';
}
