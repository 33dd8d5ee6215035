// Batch normalization whose statistics are those of all processes' rows, in the parts between which the processes exchange what
// they have: statistics of the own rows, the norm by those of all, the gradient's sums over the own rows, and the gradient by
// those of all. With one process, what batch_norm.cc computes. A process may have no rows.
//
// Joined statistics are [processes, 2 channels + 1]: of each process the means, the sums of squared differences from them, and
// the number of rows.

#include <cmath>
#include "batch_norm.h"

namespace pathlab {
namespace {

Blocks BlocksOf(const Tensor &x) {
  const int64_t channels = x.size(-1);
  Require(channels > 0, "x is " + x.Describe() + ", which has no channels");
  return {x.elements() / channels, channels};
}

void RequireStatistics(const Tensor &statistics, int64_t channels) {
  Require(statistics.rank() == 2 && statistics.size(1) == 2 * channels + 1,
          "the joined statistics are " + statistics.Describe() + ", but x has " + std::to_string(channels) + " channels");
}

double RowsOfAll(const Tensor &statistics, int64_t channels) {
  double rows = 0;
  for (int64_t process = 0; process < statistics.size(0); process++) {
    rows += statistics.data<float>()[(process + 1) * (2 * channels + 1) - 1];
  }
  return rows;
}

template <typename T>
class RowStatistics {
 public:
  explicit RowStatistics(const Construction &) {}

  void Compute(Context &context) {
    const Tensor x = context.Input(0);
    const Blocks blocks = BlocksOf(x);
    std::vector<double> means(blocks.channels), squares(blocks.channels);
    Statistics(context, x.data<T>(), blocks, means.data(), squares.data());
    const Tensor mean = context.Output<float>(0, {blocks.channels});
    const Tensor squared = context.Output<float>(1, {blocks.channels});
    std::copy(means.begin(), means.end(), mean.data<float>());
    std::copy(squares.begin(), squares.end(), squared.data<float>());
  }
};

template <typename T>
class JoinedBatchNorm {
 public:
  explicit JoinedBatchNorm(const Construction &construction) : options_(construction) {}

  void Compute(Context &context) {
    const Tensor statistics = context.Input(3);
    const int64_t channels = BlocksOf(context.Input(0)).channels;
    RequireStatistics(statistics, channels);
    // Joined one after the other (Chan et al., 1979), so that nothing cancels.
    std::vector<double> means(channels), squares(channels);
    double before = 0;
    for (int64_t process = 0; process < statistics.size(0); process++) {
      const float *own_means = statistics.data<float>() + process * (2 * channels + 1);
      const float *own_squares = own_means + channels;
      const double own = own_squares[channels];
      if (own == 0) continue;
      for (int64_t c = 0; c < channels; c++) {
        const double delta = own_means[c] - means[c];
        means[c] += delta * own / (before + own);
        squares[c] += own_squares[c] + delta * delta * before * own / (before + own);
      }
      before += own;
    }
    WriteNorm<T>(context, means, squares, before, options_, 4);
  }

 private:
  const NormOptions options_;
};

// With relu, the gradient counts where the output is above 0. Where nothing was added that is worked out from x; otherwise the
// output y is read, and the gradient behind the relu is written, since the shortcut and JoinedBatchNormGrad take it.
template <typename T>
class RowGradientSums {
 public:
  explicit RowGradientSums(const Construction &construction)
      : relu_(construction.Bool("relu")), shortcuts_(construction.Int("shortcuts")) {}

  void Compute(Context &context) {
    const Tensor dy = context.Input(0), x = context.Input(1), weight = context.Input(2), bias = context.Input(3);
    const Tensor mean = context.Input(4), inverse_deviation = context.Input(5);
    const Blocks blocks = BlocksOf(x);
    Require(dy.shape() == x.shape(), "dy is " + dy.Describe() + ", but x is " + x.Describe());
    const float *center = mean.data<float>();
    const Line line(weight, bias, mean, inverse_deviation);
    const float *a = line.scale.data(), *b = line.shift.data();
    const T *in = x.data<T>(), *slope = dy.data<T>();
    std::vector<double> sums(blocks.channels), sums_with_x(blocks.channels);
    const auto add_up = [&](const auto &gradient) {
      Sums(context, blocks, gradient, in, center, sums.data(), sums_with_x.data());
    };
    if (shortcuts_ > 0) {
      const Tensor y = context.Input(6);
      Require(y.shape() == x.shape(), "y is " + y.Describe() + ", but x is " + x.Describe());
      const Tensor behind = context.Output<T>(2, x.shape());
      T *passed = behind.data<T>();
      const T *value = y.data<T>();
      add_up([=](int64_t i, int64_t) {
        const float before = ToFloat(slope[i]);
        const float gradient = ToFloat(value[i]) > 0 ? before : 0;
        passed[i] = FromFloat<T>(gradient);
        return gradient;
      });
    } else if (relu_) {
      add_up([=](int64_t i, int64_t c) {
        const float before = ToFloat(slope[i]);
        return ToFloat(in[i]) * a[c] + b[c] > 0 ? before : 0;
      });
    } else {
      add_up([=](int64_t i, int64_t) { return ToFloat(slope[i]); });
    }
    const Tensor sum = context.Output<float>(0, {blocks.channels}), sum_with_x = context.Output<float>(1, {blocks.channels});
    std::copy(sums.begin(), sums.end(), sum.data<float>());
    std::copy(sums_with_x.begin(), sums_with_x.end(), sum_with_x.data<float>());
  }

