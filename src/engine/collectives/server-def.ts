/** The job that all processes of a cluster belong to. */
export const job = 'worker';

/**
 * TensorFlow's `ServerDef` of one process of a cluster, serialized (tensorflow/core/protobuf/tensorflow_server.proto).
 * tfjs-node has no class for it.
 *
 * @param addresses `host:port` of each process; the first one leads
 * @param index of this process
 */
export function serverDef(addresses: readonly string[], index: number): Uint8Array {
  const tasks = addresses.map((address, task) => bytes(2, [integer(1, task), text(2, address)]));
  const cluster = bytes(1, [bytes(1, [text(1, job), ...tasks])]);
  const leader = bytes(16, [text(1, `/job:${job}/replica:0/task:0`)]);
  return Buffer.concat([cluster, text(2, job), integer(3, index), bytes(4, [leader]), text(5, 'grpc')]);
}

/** Fields of a protocol buffer message. */
const bytes = (field: number, parts: readonly Uint8Array[]) => {
  const content = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
};
const text = (field: number, value: string) => bytes(field, [Buffer.from(value)]);
const integer = (field: number, value: number) => Buffer.concat([varint(field * 8), varint(value)]);

function varint(value: number): Buffer {
  const groups: number[] = [];
  for (let rest = value; groups.length === 0 || rest > 0; rest >>>= 7)
    groups.push((rest & 127) | (rest > 127 ? 128 : 0));
  return Buffer.from(groups);
}
