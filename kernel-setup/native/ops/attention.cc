// Scaled dot-product attention of a sample's tokens to one another, and its gradient (Vaswani et al., 2017, arXiv
// 1706.03762; blocked as in Dao et al., 2022, arXiv 2205.14135). Queries, keys and values are read where the dense layer
// left them, and the weights of a block of queries never leave the core's own cache: memory grows with the number of
// tokens, not with its square. Each sample and head is one piece of work, so the bits do not depend on the threads.

#include <algorithm>
#include <cmath>
#include "functions.h"
#include "multiply.h"
#include "op.h"

namespace pathlab {
namespace {

// Queries whose weights are worked out together; even, and a multiple of the rows that Multiply takes at once.
constexpr int64_t kBlock = 48;

// How factors are laid out for Multiply. `Rows`: as a left factor, summed over columns. `Columns`: as a right factor,
// summed over columns, so transposed. `Stacked`: summed over rows, as a right factor; as a left one, transposed.
template <typename Word>
struct Layout;

template <>
struct Layout<float> {
  static int64_t Words(int64_t count) { return count; }

  template <typename T>
  static void Rows(const T *from, int64_t stride, int64_t rows, int64_t columns, float *to) {
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t i = 0; i < columns; i++) to[row * columns + i] = ToFloat(from[row * stride + i]);
    }
  }
  template <typename T>
  static void Columns(const T *from, int64_t stride, int64_t rows, int64_t columns, float *to) {
    const int64_t padded = Padded(rows);
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t i = 0; i < columns; i++) to[i * padded + row] = ToFloat(from[row * stride + i]);
    }
  }
  template <typename T>
  static void Stacked(const T *from, int64_t stride, int64_t rows, int64_t columns, float *to) {
    const int64_t padded = Padded(columns);
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t i = 0; i < columns; i++) to[row * padded + i] = ToFloat(from[row * stride + i]);
    }
  }
};

#ifdef __AVX512BF16__
template <>
struct Layout<Pair> {
  static int64_t Words(int64_t count) { return (count + 1) / 2; }
  static uint32_t Bits(Bfloat16 value) { return value.bits; }
  static uint32_t Bits(float value) { return FromFloat<Bfloat16>(value).bits; }

  template <typename T>
  static void Rows(const T *from, int64_t stride, int64_t rows, int64_t columns, Pair *to) {
    auto *halves = reinterpret_cast<uint16_t *>(to);
    const int64_t even = 2 * Words(columns);
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t i = 0; i < columns; i++) halves[row * even + i] = static_cast<uint16_t>(Bits(from[row * stride + i]));
      if (columns < even) halves[row * even + columns] = 0;
    }
  }
  template <typename T>
  static void Columns(const T *from, int64_t stride, int64_t rows, int64_t columns, Pair *to) {
    const int64_t padded = Padded(rows);
    for (int64_t row = 0; row < rows; row++) {
      const T *own = from + row * stride;
      for (int64_t i = 0; i < columns; i += 2) {
        to[i / 2 * padded + row].bits = Bits(own[i]) | (i + 1 < columns ? Bits(own[i + 1]) << 16 : 0);
      }
    }
  }
  template <typename T>
  static void Stacked(const T *from, int64_t stride, int64_t rows, int64_t columns, Pair *to) {
    const int64_t padded = Padded(columns);
    for (int64_t row = 0; row < rows; row += 2) {
      const T *one = from + row * stride, *other = one + stride;
      Pair *own = to + row / 2 * padded;
      if (row + 1 < rows) {
        for (int64_t i = 0; i < columns; i++) own[i].bits = Bits(one[i]) | Bits(other[i]) << 16;
      } else {
        for (int64_t i = 0; i < columns; i++) own[i].bits = Bits(one[i]);
      }
    }
  }
};
using Word16 = Pair;
#else
using Word16 = float;
#endif

// What factors of each dtype are multiplied as.
template <typename T>
struct WordOf {
  using type = float;
};
template <>
struct WordOf<Bfloat16> {
  using type = Word16;
};

struct Sizes {
  int64_t batch, tokens, heads, size;
  int64_t row() const { return heads * size; }
  float scale() const { return 1 / std::sqrt(static_cast<float>(size)); }
};

Sizes SizesOf(const Tensor &qkv) {
  Require(qkv.rank() == 5 && qkv.size(2) == 3, "qkv is " + qkv.Describe() + ", not [batch, tokens, 3, heads, size]");
  return {qkv.size(0), qkv.size(1), qkv.size(3), qkv.size(4)};
}

// Calls `work` for each head of each sample with where its values begin in qkv, in y, and in the sums.
template <typename Work>
void ForHeads(const Context &context, const Sizes &sizes, const Work &work) {
  context.Parallel(sizes.batch * sizes.heads, [&](int64_t item) {
    const int64_t token = item / sizes.heads * sizes.tokens, column = item % sizes.heads * sizes.size;
    work(3 * token * sizes.row() + column, token * sizes.row() + column, item * sizes.tokens);
  });
}

