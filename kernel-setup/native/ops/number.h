// The dtypes that ops store, and how those of networks become the float32 that ops compute in.

#ifndef PATHLAB_NUMBER_H_
#define PATHLAB_NUMBER_H_

#include <cstdint>
#include "tensorflow/c/tf_datatype.h"

namespace pathlab {

struct Bfloat16 {
  uint16_t bits;
};

template <typename T>
struct Number;

template <>
struct Number<float> {
  static constexpr TF_DataType dtype = TF_FLOAT;
};

template <>
struct Number<Bfloat16> {
  static constexpr TF_DataType dtype = TF_BFLOAT16;
};

// Of images, and of places in a window.
template <>
struct Number<uint8_t> {
  static constexpr TF_DataType dtype = TF_UINT8;
};

// For checking gradients.
template <>
struct Number<double> {
  static constexpr TF_DataType dtype = TF_DOUBLE;
};

inline float ToFloat(float value) { return value; }
inline float ToFloat(Bfloat16 value) { return __builtin_bit_cast(float, static_cast<uint32_t>(value.bits) << 16); }

template <typename T>
inline T FromFloat(float value);

template <>
inline float FromFloat<float>(float value) {
  return value;
}

// To the nearest, ties to even, as TensorFlow and PyTorch round; a NaN stays one.
template <>
inline Bfloat16 FromFloat<Bfloat16>(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
  return {static_cast<uint16_t>((is_nan ? bits | 0x400000 : rounded) >> 16)};
}

}  // namespace pathlab

#endif  // PATHLAB_NUMBER_H_
