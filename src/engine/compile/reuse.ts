import { attributeTypes } from '../runtime.js';
import { DataType } from './native.js';
import { firstFreeId, type Program } from './program.js';

/**
 * The program with one op at its end that writes outputs into the memory of inputs that nobody needs any more, so that
 * a training's tensors lie where they lay from step to step. Otherwise old and new ones are held at once, and the new
 * ones lie among what the step has freed, where the next step's large tensors then find no room.
 *
 * Nothing is written before all of the program has run: what it gives is all input of that op. A step that fails has
 * changed nothing.
 *
 * @param given numbers of the inputs that may be written to, where outputs of the same shape and dtype are found
 * @returns the program, and the numbers of the inputs that it writes to
 */
export function reusingInputs(program: Program, given: readonly number[]): { program: Program; reused: number[] } {
  const infos = new Map(program.ops.flatMap(({ outputs }) => outputs.map((info) => [info.id, info] as const)));
  const kindOf = ({ dtype, shape }: { dtype: number; shape: readonly number[] }) => `${dtype}[${shape}]`;
  const free = new Map<string, number[]>();
  for (const input of given) {
    const info = program.inputs[input]!;
    if (info.dtype === DataType.string) continue;
    const kind = kindOf(info);
    free.set(kind, [...(free.get(kind) ?? []), input]);
  }
  const pairs = program.outputs.flatMap((output, place) => {
    const info = infos.get(output);
    if (!info) return [];
    const input = free.get(kindOf(info))?.shift();
    return input === undefined ? [] : [{ input, info, place }];
  });
  const [first] = pairs;
  if (!first) return { program, reused: [] };

  const paired = new Set(pairs.map(({ info }) => info.id));
  let nextId = firstFreeId(program);
  const results = pairs.map(({ info }) => ({ ...info, id: nextId++ }));
  const outputs = [...program.outputs];
  for (const [index, { place }] of pairs.entries()) outputs[place] = results[index]!.id;
  const op = {
    op: 'PathlabReuse',
    attributes: [
      { name: 'count', type: attributeTypes.int, value: pairs.length },
      { name: 'U', type: attributeTypes.type, value: results.map(({ dtype }) => dtype) },
    ],
    inputs: [
      ...pairs.map(({ input }) => program.inputs[input]!.id),
      ...pairs.map(({ info }) => info.id),
      ...program.outputs.filter((id) => !paired.has(id)),
    ],
    outputs: results,
    origin: program.ops.find(({ outputs }) => outputs.includes(first.info))!.origin,
  };
  return { program: { ...program, ops: [...program.ops, op], outputs }, reused: pairs.map(({ input }) => input) };
}
