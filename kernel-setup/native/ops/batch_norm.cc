// Batch normalization in training (Ioffe and Szegedy, 2015; arXiv 1502.03167) with what follows it in a ResNet: a
// shortcut that is added, then relu. Composed from TensorFlow's ops each of these passes over memory by itself; here a
// tensor is read twice and written once on the way forward, and on the way back the relu costs no pass of its own.
//
// A row is one position of the batch: its channels lie side by side. Rows are taken in blocks whose size depends on the
// shape alone, and sums over blocks are made in their order, so that the bits do not depend on the number of threads.

#include <algorithm>
#include <cmath>
#include "op.h"

namespace pathlab {
namespace {

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

template <typename T>
class BatchNorm {
 public:
  explicit BatchNorm(const Construction &construction)
      : epsilon_(construction.Float("epsilon")), relu_(construction.Bool("relu")), shortcuts_(construction.Int("shortcuts")) {}

  void Compute(Context &context) {
    const Tensor x = context.Input(0), weight = context.Input(1), bias = context.Input(2);
    const int64_t channels = x.size(-1);
    Require(channels > 0 && x.elements() > channels,
            "x is " + x.Describe() + ": the variance takes more than one value a channel");
    const Blocks blocks(x.elements() / channels, channels);
    RequireColumns("weight", weight, channels);
    RequireColumns("bias", bias, channels);
    const Tensor mean = context.Output<float>(1, {channels});
    const Tensor variance = context.Output<float>(2, {channels});
    const Tensor inverse_deviation = context.Output<float>(3, {channels});

    std::vector<double> means(channels), squares(channels);
    Statistics(context, x.data<T>(), blocks, means.data(), squares.data());
    for (int64_t c = 0; c < channels; c++) {
      mean.data<float>()[c] = means[c];
      variance.data<float>()[c] = squares[c] / (blocks.rows - 1);
      inverse_deviation.data<float>()[c] = 1 / std::sqrt(squares[c] / blocks.rows + epsilon_);
    }
    const Line line(weight, bias, mean, inverse_deviation);

    const Tensor y = context.Output<T>(0, x.shape());
    const T *in = x.data<T>();
    T *out = y.data<T>();
    const float *a = line.scale.data(), *b = line.shift.data();
    const float floor = relu_ ? 0 : -INFINITY;
    if (shortcuts_ == 0) {
      ForRows(context, blocks, [=](int64_t i, int64_t c) {
        const float value = ToFloat(in[i]) * a[c] + b[c];
        out[i] = FromFloat<T>(value < floor ? floor : value);
      });
    } else {
      const Tensor shortcut = context.Input(3);
      Require(shortcut.shape() == x.shape(), "the shortcut is " + shortcut.Describe() + ", but x is " + x.Describe());
      const T *past = shortcut.data<T>();
      ForRows(context, blocks, [=](int64_t i, int64_t c) {
        const float value = ToFloat(in[i]) * a[c] + b[c] + ToFloat(past[i]);
        out[i] = FromFloat<T>(value < floor ? floor : value);
      });
    }
  }

  // Calls `work` with the place and the channel of every value.
  template <typename Work>
  static void ForRows(const Context &context, const Blocks &blocks, const Work &work) {
    context.Parallel(blocks.count(), [&](int64_t block) {
      for (int64_t row = blocks.begin(block); row < blocks.end(block); row++) {
        const int64_t start = row * blocks.channels;
#pragma omp simd
        for (int64_t c = 0; c < blocks.channels; c++) work(start + c, c);
      }
    });
  }

 private:
  const float epsilon_;
  const bool relu_;
  const int64_t shortcuts_;
};

template <typename T>
class BatchNormGrad {
 public:
  explicit BatchNormGrad(const Construction &construction)
      : BatchNormGrad(construction.Bool("relu"), construction.Int("shortcuts"), false) {}

