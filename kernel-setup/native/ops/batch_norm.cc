// Batch normalization in training and its gradient, each as one op; see batch_norm.h.

#include <cmath>
#include "batch_norm.h"

namespace pathlab {
namespace {

template <typename T>
class BatchNorm {
 public:
  explicit BatchNorm(const Construction &construction) : options_(construction) {}

  void Compute(Context &context) {
    const Tensor x = context.Input(0);
    const int64_t channels = x.size(-1);
    Require(channels > 0 && x.elements() > channels,
            "x is " + x.Describe() + ": the variance takes more than one value a channel");
    const Blocks blocks(x.elements() / channels, channels);
    std::vector<double> means(channels), squares(channels);
    Statistics(context, x.data<T>(), blocks, means.data(), squares.data());
    WriteNorm<T>(context, means, squares, blocks.rows, options_, 3);
  }

 private:
  const NormOptions options_;
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
        ForRows(context, blocks, [=](int64_t i, int64_t c) { out[i] = FromFloat<T>(slope_of_x(i, c)); });
        return;
      }
      const Tensor y = context.Output<T>(3, x.shape());
      T *output = y.data<T>();
      const float floor = relu_ ? 0 : -INFINITY;
      ForRows(context, blocks, [=](int64_t i, int64_t c) {
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