template <typename T>
class Attention {
  using Word = typename WordOf<T>::type;
  using Laid = Layout<Word>;

 public:
  explicit Attention(const Construction &) {}

  void Compute(Context &context) {
    const Tensor qkv = context.Input(0);
    const Sizes sizes = SizesOf(qkv);
    const Tensor y = context.Output<T>(0, {sizes.batch, sizes.tokens, sizes.heads, sizes.size});
    const Tensor log_sums = context.Output<float>(1, {sizes.batch, sizes.heads, sizes.tokens});
    ForHeads(context, sizes, [&](int64_t wide, int64_t narrow, int64_t sums) {
      Head(sizes, qkv.data<T>() + wide, y.data<T>() + narrow, log_sums.data<float>() + sums);
    });
  }

 private:
  static void Head(const Sizes &sizes, const T *q, T *y, float *log_sums) {
    const int64_t tokens = sizes.tokens, size = sizes.size, stride = 3 * sizes.row();
    const int64_t keys = Padded(tokens), columns = Padded(size), size_words = Laid::Words(size);
    const int64_t key_words = Laid::Words(tokens);
    std::vector<Word> queries(kBlock * size_words), transposed_keys(size_words * keys), values(key_words * columns);
    std::vector<Word> weights(kBlock * key_words);
    std::vector<float> scores(kBlock * keys), mixed(kBlock * columns);
    Laid::Columns(q + sizes.row(), stride, tokens, size, transposed_keys.data());
    Laid::Stacked(q + 2 * sizes.row(), stride, tokens, size, values.data());
    for (int64_t first = 0; first < tokens; first += kBlock) {
      const int64_t rows = std::min(kBlock, tokens - first);
      Laid::Rows(q + first * stride, stride, rows, size, queries.data());
      Multiply<Word>({queries.data(), size_words, 1}, transposed_keys.data(), size_words, scores.data(), rows, keys);
      float inverse_sums[kBlock];
      for (int64_t row = 0; row < rows; row++) {
        float *own = scores.data() + row * keys;
        float largest = own[0];
#pragma omp simd reduction(max : largest)
        for (int64_t i = 0; i < tokens; i++) largest = own[i] > largest ? own[i] : largest;
        const float scale = sizes.scale();
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < tokens; i++) {
          own[i] = Exp(scale * (own[i] - largest));
          sum += own[i];
        }
        inverse_sums[row] = 1 / sum;
        log_sums[first + row] = scale * largest + std::log(sum);
      }
      Laid::Rows(scores.data(), keys, rows, tokens, weights.data());
      Multiply<Word>({weights.data(), key_words, 1}, values.data(), key_words, mixed.data(), rows, columns);
      for (int64_t row = 0; row < rows; row++) {
        for (int64_t i = 0; i < size; i++) {
          y[(first + row) * sizes.row() + i] = FromFloat<T>(mixed[row * columns + i] * inverse_sums[row]);
        }
      }
    }
  }
};

template <typename T>
class AttentionGrad {
  using Word = typename WordOf<T>::type;
  using Laid = Layout<Word>;

 public:
  explicit AttentionGrad(const Construction &) {}

  void Compute(Context &context) {
    const Tensor dy = context.Input(0), qkv = context.Input(1), y = context.Input(2), log_sums = context.Input(3);
    const Sizes sizes = SizesOf(qkv);
    const Shape shape = {sizes.batch, sizes.tokens, sizes.heads, sizes.size};
    Require(dy.shape() == shape && y.shape() == shape && log_sums.elements() == sizes.batch * sizes.heads * sizes.tokens,
            "dy is " + dy.Describe() + " and y is " + y.Describe() + ", but qkv is " + qkv.Describe());
    const Tensor dqkv = context.Output<T>(0, qkv.shape());
    ForHeads(context, sizes, [&](int64_t wide, int64_t narrow, int64_t sums) {
      Head(sizes, dy.data<T>() + narrow, qkv.data<T>() + wide, y.data<T>() + narrow, log_sums.data<float>() + sums,
           dqkv.data<T>() + wide);
    });
  }

