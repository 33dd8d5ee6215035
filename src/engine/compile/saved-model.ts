import { join } from 'node:path';
import { writeFileAtomic } from '../../base/index.js';
import { type Tensor, tf } from '../runtime.js';
import { attributeValue, constantNode, functionDef, tensorShape } from './function-def.js';
import { type NodeDef, nodeBackend, proto, type TensorInfo } from './native.js';
import { record } from './record.js';
import { leavesOf } from './tree.js';

const functionName = 'inference';

/**
 * Writes a function of one tensor as a SavedModel of TensorFlow with the signature `serving_default`. Tensors that the
 * function uses become constants in it. It is recorded for one shape, which the SavedModel then takes.
 *
 * @param folder gets `saved_model.pb`, whole or not at all
 * @param compute from the input to the outputs by name; in TensorFlow's own ops only (PATHLAB_CUSTOM_OPS=off)
 * @param input its name, and its shape, float32
 * @throws CompileError for what cannot be recorded; Error for one of pathlab's own ops, which no other program has
 */
export async function writeSavedModel(
  folder: string,
  compute: (input: Tensor) => Record<string, Tensor>,
  input: { name: string; shape: readonly number[] },
): Promise<void> {
  const zeros = tf.zeros([...input.shape]);
  const recording = record(functionName, compute, [zeros], leavesOf([zeros], 'input'));
  try {
    const { program, sources, output } = recording;
    const own = program.ops.find(({ op }) => op.startsWith('Pathlab'));
    if (own) throw new Error(`a SavedModel cannot hold ${own.op}, which is pathlab's own: set PATHLAB_CUSTOM_OPS=off`);
    const messages = proto();
    const definition = messages.FunctionDef.deserializeBinary(functionDef(program, { name: functionName, xla: false }));
    const backend = nodeBackend();
    const copied = ({ dtype, shape }: TensorInfo, id: number) => {
      const { buffer, byteOffset, byteLength } = backend.binding.tensorDataSync(id);
      return { dtype, shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
    };
    const held = [
      ...program.captures.map((info) => copied(info, backend.getInputTensorIds([info.tensor])[0]!)),
      ...program.constants.flatMap((info) => (info.held === undefined ? [] : [copied(info, info.held)])),
    ];
    const weights = held.map((value, place) => constantNode(`weight_${place}`, value));
    const types = new Map(program.ops.flatMap(({ outputs }) => outputs.map((info) => [info.id, info] as const)));
    const outputs = program.outputs.map((id) => types.get(id)!);

    const placeholder = node(input.name, 'Placeholder', []);
    placeholder.getAttrMap().set('dtype', attributeValue('type', program.inputs[0]!.dtype));
    placeholder.getAttrMap().set('shape', attributeValue('shape', input.shape));
    const call = node(functionName, 'PartitionedCall', [input.name, ...held.map((_, place) => `weight_${place}`)]);
    const called = new messages.NameAttrList();
    called.setName(functionName);
    const attributes = call.getAttrMap();
    attributes.set(
      'Tin',
      attributeValue(
        'list(type)',
        [...program.inputs, ...held].map(({ dtype }) => dtype),
      ),
    );
    attributes.set(
      'Tout',
      attributeValue(
        'list(type)',
        outputs.map(({ dtype }) => dtype),
      ),
    );
    const functionValue = new messages.AttrValue();
    functionValue.setFunc(called);
    attributes.set('f', functionValue);
    for (const name of ['config', 'config_proto', 'executor_type']) attributes.set(name, attributeValue('string', ''));

    const signature = new messages.SignatureDef();
    signature.setMethodName('tensorflow/serving/predict');
    signature.getInputsMap().set(input.name, described(`${input.name}:0`, program.inputs[0]!));
    for (const [leaf, { path }] of leavesOf(output, 'output').entries()) {
      const source = sources[leaf]!;
      if (!('output' in source)) throw new Error(`the output ${path} of a SavedModel is not computed`);
      signature.getOutputsMap().set(path, described(`${functionName}:${source.output}`, outputs[source.output]!));
    }
    const library = new messages.FunctionDefLibrary();
    library.setFunctionList([definition]);
    const versions = new messages.VersionDef();
    // Of graphs with PartitionedCall, from TensorFlow 1.14 on.
    versions.setProducer(134);
    const graph = new messages.GraphDef();
    graph.setNodeList([placeholder, ...weights, call]);
    graph.setLibrary(library);
    graph.setVersions(versions);
    const about = new messages.MetaGraphDef.MetaInfoDef();
    about.setTagsList(['serve']);
    const meta = new messages.MetaGraphDef();
    meta.setMetaInfoDef(about);
    meta.setGraphDef(graph);
    meta.getSignatureDefMap().set('serving_default', signature);
    const model = new messages.SavedModel();
    model.setSavedModelSchemaVersion(1);
    model.setMetaGraphsList([meta]);
    await writeFileAtomic(join(folder, 'saved_model.pb'), model.serializeBinary());
  } finally {
    recording.release();
    zeros.dispose();
  }
}

function node(name: string, op: string, inputs: string[]): NodeDef {
  const definition = new (proto().NodeDef)();
  definition.setName(name);
  definition.setOp(op);
  definition.setInputList(inputs);
  return definition;
}

function described(name: string, { dtype, shape }: Pick<TensorInfo, 'dtype' | 'shape'>) {
  const info = new (proto().TensorInfo)();
  info.setName(name);
  info.setDtype(dtype);
  info.setTensorShape(tensorShape(shape));
  return info;
}
