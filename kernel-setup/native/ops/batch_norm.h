// Batch normalization in training (Ioffe and Szegedy, 2015; arXiv 1502.03167) with what follows it in a ResNet: a
// shortcut that is added, then relu. Composed from TensorFlow's ops each of these passes over memory by itself; here a
// tensor is read twice and written once on the way forward, and on the way back the relu costs no pass of its own.
//
// A row is one position of the batch: its channels lie side by side. Rows are taken in blocks whose size depends on the
// shape alone, and sums over blocks are made in their order, so that the bits do not depend on the number of threads.

#ifndef PATHLAB_BATCH_NORM_H_
#define PATHLAB_BATCH_NORM_H_

#include <algorithm>
#include <cmath>
#include <vector>
#include "op.h"

namespace pathlab {

// A block's values stay in the second-level cache while they are read twice.
constexpr int64_t kValuesPerBlock = 64 * 1024;

struct Blocks {
  Blocks(int64_t rows, int64_t channels)
      : rows(rows), channels(channels), rows_per_block(std::max<int64_t>(1, kValuesPerBlock / channels)) {}
  int64_t count() const { return (rows + rows_per_block - 1) / rows_per_block; }
  int64_t begin(int64_t block) const { return block * rows_per_block; }
  int64_t end(int64_t block) const { return std::min(rows, (block + 1) * rows_per_block); }
  const int64_t rows, channels, rows_per_block;
};

// Sums over rows: four rows at a time, so that sums stay in registers for four additions.
template <typename T>
void AddRows(const T *x, int64_t rows, int64_t channels, float *sums) {
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4, x += 4 * channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
      sums[c] += (ToFloat(x[c]) + ToFloat(x[c + channels])) + (ToFloat(x[c + 2 * channels]) + ToFloat(x[c + 3 * channels]));
    }
  }
  for (; row < rows; row++, x += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) sums[c] += ToFloat(x[c]);
  }
}

// The same of the differences from a channel's center, and of their squares.
template <typename T>
void AddDifferences(const T *x, int64_t rows, int64_t channels, const float *center, float *sums, float *squares) {
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4, x += 4 * channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
      const float one = ToFloat(x[c]) - center[c], two = ToFloat(x[c + channels]) - center[c];
      const float three = ToFloat(x[c + 2 * channels]) - center[c], four = ToFloat(x[c + 3 * channels]) - center[c];
      sums[c] += (one + two) + (three + four);
      squares[c] += (one * one + two * two) + (three * three + four * four);
    }
  }
  for (; row < rows; row++, x += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
      const float difference = ToFloat(x[c]) - center[c];
      sums[c] += difference;
      squares[c] += difference * difference;
    }
  }
}

// Mean and sum of squared differences of each channel, by blocks whose own are then joined (Chan et al., 1979): as exact
// as two passes over memory, at the price of one. A block's float center is off by rounding where the mean is far from
// 0; the sum of the differences from it tells by how much (Chan et al., 1983, the corrected two-pass algorithm).
template <typename T>
void Statistics(const Context &context, const T *x, const Blocks &blocks, double *mean, double *squares) {
  const int64_t channels = blocks.channels;
  std::vector<float> centers(blocks.count() * channels), parts(2 * blocks.count() * channels);
  context.Parallel(blocks.count(), [&](int64_t block) {
    const int64_t rows = blocks.end(block) - blocks.begin(block);
    const T *own = x + blocks.begin(block) * channels;
    float *center = centers.data() + block * channels;
    float *differences = parts.data() + 2 * block * channels, *squared = differences + channels;
    AddRows(own, rows, channels, center);
    for (int64_t c = 0; c < channels; c++) center[c] /= rows;
    AddDifferences(own, rows, channels, center, differences, squared);
  });
  std::fill(mean, mean + channels, 0);
  std::fill(squares, squares + channels, 0);
  for (int64_t block = 0; block < blocks.count(); block++) {
    const double own = blocks.end(block) - blocks.begin(block), before = blocks.begin(block);
    const float *differences = parts.data() + 2 * block * channels, *squared = differences + channels;
    for (int64_t c = 0; c < channels; c++) {
      const double off = differences[c] / own;
      const double delta = centers[block * channels + c] + off - mean[c];
      mean[c] += delta * own / (before + own);
      squares[c] += squared[c] - off * off * own + delta * delta * before * own / (before + own);
    }
  }
}

// What the norm does to a channel's values: scale * x + shift. The gradient works it out as the op itself did, so that
// both agree on the sign of a value.
struct Line {
  Line(const Tensor &weight, const Tensor &bias, const Tensor &mean, const Tensor &inverse_deviation)
      : scale(weight.elements()), shift(weight.elements()) {
    for (size_t c = 0; c < scale.size(); c++) {
      const double slope = static_cast<double>(inverse_deviation.data<float>()[c]) * weight.data<float>()[c];
      scale[c] = slope;
      shift[c] = bias.data<float>()[c] - slope * mean.data<float>()[c];
    }
  }
  std::vector<float> scale, shift;
};

