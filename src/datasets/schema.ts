import { z } from 'zod';

/*
 * Schemas of the project's JSON files. A schema's message names the expected value: `a text`. `faults` makes sentences
 * of it.
 */

/** A value that satisfies a test, described in words. */
export function valueThat<T>(words: string, holds: (value: unknown) => boolean) {
  return z.custom<T>(holds, { error: words });
}

export function matching(words: string, pattern: RegExp) {
  return valueThat<string>(words, (value) => typeof value === 'string' && pattern.test(value));
}

/** An object with these fields and no others. */
export function objectOf<Fields extends z.ZodRawShape>(fields: Fields) {
  return z.strictObject(fields, { error: ({ code }) => (code === 'unrecognized_keys' ? undefined : 'an object') });
}

/** One of several objects, distinguished by a field. */
export function oneOfKinds<const Kinds extends readonly [z.ZodObject, ...z.ZodObject[]]>(
  field: string,
  schemas: Kinds,
) {
  const kinds = schemas.map(({ shape }) => `"${String((shape[field] as z.ZodLiteral).value)}"`);
  return z.discriminatedUnion(field, schemas, {
    error: ({ code }) => (code === 'invalid_union' ? kinds.join(' or ') : 'an object'),
  });
}

export function oneOf<const Values extends readonly string[]>(...values: Values) {
  return z.enum(values, { error: values.map((value) => `"${value}"`).join(' or ') });
}

export const listOf = <Item extends z.ZodType>(item: Item) => z.array(item, { error: 'a list' }).readonly();

/** An object with any keys and values of one kind. */
export const mapOf = <Item extends z.ZodType>(item: Item) =>
  z.record(z.string(), item, { error: 'an object' }).readonly();

export const text = valueThat<string>('a text', (value) => typeof value === 'string' && value.length > 0);
export const count = valueThat<number>(
  'a positive integer',
  (value) => Number.isSafeInteger(value) && Number(value) > 0,
);
export const countOrNone = valueThat<number>(
  'a non-negative integer',
  (value) => Number.isSafeInteger(value) && Number(value) >= 0,
);
export const positive = valueThat<number>('a number above 0', (value) => Number.isFinite(value) && Number(value) > 0);
export const trueOrFalse = z.boolean({ error: 'true or false' });
/** https, or http to this machine itself: a mirror, or a server in a test. */
export const httpsUrl = matching('an https address', /^(https:\/\/|http:\/\/(127\.0\.0\.1|localhost)[:/])\S+$/);
export const sha256Digest = matching('a SHA-256 in hexadecimal', /^[0-9a-f]{64}$/);
export const md5Digest = matching('an MD5 in hexadecimal', /^[0-9a-f]{32}$/);
/** A path that cannot leave its folder. */
export const innerPath = valueThat<string>('a relative path without ".."', isInnerPath);
/** A name that is a valid file name on any machine. */
export const fileNameWords =
  'a name of letters, digits and . _ - only, at most 128, which begins with a letter or digit and has no ".."';
export const fileName = valueThat<string>(fileNameWords, isFileName);

export function isFileName(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(value) && !value.includes('..');
}

export function isInnerPath(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= 1000 &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    !/[\u0000-\u001f\\:*?"<>|]/.test(value) &&
    value.split('/').every((part) => part !== '' && !/^\.+$/.test(part))
  );
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The errors in a value, one short sentence each; empty if it is valid.
 *
 * @param what the object, for messages on unknown fields: "a slide's manifest"
 */
export function faults(value: unknown, schema: z.ZodType, what: string): string[] {
  const { error } = schema.safeParse(value, { reportInput: true });
  return (error?.issues ?? []).flatMap((issue) => {
    const place = issue.path.reduce<string>(
      (words, part) =>
        typeof part === 'number' ? `${words}[${part}]` : words ? `${words}.${String(part)}` : String(part),
      '',
    );
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((name) => `${place ? `${place}.` : ''}${name} is not a field of ${what}`);
    }
    return [`${place || 'the whole'} must be ${issue.message}; it is ${shown(issue.input)}`];
  });
}

/** One sentence for each duplicate value. */
export function duplicateFaults(values: readonly (string | number)[], place: string, field: string): string[] {
  const seen = new Set<string | number>();
  const repeated = new Set<string | number>();
  for (const value of values) (seen.has(value) ? repeated : seen).add(value);
  return [...repeated].map((value) => `${place} has the ${field} ${JSON.stringify(value)} more than once`);
}

/** A value for an error message, shortened if long. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}
