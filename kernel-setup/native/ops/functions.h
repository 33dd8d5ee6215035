// Elementary functions that compilers turn into vector code: no branches, no calls.

#ifndef PATHLAB_FUNCTIONS_H_
#define PATHLAB_FUNCTIONS_H_

#include <cmath>
#include <cstdint>

namespace pathlab {

// e^x to about two units in the last place; 0 below -87.3, where float32 has only subnormal numbers.
inline float Exp(float x) {
  const float clamped = x < -87.3f ? -87.3f : x > 88.3f ? 88.3f : x;
  // Adding and taking away 1.5 * 2^23 rounds to a whole number.
  const float power = (clamped * 1.44269504f + 12582912.0f) - 12582912.0f;
  const float rest = (clamped - power * 0.693359375f) + power * 2.12194440e-4f;
  float sum = 1.9875691500e-4f;
  sum = sum * rest + 1.3981999507e-3f;
  sum = sum * rest + 8.3334519073e-3f;
  sum = sum * rest + 4.1665795894e-2f;
  sum = sum * rest + 1.6666665459e-1f;
  sum = sum * rest + 5.0000001201e-1f;
  const float mantissa = sum * rest * rest + rest + 1.0f;
  const float scale = __builtin_bit_cast(float, (static_cast<int32_t>(power) + 127) << 23);
  return x < -87.3f ? 0.0f : mantissa * scale;
}

// What gelu and its slope are made of, of a standard normal variable.
struct Normal {
  float cumulative, density;
};

// Abramowitz and Stegun, 7.1.26: the error of the cumulative is below 1e-7.
inline Normal StandardNormal(float x) {
  const float size = std::fabs(x);
  const float power = Exp(-0.5f * x * x);
  const float t = 1.0f / (1.0f + 0.3275911f * 0.70710678f * size);
  const float polynomial =
      t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float tail = 0.5f * polynomial * power;
  return {x > 0 ? 1.0f - tail : tail, 0.39894228f * power};
}

}  // namespace pathlab

#endif  // PATHLAB_FUNCTIONS_H_
