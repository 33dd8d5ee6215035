export { type Compiled, type CompileOptions, compile } from './compile.js';
export { CompileError } from './errors.js';
export { inOrder } from './order.js';
export type { Precision } from './precision.js';
export { type OpUse, recordedOps } from './recorded-ops.js';