 private:
  static void Head(const Sizes &sizes, const T *dy, const T *q, const T *y, const float *log_sums, T *dq) {
    const int64_t tokens = sizes.tokens, size = sizes.size, narrow = sizes.row(), wide = 3 * narrow;
    const int64_t keys = Padded(tokens), columns = Padded(size), size_words = Laid::Words(size);
    const int64_t key_words = Laid::Words(tokens), block_words = Laid::Words(kBlock);
    const float scale = sizes.scale();
    std::vector<Word> transposed_keys(size_words * keys), transposed_values(size_words * keys), stacked_keys(key_words * columns);
    std::vector<Word> query_rows(kBlock * size_words), slope_rows(kBlock * size_words);
    std::vector<Word> query_stack(block_words * columns), slope_stack(block_words * columns);
    std::vector<Word> score_slope_rows(kBlock * key_words), stacked(block_words * keys);
    std::vector<float> weights(kBlock * keys), slopes(kBlock * keys), query_slopes(kBlock * columns);
    std::vector<float> key_slopes(tokens * columns), value_slopes(tokens * columns);
    Laid::Columns(q + narrow, wide, tokens, size, transposed_keys.data());
    Laid::Stacked(q + narrow, wide, tokens, size, stacked_keys.data());
    Laid::Columns(q + 2 * narrow, wide, tokens, size, transposed_values.data());
    for (int64_t first = 0; first < tokens; first += kBlock) {
      const int64_t rows = std::min(kBlock, tokens - first), row_words = Laid::Words(rows);
      Laid::Rows(q + first * wide, wide, rows, size, query_rows.data());
      Laid::Stacked(q + first * wide, wide, rows, size, query_stack.data());
      Laid::Rows(dy + first * narrow, narrow, rows, size, slope_rows.data());
      Laid::Stacked(dy + first * narrow, narrow, rows, size, slope_stack.data());
      // The weights as the forward pass had them, and the gradients of weights and scores.
      Multiply<Word>({query_rows.data(), size_words, 1}, transposed_keys.data(), size_words, weights.data(), rows, keys);
      Multiply<Word>({slope_rows.data(), size_words, 1}, transposed_values.data(), size_words, slopes.data(), rows, keys);
      for (int64_t row = 0; row < rows; row++) {
        const T *own_y = y + (first + row) * narrow, *own_dy = dy + (first + row) * narrow;
        float along = 0;
#pragma omp simd reduction(+ : along)
        for (int64_t i = 0; i < size; i++) along += ToFloat(own_y[i]) * ToFloat(own_dy[i]);
        float *weight = weights.data() + row * keys, *slope = slopes.data() + row * keys;
        const float log_sum = log_sums[first + row];
#pragma omp simd
        for (int64_t i = 0; i < tokens; i++) {
          weight[i] = Exp(scale * weight[i] - log_sum);
          slope[i] = scale * weight[i] * (slope[i] - along);
        }
      }
      Laid::Rows(slopes.data(), keys, rows, tokens, score_slope_rows.data());
      Multiply<Word>({score_slope_rows.data(), key_words, 1}, stacked_keys.data(), key_words, query_slopes.data(), rows, columns);
      for (int64_t row = 0; row < rows; row++) Write(query_slopes.data() + row * columns, size, dq + (first + row) * wide);
      Laid::Stacked(slopes.data(), keys, rows, tokens, stacked.data());
      Multiply<Word>({stacked.data(), 1, keys}, query_stack.data(), row_words, key_slopes.data(), tokens, columns, first > 0);
      Laid::Stacked(weights.data(), keys, rows, tokens, stacked.data());
      Multiply<Word>({stacked.data(), 1, keys}, slope_stack.data(), row_words, value_slopes.data(), tokens, columns, first > 0);
    }
    for (int64_t token = 0; token < tokens; token++) {
      Write(key_slopes.data() + token * columns, size, dq + token * wide + narrow);
      Write(value_slopes.data() + token * columns, size, dq + token * wide + 2 * narrow);
    }
  }

  static void Write(const float *from, int64_t count, T *to) {
    for (int64_t i = 0; i < count; i++) to[i] = FromFloat<T>(from[i]);
  }
};

const bool registered =
    Register({"PathlabAttention",
              {"T: {float, bfloat16}"},
              {"qkv: T"},
              {"y: T", "log_sums: float"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.RequireRankAtLeast(0, 5);
                if (shapes.failed()) return;
                shapes.SetOutput(0, shapes.Joined(shapes.Axes(0, 0, 2), shapes.Axes(0, 3)));
                const auto batch_and_heads = shapes.Joined(shapes.Axes(0, 0, 1), shapes.Axes(0, 3, 4));
                shapes.SetOutput(1, shapes.Joined(batch_and_heads, shapes.Axes(0, 1, 2)));
              }}) &&
    Register({"PathlabAttentionGrad",
              {"T: {float, bfloat16}"},
              {"dy: T", "qkv: T", "y: T", "log_sums: float"},
              {"dqkv: T"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.SetOutput(0, shapes.Axes(1));
              }}) &&
    RegisterKernels<Attention>("PathlabAttention") &&
    RegisterKernels<AttentionGrad>("PathlabAttentionGrad");

}  // namespace
}  // namespace pathlab
