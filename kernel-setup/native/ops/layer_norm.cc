// Layer normalization over the last axis (Ba et al., 2016; arXiv 1607.06450) and its gradient, each in one pass over
// memory: a row stays in the first-level cache while it is read three times.

#include <cmath>
#include "op.h"

namespace pathlab {
namespace {

// Rows whose sums are made together. Fixed, so that the gradient's bits do not depend on the number of threads.
constexpr int64_t kRowsPerBlock = 64;

int64_t Blocks(int64_t rows) { return (rows + kRowsPerBlock - 1) / kRowsPerBlock; }

template <typename T>
void NormalizeRow(const T *x, const float *weight, const float *bias, float epsilon, int64_t columns, T *y,
                  float *mean, float *inverse_deviation) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < columns; i++) sum += ToFloat(x[i]);
  const float center = sum / columns;
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < columns; i++) {
    const float difference = ToFloat(x[i]) - center;
    squares += difference * difference;
  }
  const float scale = 1 / std::sqrt(squares / columns + epsilon);
#pragma omp simd
  for (int64_t i = 0; i < columns; i++) {
    y[i] = FromFloat<T>((ToFloat(x[i]) - center) * scale * weight[i] + bias[i]);
  }
  *mean = center;
  *inverse_deviation = scale;
}

// Writes dx; adds to the gradients of weight and bias.
template <typename T>
void GradientOfRow(const T *dy, const T *x, const float *weight, float mean, float inverse_deviation, int64_t columns,
                   T *dx, float *dweight, float *dbias) {
  float sum = 0, sum_with_x = 0;
#pragma omp simd reduction(+ : sum, sum_with_x)
  for (int64_t i = 0; i < columns; i++) {
    const float slope = ToFloat(dy[i]);
    const float normalized = (ToFloat(x[i]) - mean) * inverse_deviation;
    const float scaled = slope * weight[i];
    sum += scaled;
    sum_with_x += scaled * normalized;
    dweight[i] += slope * normalized;
    dbias[i] += slope;
  }
  const float average = sum / columns;
  const float average_with_x = sum_with_x / columns;
#pragma omp simd
  for (int64_t i = 0; i < columns; i++) {
    const float normalized = (ToFloat(x[i]) - mean) * inverse_deviation;
    const float scaled = ToFloat(dy[i]) * weight[i];
    dx[i] = FromFloat<T>(inverse_deviation * (scaled - average - normalized * average_with_x));
  }
}

template <typename T>
class LayerNorm {
 public:
  explicit LayerNorm(const Construction &construction) : epsilon_(construction.Float("epsilon")) {}

  void Compute(Context &context) {
    const Tensor x = context.Input(0), weight = context.Input(1), bias = context.Input(2);
    const int64_t columns = x.size(-1), rows = columns ? x.elements() / columns : 0;
    RequireColumns("weight", weight, columns);
    RequireColumns("bias", bias, columns);
    Shape outer = x.shape();
    outer.pop_back();
    const Tensor y = context.Output<T>(0, x.shape());
    const Tensor mean = context.Output<float>(1, outer);
    const Tensor inverse_deviation = context.Output<float>(2, outer);
    context.Parallel(Blocks(rows), [&](int64_t block) {
      const int64_t end = std::min(rows, (block + 1) * kRowsPerBlock);
      for (int64_t row = block * kRowsPerBlock; row < end; row++) {
        NormalizeRow(x.data<T>() + row * columns, weight.data<float>(), bias.data<float>(), epsilon_, columns,
                     y.data<T>() + row * columns, mean.data<float>() + row, inverse_deviation.data<float>() + row);
      }
    });
  }

 private:
  const float epsilon_;
};

template <typename T>
class LayerNormGrad {
 public:
  explicit LayerNormGrad(const Construction &) {}

  void Compute(Context &context) {
    const Tensor dy = context.Input(0), x = context.Input(1), weight = context.Input(2);
    const Tensor mean = context.Input(3), inverse_deviation = context.Input(4);
    const int64_t columns = x.size(-1), rows = columns ? x.elements() / columns : 0;
    RequireColumns("weight", weight, columns);
    Require(dy.shape() == x.shape(), "dy is " + dy.Describe() + ", but x is " + x.Describe());
    Require(mean.elements() == rows && inverse_deviation.elements() == rows, "the saved statistics are not those of x");
    const Tensor dx = context.Output<T>(0, x.shape());
    const Tensor dweight = context.Output<float>(1, {columns});
    const Tensor dbias = context.Output<float>(2, {columns});
    // Each block's own sums: those of weight, then those of bias.
    std::vector<float> sums(2 * columns * Blocks(rows));
    context.Parallel(Blocks(rows), [&](int64_t block) {
      float *own = sums.data() + 2 * columns * block;
      const int64_t end = std::min(rows, (block + 1) * kRowsPerBlock);
      for (int64_t row = block * kRowsPerBlock; row < end; row++) {
        GradientOfRow(dy.data<T>() + row * columns, x.data<T>() + row * columns, weight.data<float>(),
                      mean.data<float>()[row], inverse_deviation.data<float>()[row], columns,
                      dx.data<T>() + row * columns, own, own + columns);
      }
    });
    for (int64_t i = 0; i < columns; i++) dweight.data<float>()[i] = dbias.data<float>()[i] = 0;
    for (int64_t block = 0; block < Blocks(rows); block++) {
      const float *own = sums.data() + 2 * columns * block;
      for (int64_t i = 0; i < columns; i++) {
        dweight.data<float>()[i] += own[i];
        dbias.data<float>()[i] += own[columns + i];
      }
    }
  }
};

const bool registered =
    Register({"PathlabLayerNorm",
              {"T: {float, bfloat16}", "epsilon: float"},
              {"x: T", "weight: float", "bias: float"},
              {"y: T", "mean: float", "inverse_deviation: float"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.RequireRankAtLeast(0, 1);
                if (shapes.failed()) return;
                shapes.SetOutput(0, shapes.Axes(0));
                shapes.SetOutput(1, shapes.Axes(0, 0, -1));
                shapes.SetOutput(2, shapes.Axes(0, 0, -1));
              }}) &&
    Register({"PathlabLayerNormGrad",
              {"T: {float, bfloat16}"},
              {"dy: T", "x: T", "weight: float", "mean: float", "inverse_deviation: float"},
              {"dx: T", "dweight: float", "dbias: float"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.SetOutput(0, shapes.Axes(1));
                shapes.SetOutput(1, shapes.Axes(2));
                shapes.SetOutput(2, shapes.Axes(2));
              }}) &&
    RegisterKernels<LayerNorm>("PathlabLayerNorm") &&
    RegisterKernels<LayerNormGrad>("PathlabLayerNormGrad");

}  // namespace
}  // namespace pathlab
