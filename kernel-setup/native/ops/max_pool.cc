// Maximum over square windows, and its gradient. TensorFlow's own kernels for the CPU drop a NaN: the maximum of NaN and 1
// is 1 there, so that the features of a broken image look sound. Here a NaN wins, as in PyTorch. Padding never wins, and
// needs no copy of the image.

#include <algorithm>
#include <limits>
#include "op.h"

namespace pathlab {

namespace {

// What values are compared and added as.
template <typename T>
struct Wide {
  using type = float;
  static float Of(T value) { return ToFloat(value); }
  static T To(float value) { return FromFloat<T>(value); }
};
template <>
struct Wide<double> {
  using type = double;
  static double Of(double value) { return value; }
  static double To(double value) { return value; }
};

struct Window {
  explicit Window(const Construction &construction)
      : size(construction.Int("size")), stride(construction.Int("stride")), padding(construction.Int("padding")) {
    // A place in a window is kept as a byte.
    Require(size >= 1 && size <= 15 && stride >= 1 && padding >= 0 && padding < size,
            "a window of " + std::to_string(size) + " px with padding " + std::to_string(padding) + " and stride " +
                std::to_string(stride) + " is not one of 1 to 15 px with less padding than that");
  }
  int64_t Places(int64_t input) const { return (input + 2 * padding - size) / stride + 1; }
  // Pixels of a window that lie on the image, counted from the window's first.
  int64_t First(int64_t place) const { return std::max<int64_t>(0, padding - place * stride); }
  int64_t End(int64_t place, int64_t input) const { return std::min(size, input + padding - place * stride); }

  const int64_t size, stride, padding;
};

// x: [batch, height, width, channels]; rows and columns: only their lengths count. Gives y and, for each of its values,
// the place in its window that it came from, row by row.
template <typename T>
class MaxPool {
  using Number = typename Wide<T>::type;

 public:
  explicit MaxPool(const Construction &construction) : window_(construction) {}

  void Compute(Context &context) {
    const Tensor x = context.Input(0);
    Require(x.rank() == 4, "x is [batch, height, width, channels]; got " + x.Describe());
    const int64_t height = x.size(1), width = x.size(2), channels = x.size(3);
    const int64_t rows = context.Input(1).elements(), columns = context.Input(2).elements();
    Require(rows == window_.Places(height) && columns == window_.Places(width) && rows > 0 && columns > 0,
            "an image " + x.Describe() + " has not " + std::to_string(rows) + " x " + std::to_string(columns) + " windows");
    const Shape shape = {x.size(0), rows, columns, channels};
    const Tensor y = context.Output<T>(0, shape);
    const Tensor places = context.Output<uint8_t>(1, shape);
    context.Parallel(x.size(0) * rows, [&](int64_t line) {
      const int64_t row = line % rows;
      const T *image = x.data<T>() + (line / rows) * height * width * channels;
      std::vector<Number> best(channels);
      for (int64_t column = 0; column < columns; column++) {
        uint8_t *place = places.data<uint8_t>() + (line * columns + column) * channels;
        std::fill(best.begin(), best.end(), -std::numeric_limits<Number>::infinity());
        const int64_t first = window_.First(row) * window_.size + window_.First(column);
        std::fill(place, place + channels, static_cast<uint8_t>(first));
        for (int64_t down = window_.First(row); down < window_.End(row, height); down++) {
          for (int64_t across = window_.First(column); across < window_.End(column, width); across++) {
            const int64_t at = (row * window_.stride - window_.padding + down) * width +
                               (column * window_.stride - window_.padding + across);
            const T *values = image + at * channels;
            const uint8_t here = static_cast<uint8_t>(down * window_.size + across);
            Number *own = best.data();
#pragma omp simd
            for (int64_t channel = 0; channel < channels; channel++) {
              const Number value = Wide<T>::Of(values[channel]);
              // A NaN is not equal to itself; once it has won, nothing is above it.
              const bool wins = value > own[channel] || value != value;
              own[channel] = wins ? value : own[channel];
              place[channel] = wins ? here : place[channel];
            }
          }
        }
        T *out = y.data<T>() + (line * columns + column) * channels;
        for (int64_t channel = 0; channel < channels; channel++) out[channel] = Wide<T>::To(best[channel]);
      }
    });
  }

