/** What is used of a tfjs tensor; recognized by its shape, so that TensorFlow is not loaded to ask. */
export interface TensorLike {
  dtype: string;
  shape: number[];
  size: number;
  isDisposed: boolean;
  data(): Promise<ArrayLike<number> | string[]>;
}

export function isTensor(value: object): value is TensorLike {
  const tensor = value as Partial<Record<keyof TensorLike | 'dataSync', unknown>>;
  return typeof tensor.dtype === 'string' && Array.isArray(tensor.shape) && typeof tensor.dataSync === 'function';
}
