import { readFileSync } from 'node:fs';

/**
 * Those that a benchmark measures here. Without instructions for it, bfloat16 is computed by conversions, and is several
 * times slower than float32 on both sides.
 */
export function measuredPrecisions() {
  const hasBfloat16 = /\b(amx_bf16|avx512_bf16)\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
  if (!hasBfloat16) console.error('bfloat16 is left out: this CPU has no instructions for it');
  return hasBfloat16 ? ['float32', 'bfloat16'] : ['float32'];
}