 private:
  const bool relu_;
  const int64_t shortcuts_;
};

// `sums` are those of RowGradientSums over all processes: [2, channels].
template <typename T>
class JoinedBatchNormGrad {
 public:
  explicit JoinedBatchNormGrad(const Construction &construction) : relu_(construction.Bool("relu")) {}

  void Compute(Context &context) {
    const Tensor dy = context.Input(0), x = context.Input(1), weight = context.Input(2), bias = context.Input(3);
    const Tensor mean = context.Input(4), inverse_deviation = context.Input(5);
    const Tensor sums = context.Input(6), statistics = context.Input(7);
    const Blocks blocks = BlocksOf(x);
    const int64_t channels = blocks.channels;
    Require(dy.shape() == x.shape(), "dy is " + dy.Describe() + ", but x is " + x.Describe());
    Require(sums.rank() == 2 && sums.size(0) == 2 && sums.size(1) == channels, "the gradient's sums are " + sums.Describe());
    RequireStatistics(statistics, channels);
    const double rows = RowsOfAll(statistics, channels);
    const float *center = mean.data<float>(), *inverse = inverse_deviation.data<float>();
    const Line line(weight, bias, mean, inverse_deviation);
    const float *a = line.scale.data(), *b = line.shift.data();
    std::vector<float> offset(channels), along(channels);
    for (int64_t c = 0; c < channels; c++) {
      along[c] = -a[c] * inverse[c] * inverse[c] * sums.data<float>()[channels + c] / rows;
      offset[c] = -a[c] * sums.data<float>()[c] / rows;
    }
    const Tensor dx = context.Output<T>(0, x.shape());
    T *out = dx.data<T>();
    const T *in = x.data<T>(), *slope = dy.data<T>();
    const float *slopes = along.data(), *constant = offset.data();
    const auto differentiate = [&](const auto &gradient) {
      ForRows(context, blocks, [=](int64_t i, int64_t c) {
        out[i] = FromFloat<T>(a[c] * gradient(i, c) + slopes[c] * (ToFloat(in[i]) - center[c]) + constant[c]);
      });
    };
    if (relu_) {
      differentiate([=](int64_t i, int64_t c) {
        const float before = ToFloat(slope[i]);
        return ToFloat(in[i]) * a[c] + b[c] > 0 ? before : 0;
      });
    } else {
      differentiate([=](int64_t i, int64_t) { return ToFloat(slope[i]); });
    }
  }

 private:
  const bool relu_;
};

const bool registered =
    Register({"PathlabRowStatistics",
              {"T: {float, bfloat16}"},
              {"x: T"},
              {"mean: float", "squares: float"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.RequireRankAtLeast(0, 2);
                if (shapes.failed()) return;
                for (int output : {0, 1}) shapes.SetOutput(output, shapes.Axes(0, -1));
              }}) &&
    Register({"PathlabJoinedBatchNorm",
              {"T: {float, bfloat16}", "epsilon: float", "relu: bool", "shortcuts: int >= 0"},
              {"x: T", "weight: float", "bias: float", "statistics: float", "shortcut: shortcuts * T"},
              {"y: T", "mean: float", "variance: float", "inverse_deviation: float"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.SetOutput(0, shapes.Axes(0));
                for (int output = 1; output < 4; output++) shapes.SetOutput(output, shapes.Axes(1));
              }}) &&
    Register({"PathlabRowGradientSums",
              {"T: {float, bfloat16}", "relu: bool", "shortcuts: int >= 0"},
              {"dy: T", "x: T", "weight: float", "bias: float", "mean: float", "inverse_deviation: float",
               "y: shortcuts * T"},
              {"sum: float", "sum_with_x: float", "dshortcut: shortcuts * T"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                for (int output : {0, 1}) shapes.SetOutput(output, shapes.Axes(2));
                if (shapes.InputCount() > 6) shapes.SetOutput(2, shapes.Axes(1));
              }}) &&
    Register({"PathlabJoinedBatchNormGrad",
              {"T: {float, bfloat16}", "relu: bool"},
              {"dy: T", "x: T", "weight: float", "bias: float", "mean: float", "inverse_deviation: float", "sums: float",
               "statistics: float"},
              {"dx: T"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.SetOutput(0, shapes.Axes(1));
              }}) &&
    RegisterKernels<RowStatistics>("PathlabRowStatistics") && RegisterKernels<JoinedBatchNorm>("PathlabJoinedBatchNorm") &&
    RegisterKernels<RowGradientSums>("PathlabRowGradientSums") &&
    RegisterKernels<JoinedBatchNormGrad>("PathlabJoinedBatchNormGrad");

}  // namespace
}  // namespace pathlab
