// Crops of images, flipped or not, resized to a square by a triangle or a cubic filter with antialiasing: the same
// weights as Pillow's and PyTorch's (upsample_bilinear2d_aa, upsample_bicubic2d_aa). An output pixel depends on a few
// input pixels along each axis, and only those are read; the matrix products that TensorFlow's own ops need for it go
// through all.

#include <algorithm>
#include <cmath>
#include "op.h"

namespace pathlab {

namespace {

constexpr int64_t kChannels = 3;
// Values of a pixel in the intermediate rows. The fourth is not used: it makes a pixel one load of four floats.
constexpr int64_t kStride = 4;

// Which input pixels an output pixel is the mean of, and their weights.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

// The weight at a distance from the center, in steps of the output or, where that is enlarged, of the input.
float Triangle(float distance) { return std::max(0.0f, 1 - distance); }

// Keys' (1981) with a = -.5.
float Cubic(float distance) {
  if (distance < 1) return (1.5f * distance - 2.5f) * distance * distance + 1;
  return distance < 2 ? ((-0.5f * distance + 2.5f) * distance - 4) * distance + 2 : 0;
}

// `crop`: start px, length px, 1 if flipped.
std::vector<Taps> TapsOf(const float *crop, int64_t input, int64_t output, bool cubic) {
  const float start = crop[0], length = crop[1];
  const bool flipped = crop[2] != 0;
  Require(start >= 0 && length >= 1 && start + length <= input && start == std::floor(start),
          "a crop of " + std::to_string(length) + " px from " + std::to_string(start) + " leaves an image of " +
              std::to_string(input) + " px");
  const float scale = length / output;
  const float step = std::max(scale, 1.0f), support = cubic ? 2 * step : step;
  std::vector<Taps> taps(output);
  for (int64_t place = 0; place < output; place++) {
    const float center = ((flipped ? output - 1 - place : place) + 0.5f) * scale;
    Taps &own = taps[place];
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(std::floor(center - support - 0.5f)));
    const int64_t last = std::min<int64_t>(static_cast<int64_t>(length) - 1, static_cast<int64_t>(std::ceil(center + support)));
    float sum = 0;
    own.first = -1;
    for (int64_t pixel = first; pixel <= last; pixel++) {
      const float distance = std::abs(pixel + 0.5f - center) / step;
      const float weight = cubic ? Cubic(distance) : Triangle(distance);
      if (own.first < 0) {
        if (weight == 0) continue;
        own.first = static_cast<int64_t>(start) + pixel;
      }
      own.weights.push_back(weight);
      sum += weight;
    }
    for (float &weight : own.weights) weight /= sum;
  }
  return taps;
}

template <typename T>
void OneView(const T *image, int64_t width, const std::vector<Taps> &rows, const std::vector<Taps> &columns,
             int64_t left, int64_t right, float scale, bool cubic, float *view) {
  const int64_t values = (right - left) * kChannels;
  std::vector<float> sums(values), padded((right - left) * kStride + kStride);
  for (const Taps &row : rows) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (size_t tap = 0; tap < row.weights.size(); tap++) {
      const T *source = image + ((row.first + tap) * width + left) * kChannels;
      const float weight = row.weights[tap] * scale;
      float *sum = sums.data();
#pragma omp simd
      for (int64_t value = 0; value < values; value++) sum[value] += weight * static_cast<float>(source[value]);
    }
    for (int64_t pixel = 0; pixel < right - left; pixel++) {
      for (int64_t channel = 0; channel < kChannels; channel++) {
        padded[pixel * kStride + channel] = sums[pixel * kChannels + channel];
      }
    }
    for (const Taps &column : columns) {
      float mean[kStride] = {0, 0, 0, 0};
      const float *source = padded.data() + (column.first - left) * kStride;
      for (const float weight : column.weights) {
#pragma omp simd
        for (int64_t channel = 0; channel < kStride; channel++) mean[channel] += weight * source[channel];
        source += kStride;
      }
      // A cubic filter overshoots at edges.
      for (int64_t channel = 0; channel < kChannels; channel++) {
        *view++ = cubic ? std::min(1.0f, std::max(0.0f, mean[channel])) : mean[channel];
      }
    }
  }
}

// images: [batch, height, width, 3]; crop_rows and crop_columns: [views, 3], of a multiple of the batch, several views
// of the first image, of the second, and so on; places: [size], only its length counts. Gives float
// [views, size, size, 3], the values times `scale`.
template <typename T>
class ResizedCrop {
 public:
  explicit ResizedCrop(const Construction &construction)
      : scale_(construction.Float("scale")), cubic_(construction.Bool("cubic")) {}

  void Compute(Context &context) {
    const Tensor images = context.Input(0), crop_rows = context.Input(1), crop_columns = context.Input(2);
    const int64_t size = context.Input(3).elements();
    Require(images.rank() == 4 && images.size(3) == kChannels, "images are [batch, height, width, 3]; got " + images.Describe());
    const int64_t batch = images.size(0), height = images.size(1), width = images.size(2);
    Require(crop_rows.rank() == 2 && crop_rows.size(1) == 3 && crop_rows.shape() == crop_columns.shape(),
            "crops are [views, 3]; got " + crop_rows.Describe() + " and " + crop_columns.Describe());
    const int64_t views = crop_rows.size(0);
    Require(batch > 0 && views % batch == 0,
            std::to_string(views) + " views are not a multiple of " + std::to_string(batch) + " images");
    // Checked before the work begins: an exception must not leave a thread of TensorFlow's.
    std::vector<std::vector<Taps>> rows(views), columns(views);
    for (int64_t view = 0; view < views; view++) {
      rows[view] = TapsOf(crop_rows.data<float>() + 3 * view, height, size, cubic_);
      columns[view] = TapsOf(crop_columns.data<float>() + 3 * view, width, size, cubic_);
    }
    const Tensor output = context.Output<float>(0, {views, size, size, kChannels});
    context.Parallel(views, [&](int64_t view) {
      const float *crop = crop_columns.data<float>() + 3 * view;
      const int64_t left = static_cast<int64_t>(crop[0]), right = left + static_cast<int64_t>(crop[1]);
      const T *image = images.data<T>() + (view / (views / batch)) * height * width * kChannels;
      OneView(image, width, rows[view], columns[view], left, right, scale_, cubic_,
              output.data<float>() + view * size * size * kChannels);
    });
  }

 private:
  const float scale_;
  const bool cubic_;
};

const bool registered =
    Register({"PathlabResizedCrop",
              {"T: {uint8, float}", "scale: float", "cubic: bool"},
              {"images: T", "crop_rows: float", "crop_columns: float", "places: float"},
              {"views: float"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.RequireRankAtLeast(0, 4);
                shapes.RequireRankAtLeast(1, 2);
                if (shapes.failed()) return;
                const auto square = shapes.Joined(shapes.Axes(3), shapes.Axes(3));
                shapes.SetOutput(0, shapes.Joined(shapes.Joined(shapes.Axes(1, 0, 1), square), shapes.Axes(0, 3, 4)));
              }}) &&
    RegisterKernel<ResizedCrop<uint8_t>, uint8_t>("PathlabResizedCrop") &&
    RegisterKernel<ResizedCrop<float>, float>("PathlabResizedCrop");

}  // namespace
}  // namespace pathlab