// Calls `work` with the place and the channel of every value.
template <typename Work>
void ForRows(const Context &context, const Blocks &blocks, const Work &work) {
  context.Parallel(blocks.count(), [&](int64_t block) {
    for (int64_t row = blocks.begin(block); row < blocks.end(block); row++) {
      const int64_t start = row * blocks.channels;
#pragma omp simd
      for (int64_t c = 0; c < blocks.channels; c++) work(start + c, c);
    }
  });
}

// The line's values of x, with a shortcut that is added and relu, where they are wanted.
template <typename T>
void Normalize(const Context &context, const Tensor &x, const Line &line, bool relu, const Tensor *shortcut, const Tensor &y) {
  const Blocks blocks(x.elements() / x.size(-1), x.size(-1));
  const T *in = x.data<T>();
  T *out = y.data<T>();
  const float *a = line.scale.data(), *b = line.shift.data();
  const float floor = relu ? 0 : -INFINITY;
  if (!shortcut) {
    ForRows(context, blocks, [=](int64_t i, int64_t c) {
      const float value = ToFloat(in[i]) * a[c] + b[c];
      out[i] = FromFloat<T>(value < floor ? floor : value);
    });
    return;
  }
  Require(shortcut->shape() == x.shape(), "the shortcut is " + shortcut->Describe() + ", but x is " + x.Describe());
  const T *past = shortcut->data<T>();
  ForRows(context, blocks, [=](int64_t i, int64_t c) {
    const float value = ToFloat(in[i]) * a[c] + b[c] + ToFloat(past[i]);
    out[i] = FromFloat<T>(value < floor ? floor : value);
  });
}

// What both norms are told.
struct NormOptions {
  explicit NormOptions(const Construction &construction)
      : epsilon(construction.Float("epsilon")), relu(construction.Bool("relu")), shortcuts(construction.Int("shortcuts")) {}
  const float epsilon;
  const bool relu;
  const int64_t shortcuts;
};

// The outputs of a norm of x, weight and bias, the first three inputs: y, the mean, the unbiased variance and the inverse
// deviation, from each channel's mean and sum of squared differences from it over so many rows.
template <typename T>
void WriteNorm(Context &context, const std::vector<double> &means, const std::vector<double> &squares, double rows,
               const NormOptions &options, int shortcut_input) {
  const Tensor x = context.Input(0), weight = context.Input(1), bias = context.Input(2);
  const int64_t channels = x.size(-1);
  RequireColumns("weight", weight, channels);
  RequireColumns("bias", bias, channels);
  const Tensor mean = context.Output<float>(1, {channels});
  const Tensor variance = context.Output<float>(2, {channels});
  const Tensor inverse_deviation = context.Output<float>(3, {channels});
  for (int64_t c = 0; c < channels; c++) {
    mean.data<float>()[c] = means[c];
    variance.data<float>()[c] = squares[c] / (rows - 1);
    inverse_deviation.data<float>()[c] = 1 / std::sqrt(squares[c] / rows + options.epsilon);
  }
  const Line line(weight, bias, mean, inverse_deviation);
  const Tensor y = context.Output<T>(0, x.shape());
  if (options.shortcuts == 0) return Normalize<T>(context, x, line, options.relu, nullptr, y);
  const Tensor shortcut = context.Input(shortcut_input);
  Normalize<T>(context, x, line, options.relu, &shortcut, y);
}

// For each channel the sum of the gradient, and that of the gradient times (x - mean).
template <typename T, typename Gradient>
void Sums(const Context &context, const Blocks &blocks, const Gradient &gradient, const T *x, const float *mean, double *sums,
          double *sums_with_x) {
  const int64_t channels = blocks.channels;
  std::vector<float> parts(2 * blocks.count() * channels);
  context.Parallel(blocks.count(), [&](int64_t block) {
    float *own = parts.data() + 2 * block * channels, *own_with_x = own + channels;
    int64_t row = blocks.begin(block);
    for (; row + 2 <= blocks.end(block); row += 2) {
      const int64_t i = row * channels;
#pragma omp simd
      for (int64_t c = 0; c < channels; c++) {
        const float one = gradient(i + c, c), two = gradient(i + channels + c, c);
        own[c] += one + two;
        own_with_x[c] += one * (ToFloat(x[i + c]) - mean[c]) + two * (ToFloat(x[i + channels + c]) - mean[c]);
      }
    }
    for (; row < blocks.end(block); row++) {
      const int64_t i = row * channels;
#pragma omp simd
      for (int64_t c = 0; c < channels; c++) {
        const float one = gradient(i + c, c);
        own[c] += one;
        own_with_x[c] += one * (ToFloat(x[i + c]) - mean[c]);
      }
    }
  });
  std::fill(sums, sums + channels, 0);
  std::fill(sums_with_x, sums_with_x + channels, 0);
  for (int64_t block = 0; block < blocks.count(); block++) {
    const float *own = parts.data() + 2 * block * channels;
    for (int64_t c = 0; c < channels; c++) {
      sums[c] += own[c];
      sums_with_x[c] += own[channels + c];
    }
  }
}

}  // namespace pathlab

#endif  // PATHLAB_BATCH_NORM_H_