 private:
  const Window window_;
};

// dy and places, [batch, rows, columns, channels], and x for its shape: each value of dy goes to where its maximum was.
template <typename T>
class MaxPoolGrad {
  using Number = typename Wide<T>::type;

 public:
  explicit MaxPoolGrad(const Construction &construction) : window_(construction) {}

  void Compute(Context &context) {
    const Tensor dy = context.Input(0), places = context.Input(1), x = context.Input(2);
    Require(dy.rank() == 4 && dy.shape() == places.shape() && x.rank() == 4 && x.size(3) == dy.size(3),
            "dy is " + dy.Describe() + ", the places are " + places.Describe() + ", and x is " + x.Describe());
    const int64_t height = x.size(1), width = x.size(2), channels = x.size(3);
    const int64_t rows = dy.size(1), columns = dy.size(2);
    const Tensor dx = context.Output<T>(0, x.shape());
    // A row of the image gathers from the windows over it, so that no two threads write to one place.
    context.Parallel(x.size(0) * height, [&](int64_t line) {
      const int64_t image = line / height, pixel_row = line % height + window_.padding;
      std::vector<Number> sums(width * channels);
      const int64_t first_row = std::max<int64_t>(0, (pixel_row - window_.size) / window_.stride);
      for (int64_t row = first_row; row < rows && row * window_.stride <= pixel_row; row++) {
        const int64_t down = pixel_row - row * window_.stride;
        if (down >= window_.size) continue;
        for (int64_t column = 0; column < columns; column++) {
          const int64_t at = ((image * rows + row) * columns + column) * channels;
          const T *slopes = dy.data<T>() + at;
          const uint8_t *place = places.data<uint8_t>() + at;
          for (int64_t across = window_.First(column); across < window_.End(column, width); across++) {
            const uint8_t here = static_cast<uint8_t>(down * window_.size + across);
            Number *own = sums.data() + (column * window_.stride - window_.padding + across) * channels;
#pragma omp simd
            for (int64_t channel = 0; channel < channels; channel++) {
              own[channel] += place[channel] == here ? Wide<T>::Of(slopes[channel]) : 0;
            }
          }
        }
      }
      T *out = dx.data<T>() + line * width * channels;
      for (int64_t value = 0; value < width * channels; value++) out[value] = Wide<T>::To(sums[value]);
    });
  }

 private:
  const Window window_;
};

const bool registered =
    Register({"PathlabMaxPool",
              {"T: {float, bfloat16, double}", "size: int", "stride: int", "padding: int"},
              {"x: T", "rows: T", "columns: T"},
              {"y: T", "places: uint8"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.RequireRankAtLeast(0, 4);
                if (shapes.failed()) return;
                const auto windows = shapes.Joined(shapes.Axes(1), shapes.Axes(2));
                const auto shape = shapes.Joined(shapes.Joined(shapes.Axes(0, 0, 1), windows), shapes.Axes(0, 3, 4));
                shapes.SetOutput(0, shape);
                shapes.SetOutput(1, shape);
              }}) &&
    RegisterKernels<MaxPool>("PathlabMaxPool") && RegisterKernel<MaxPool<double>, double>("PathlabMaxPool") &&
    Register({"PathlabMaxPoolGrad",
              {"T: {float, bfloat16, double}", "size: int", "stride: int", "padding: int"},
              {"dy: T", "places: uint8", "x: T"},
              {"dx: T"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.SetOutput(0, shapes.Axes(2));
              }}) &&
    RegisterKernels<MaxPoolGrad>("PathlabMaxPoolGrad") &&
    RegisterKernel<MaxPoolGrad<double>, double>("PathlabMaxPoolGrad");

}  // namespace
}  // namespace pathlab
