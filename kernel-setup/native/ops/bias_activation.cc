// activation(x + bias) over the last axis, and its gradient with that of the bias, in one pass over memory each.

#include "functions.h"
#include "op.h"

namespace pathlab {
namespace {

// Rows whose bias gradients are summed together. Fixed, so that the bits do not depend on the number of threads.
constexpr int64_t kRowsPerBlock = 32;

int64_t Blocks(int64_t rows) { return (rows + kRowsPerBlock - 1) / kRowsPerBlock; }

struct Relu {
  // A NaN stays one, as in TensorFlow's own.
  static float Value(float x) { return x < 0 ? 0 : x; }
  static float Slope(float x) { return x > 0 ? 1 : 0; }
};

// x times the normal distribution's cumulative (Hendrycks and Gimpel, 2016; arXiv 1606.08415).
struct Gelu {
  static float Value(float x) { return x * StandardNormal(x).cumulative; }
  static float Slope(float x) {
    const Normal normal = StandardNormal(x);
    return normal.cumulative + x * normal.density;
  }
};

// The same paper's approximation: x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
struct GeluTanh {
  static float Sigmoid(float x) { return 1.0f / (1.0f + Exp(-1.59576912f * (x + 0.044715f * x * x * x))); }
  static float Value(float x) { return x * Sigmoid(x); }
  static float Slope(float x) {
    const float sigmoid = Sigmoid(x);
    return sigmoid + x * sigmoid * (1.0f - sigmoid) * 1.59576912f * (1.0f + 0.134145f * x * x);
  }
};

template <typename T, typename Activation>
class BiasActivation {
 public:
  explicit BiasActivation(const Construction &) {}

  void Compute(Context &context) {
    const Tensor x = context.Input(0), bias = context.Input(1);
    const int64_t columns = x.size(-1), rows = columns ? x.elements() / columns : 0;
    RequireColumns("bias", bias, columns);
    const Tensor y = context.Output<T>(0, x.shape());
    context.Parallel(Blocks(rows), [&](int64_t block) {
      const int64_t end = std::min(rows, (block + 1) * kRowsPerBlock);
      const float *shift = bias.data<float>();
      for (int64_t row = block * kRowsPerBlock; row < end; row++) {
        const T *from = x.data<T>() + row * columns;
        T *to = y.data<T>() + row * columns;
#pragma omp simd
        for (int64_t i = 0; i < columns; i++) to[i] = FromFloat<T>(Activation::Value(ToFloat(from[i]) + shift[i]));
      }
    });
  }
};

template <typename T, typename Activation>
class BiasActivationGrad {
 public:
  explicit BiasActivationGrad(const Construction &) {}

  void Compute(Context &context) {
    const Tensor dy = context.Input(0), x = context.Input(1), bias = context.Input(2);
    const int64_t columns = x.size(-1), rows = columns ? x.elements() / columns : 0;
    RequireColumns("bias", bias, columns);
    Require(dy.shape() == x.shape(), "dy is " + dy.Describe() + ", but x is " + x.Describe());
    const Tensor dx = context.Output<T>(0, x.shape());
    const Tensor dbias = context.Output<float>(1, {columns});
    std::vector<float> sums(columns * Blocks(rows));
    context.Parallel(Blocks(rows), [&](int64_t block) {
      float *own = sums.data() + columns * block;
      const int64_t end = std::min(rows, (block + 1) * kRowsPerBlock);
      const float *shift = bias.data<float>();
      for (int64_t row = block * kRowsPerBlock; row < end; row++) {
        const T *slope = dy.data<T>() + row * columns, *from = x.data<T>() + row * columns;
        T *to = dx.data<T>() + row * columns;
#pragma omp simd
        for (int64_t i = 0; i < columns; i++) {
          const float gradient = ToFloat(slope[i]) * Activation::Slope(ToFloat(from[i]) + shift[i]);
          to[i] = FromFloat<T>(gradient);
          own[i] += gradient;
        }
      }
    });
    float *total = dbias.data<float>();
    for (int64_t i = 0; i < columns; i++) total[i] = 0;
    for (int64_t block = 0; block < Blocks(rows); block++) {
      for (int64_t i = 0; i < columns; i++) total[i] += sums[columns * block + i];
    }
  }
};

template <typename Activation>
bool RegisterActivation(const char *op, const char *gradient) {
  return Register({op,
                   {"T: {float, bfloat16}"},
                   {"x: T", "bias: float"},
                   {"y: T"},
                   [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                     const ShapeContext shapes(raw, status);
                     shapes.SetOutput(0, shapes.Axes(0));
                   }}) &&
         Register({gradient,
                   {"T: {float, bfloat16}"},
                   {"dy: T", "x: T", "bias: float"},
                   {"dx: T", "dbias: float"},
                   [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                     const ShapeContext shapes(raw, status);
                     shapes.SetOutput(0, shapes.Axes(1));
                     shapes.SetOutput(1, shapes.Axes(2));
                   }}) &&
         RegisterKernel<BiasActivation<float, Activation>, float>(op) &&
         RegisterKernel<BiasActivation<Bfloat16, Activation>, Bfloat16>(op) &&
         RegisterKernel<BiasActivationGrad<float, Activation>, float>(gradient) &&
         RegisterKernel<BiasActivationGrad<Bfloat16, Activation>, Bfloat16>(gradient);
}

const bool registered = RegisterActivation<Relu>("PathlabBiasRelu", "PathlabBiasReluGrad") &&
                        RegisterActivation<Gelu>("PathlabBiasGelu", "PathlabBiasGeluGrad") &&
                        RegisterActivation<GeluTanh>("PathlabBiasGeluTanh", "PathlabBiasGeluTanhGrad");

}  // namespace
}  // namespace pathlab
