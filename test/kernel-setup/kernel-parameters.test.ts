import { createRequire } from 'node:module';
import { expect, test } from 'vitest';

const { readParameters, problemsOf, valueOfText } = createRequire(import.meta.url)(
  '../../kernel-setup/kernel/parameters.cjs',
);

const cell = `// The run's size.
let scale: 'smoke' | 'demo' | 'paper' = 'smoke'; // how much
let epochs: number | undefined = undefined; // undefined: what the scale says
/** two lines
 *  of help */
let title: string = 'a; "b" // c';
let sizes: number[] = [
  1, // first
  -2.5,
];
let rates: readonly (number | 'auto')[] = [0.1, 'auto'];
let range: [number, number] = [0, 1];
let options: { rate: number; name?: string } = { rate: 0.1 };
let weights: Record<string, number> = { a: 1 };
let shuffled: boolean = true;
let nothing: string | null = null;
let untyped = 3;
const computed: number = Math.sqrt(2);
let own: Settings = { any: 'thing' };
console.log('not a parameter');`;

test('declarations give name, type, default and help, over lines and with marks inside strings', () => {
  const parameters = readParameters(cell);
  expect(parameters.slice(0, 4)).toEqual([
    {
      name: 'scale',
      type: "'smoke' | 'demo' | 'paper'",
      default: "'smoke'",
      value: 'smoke',
      help: "The run's size. how much",
    },
    {
      name: 'epochs',
      type: 'number | undefined',
      default: 'undefined',
      value: undefined,
      help: 'undefined: what the scale says',
    },
    {
      name: 'title',
      type: 'string',
      default: '\'a; "b" // c\'',
      value: 'a; "b" // c',
      help: expect.stringMatching(/^two lines\s+of help$/),
    },
    { name: 'sizes', type: 'number[]', default: expect.not.stringContaining('first'), value: [1, -2.5], help: '' },
  ]);
  expect(parameters.map(({ name }: { name: string }) => name)).not.toContain('console');
  expect(parameters.find(({ name }: { name: string }) => name === 'computed')).toMatchObject({
    default: 'Math.sqrt(2)',
    value: undefined,
  });
  expect(parameters.find(({ name }: { name: string }) => name === 'untyped')).toMatchObject({
    type: 'number',
    value: 3,
  });
});

test.each([
  ['scale', 'paper'],
  ['epochs', 3],
  ['epochs', null],
  ['title', ''],
  ['sizes', []],
  ['sizes', [1, 2]],
  ['rates', [1, 'auto']],
  ['range', [2, 3]],
  ['options', { rate: 1 }],
  ['options', { rate: 1, name: 'x' }],
  ['weights', { b: 2 }],
  ['shuffled', false],
  ['nothing', null],
  ['untyped', 4],
  ['own', { anything: 'the compiler decides' }],
])('%s takes %j', (name, value) => {
  expect(problemsOf(cell, { [name]: value })).toEqual([]);
});

test.each([
  ['scale', 'huge'],
  ['epochs', 'three'],
  ['epochs', true],
  ['title', 3],
  ['title', null],
  ['sizes', 1],
  ['sizes', ['1']],
  ['rates', ['manual']],
  ['range', [1]],
  ['range', [1, 2, 3]],
  ['options', {}],
  ['options', { rate: '1' }],
  ['options', { rate: 1, typo: 2 }],
  ['weights', { b: 'x' }],
  ['shuffled', 'yes'],
  ['untyped', 'x'],
])('%s refuses %j by name', (name, value) => {
  const problems = problemsOf(cell, { [name]: value });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`parameter "${name}" takes `);
});

test('unknown names are refused together, near misses with what was meant', () => {
  expect(problemsOf(cell, { epohcs: 3, qqq: 1 })).toEqual([
    'unknown parameter "epohcs"; did you mean "epochs"?',
    'unknown parameter "qqq"',
  ]);
});

test.each([
  ['epochs', '3', 3],
  ['epochs', '1e-3', 1e-3],
  ['epochs', 'undefined', undefined],
  ['title', '3', '3'],
  ['title', 'true', 'true'],
  ['title', 'two words', 'two words'],
  ['scale', 'demo', 'demo'],
  ['sizes', '[1, 2]', [1, 2]],
  ['shuffled', 'false', false],
  ['options', '{"rate": 2}', { rate: 2 }],
])('the text %s = %s means %j', (name, text, value) => {
  expect(valueOfText(cell, name, text)).toEqual(value);
});
