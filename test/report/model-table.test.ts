import { afterEach, expect, test, vi } from 'vitest';
import { modelTable } from '../../src/report/index.js';

afterEach(() => {
  vi.restoreAllMocks();
});

test('every backbone is a row with its size, its cost and its source', async () => {
  const said: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => said.push(text));
  await modelTable();
  const [headings, , ...rows] = said.join('\n').split('\n');
  expect(headings).toMatch(/^Backbone +Parameters, millions +MACs, billions +at px +Features +Source$/);
  expect(rows).toHaveLength(12);
  expect(rows).toContainEqual(
    expect.stringMatching(/^resnet50 +23\.5 +4\.09 +224 +2048 +He et al\., 2016; arXiv 1512\.03385$/),
  );
});
