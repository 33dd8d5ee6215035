// Products of the small matrices that stay in a core's own cache, without a library. C is float32; the factors are
// float32 or, where the CPU multiplies pairs of bfloat16, such pairs.

#ifndef PATHLAB_MULTIPLY_H_
#define PATHLAB_MULTIPLY_H_

#include <cstdint>
#include <cstring>
#include "number.h"
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace pathlab {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kVectors = 4;
#elif defined(__AVX2__)
constexpr int kLanes = 8, kVectors = 2;
#else
constexpr int kLanes = 4, kVectors = 4;
#endif
// Rows and vectors of C that are held in registers: 24 of 32, or 12 of 16.
constexpr int kRows = 6;

typedef float Vector __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

// Two bfloat16 that are summed over together.
struct Pair {
  uint32_t bits;
};

// Rows of this length are whole vectors.
inline int64_t Padded(int64_t columns) { return (columns + kLanes - 1) / kLanes * kLanes; }

inline Vector Multiplied(const float *a, const float *b, Vector sum) {
  return sum + *a * *reinterpret_cast<const Vector *>(b);
}

#ifdef __AVX512BF16__
inline Vector Multiplied(const Pair *a, const Pair *b, Vector sum) {
  return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(static_cast<int>(a->bits)),
                                  (__m512bh)_mm512_loadu_si512(b));
}
#endif

// A factor on the left: element (row, k) lies at row * row_stride + k * k_stride.
template <typename Word>
struct Left {
  const Word *words;
  int64_t row_stride, k_stride;
};

template <typename Word, int rows, int vectors>
inline void MultiplyTile(Left<Word> a, const Word *b, int64_t b_stride, int64_t depth, float *c, int64_t c_stride, bool add) {
  Vector sums[rows][vectors];
  for (int row = 0; row < rows; row++) {
    for (int v = 0; v < vectors; v++) {
      sums[row][v] = add ? *reinterpret_cast<Vector *>(c + row * c_stride + v * kLanes) : Vector{};
    }
  }
  for (int64_t k = 0; k < depth; k++) {
#pragma GCC unroll 6
    for (int row = 0; row < rows; row++) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) {
        sums[row][v] = Multiplied(a.words + row * a.row_stride + k * a.k_stride, b + k * b_stride + v * kLanes, sums[row][v]);
      }
    }
  }
  for (int row = 0; row < rows; row++) {
    for (int v = 0; v < vectors; v++) *reinterpret_cast<Vector *>(c + row * c_stride + v * kLanes) = sums[row][v];
  }
}

template <typename Word, int rows>
inline void MultiplyRows(Left<Word> a, const Word *b, int64_t b_stride, int64_t depth, float *c, int64_t columns, bool add) {
  int64_t at = 0;
  for (; at + kVectors * kLanes <= columns; at += kVectors * kLanes) {
    MultiplyTile<Word, rows, kVectors>(a, b + at, b_stride, depth, c + at, columns, add);
  }
  for (; at < columns; at += kLanes) MultiplyTile<Word, rows, 1>(a, b + at, b_stride, depth, c + at, columns, add);
}

// C = A B, or C + A B: A [rows, depth], B [depth, columns], C [rows, columns]; depth in words, columns padded.
template <typename Word>
inline void Multiply(Left<Word> a, const Word *b, int64_t depth, float *c, int64_t rows, int64_t columns, bool add = false) {
  int64_t row = 0;
  const auto from = [&](int64_t row) { return Left<Word>{a.words + row * a.row_stride, a.row_stride, a.k_stride}; };
  for (; row + kRows <= rows; row += kRows) MultiplyRows<Word, kRows>(from(row), b, columns, depth, c + row * columns, columns, add);
  for (; row + 2 <= rows; row += 2) MultiplyRows<Word, 2>(from(row), b, columns, depth, c + row * columns, columns, add);
  for (; row < rows; row++) MultiplyRows<Word, 1>(from(row), b, columns, depth, c + row * columns, columns, add);
}

}  // namespace pathlab

#endif  // PATHLAB_MULTIPLY_H_
