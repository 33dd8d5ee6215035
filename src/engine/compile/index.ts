export { type Compiled, type CompileOptions, compile } from './compile.js';
export { CompileError } from './errors.js';
export { type MeasureOptions, measureConvolutionForms } from './measure-forms.js';
export { inOrder } from './order.js';
export type { Precision } from './precision.js';
export { type OpUse, recordedOps } from './recorded-ops.js';