  // With relu, the gradient counts where the output is above 0. Where nothing was added that is worked out from x;
  // otherwise the output y is read, and the gradient behind the relu is written, since the shortcut takes it too.
  void Compute(Context &context) {
    const Tensor dy = context.Input(0), x = context.Input(1), weight = context.Input(2), bias = context.Input(3);
    const Tensor mean = context.Input(4), inverse_deviation = context.Input(5);
    const int64_t channels = x.size(-1);
    const Blocks blocks(x.elements() / channels, channels);
    RequireColumns("weight", weight, channels);
    RequireColumns("bias", bias, channels);
    RequireColumns("mean", mean, channels);
    RequireColumns("inverse_deviation", inverse_deviation, channels);
    Require(dy.shape() == x.shape(), "dy is " + dy.Describe() + ", but x is " + x.Describe());
    const Tensor dweight = context.Output<float>(1, {channels});
    const Tensor dbias = context.Output<float>(2, {channels});
    const float *center = mean.data<float>(), *inverse = inverse_deviation.data<float>();
    const Line line(weight, bias, mean, inverse_deviation);
    const float *a = line.scale.data(), *b = line.shift.data();
    const T *in = x.data<T>(), *slope = dy.data<T>();

    std::vector<double> sums(channels), sums_with_x(channels);
    const auto differentiate = [&](const auto &gradient) {
      Sums(context, blocks, gradient, in, center, sums.data(), sums_with_x.data());
    };
    const auto finish = [&](const auto &gradient) {
      std::vector<float> offset(channels), along(channels);
      for (int64_t c = 0; c < channels; c++) {
        dbias.data<float>()[c] = sums[c];
        dweight.data<float>()[c] = sums_with_x[c] * inverse[c];
        along[c] = -a[c] * inverse[c] * inverse[c] * sums_with_x[c] / blocks.rows;
        offset[c] = -a[c] * sums[c] / blocks.rows;
      }
      const Tensor dx = context.Output<T>(0, x.shape());
      T *out = dx.data<T>();
      const float *slopes = along.data(), *constant = offset.data();
      const auto slope_of_x = [=](int64_t i, int64_t c) {
        return a[c] * gradient(i, c) + slopes[c] * (ToFloat(in[i]) - center[c]) + constant[c];
      };
      if (!gives_output_) {
        BatchNorm<T>::ForRows(context, blocks, [=](int64_t i, int64_t c) { out[i] = FromFloat<T>(slope_of_x(i, c)); });
        return;
      }
      const Tensor y = context.Output<T>(3, x.shape());
      T *output = y.data<T>();
      const float floor = relu_ ? 0 : -INFINITY;
      BatchNorm<T>::ForRows(context, blocks, [=](int64_t i, int64_t c) {
        out[i] = FromFloat<T>(slope_of_x(i, c));
        const float value = ToFloat(in[i]) * a[c] + b[c];
        output[i] = FromFloat<T>(value < floor ? floor : value);
      });
    };

    if (shortcuts_ > 0 && relu_) {
      const Tensor y = context.Input(6);
      Require(y.shape() == x.shape(), "y is " + y.Describe() + ", but x is " + x.Describe());
      const Tensor behind = context.Output<T>(3, x.shape());
      T *passed = behind.data<T>();
      const T *value = y.data<T>();
      differentiate([=](int64_t i, int64_t) {
        const float before = ToFloat(slope[i]);
        const float gradient = ToFloat(value[i]) > 0 ? before : 0;
        passed[i] = FromFloat<T>(gradient);
        return gradient;
      });
      finish([=](int64_t i, int64_t) { return ToFloat(passed[i]); });
    } else if (relu_) {
      const auto gradient = [=](int64_t i, int64_t c) {
        // Read in any case: a load that depends on a condition would keep the loop from being vectorized.
        const float before = ToFloat(slope[i]);
        return ToFloat(in[i]) * a[c] + b[c] > 0 ? before : 0;
      };
      differentiate(gradient);
      finish(gradient);
    } else {
      const auto gradient = [=](int64_t i, int64_t) { return ToFloat(slope[i]); };
      differentiate(gradient);
      finish(gradient);
    }
  }

 protected:
  BatchNormGrad(bool relu, int64_t shortcuts, bool gives_output)
      : relu_(relu), shortcuts_(shortcuts), gives_output_(gives_output) {}

 private:
  // For each channel the sum of the gradient, and that of the gradient times (x - mean).
  template <typename Gradient>
  static void Sums(const Context &context, const Blocks &blocks, const Gradient &gradient, const T *x, const float *mean,
                   double *sums, double *sums_with_x) {
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

  const bool relu_;
  const int64_t shortcuts_;
  const bool gives_output_;
};

// It gives the op's output once more, which then need not be kept from the way forward. For norms without a shortcut.
template <typename T>
class BatchNormGradWithOutput : public BatchNormGrad<T> {
 public:
  explicit BatchNormGradWithOutput(const Construction &construction)
      : BatchNormGrad<T>(construction.Bool("relu"), 0, true) {}
};

const bool registered =
    Register({"PathlabBatchNorm",
              {"T: {float, bfloat16}", "epsilon: float", "relu: bool", "shortcuts: int >= 0"},
              {"x: T", "weight: float", "bias: float", "shortcut: shortcuts * T"},
              {"y: T", "mean: float", "variance: float", "inverse_deviation: float"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.RequireRankAtLeast(0, 2);
                if (shapes.failed()) return;
                shapes.SetOutput(0, shapes.Axes(0));
                for (int output = 1; output < 4; output++) shapes.SetOutput(output, shapes.Axes(0, -1));
              }}) &&
    Register({"PathlabBatchNormGrad",
              {"T: {float, bfloat16}", "relu: bool", "shortcuts: int >= 0"},
              {"dy: T", "x: T", "weight: float", "bias: float", "mean: float", "inverse_deviation: float",
               "y: shortcuts * T"},
              {"dx: T", "dweight: float", "dbias: float", "dshortcut: shortcuts * T"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.SetOutput(0, shapes.Axes(1));
                shapes.SetOutput(1, shapes.Axes(2));
                shapes.SetOutput(2, shapes.Axes(2));
                if (shapes.InputCount() > 6) shapes.SetOutput(3, shapes.Axes(1));
              }}) &&
    Register({"PathlabBatchNormGradWithOutput",
              {"T: {float, bfloat16}", "relu: bool"},
              {"dy: T", "x: T", "weight: float", "bias: float", "mean: float", "inverse_deviation: float"},
              {"dx: T", "dweight: float", "dbias: float", "y: T"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                for (int output : {0, 3}) shapes.SetOutput(output, shapes.Axes(1));
                for (int output : {1, 2}) shapes.SetOutput(output, shapes.Axes(2));
              }}) &&
    RegisterKernels<BatchNorm>("PathlabBatchNorm") &&
    RegisterKernels<BatchNormGrad>("PathlabBatchNormGrad") &&
    RegisterKernels<BatchNormGradWithOutput>("PathlabBatchNormGradWithOutput");

}  // namespace
}  // namespace pathlab
