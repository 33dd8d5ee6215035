/** pathlab's whole public API on a page. TensorFlow loads only when something needs it. */
export {};
