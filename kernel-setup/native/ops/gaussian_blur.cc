// Gaussian blur of images, each with a sigma of its own, along one axis and then the other. The matrix products that
// TensorFlow's own ops need for it go through all pixels of a line for each; this through those that the kernel reaches.

#include <algorithm>
#include <cmath>
#include <cstring>
#include "op.h"

namespace pathlab {
namespace {

// Weights below this share of the middle one change no float32 sum.
constexpr float kNegligible = 1e-9f;

// Of the middle pixel, and of the pixels that are so far from it on either side.
std::vector<float> WeightsOf(float sigma, int64_t reach) {
  std::vector<float> weights(1, 1.0f);
  double sum = 1;
  for (int64_t offset = 1; offset <= reach; offset++) {
    const double weight = std::exp(-0.5 * (offset / sigma) * (offset / sigma));
    if (weight < kNegligible) break;
    weights.push_back(static_cast<float>(weight));
    sum += 2 * weight;
  }
  for (float &weight : weights) weight = static_cast<float>(weight / sum);
  return weights;
}

// A place beyond the border is mirrored; the border's own pixel is not repeated.
inline int64_t Mirrored(int64_t place, int64_t size) {
  return place < 0 ? -place : place >= size ? 2 * (size - 1) - place : place;
}

// The weighted sum of a middle line, before[0], and of those that lie before and after it, value by value.
void BlurLine(const std::vector<float> &weights, const float *const *before, const float *const *after, int64_t values,
              float *blurred) {
  const float *middle = before[0];
  const float own = weights[0];
#pragma omp simd
  for (int64_t i = 0; i < values; i++) blurred[i] = own * middle[i];
  for (size_t offset = 1; offset < weights.size(); offset++) {
    const float weight = weights[offset];
    const float *one = before[offset], *other = after[offset];
#pragma omp simd
    for (int64_t i = 0; i < values; i++) blurred[i] += weight * (one[i] + other[i]);
  }
}

// images: [batch, height, width, channels] in 0..1; sigma: [batch], px, 0 where an image stays as it is.
class GaussianBlur {
 public:
  explicit GaussianBlur(const Construction &construction) : reach_((construction.Int("kernel_size") - 1) / 2) {}

  void Compute(Context &context) {
    const Tensor images = context.Input(0), sigma = context.Input(1);
    Require(images.rank() == 4, "images are [batch, height, width, channels]; got " + images.Describe());
    const int64_t batch = images.size(0), height = images.size(1), width = images.size(2), channels = images.size(3);
    Require(sigma.rank() == 1 && sigma.size(0) == batch,
            "sigma is [" + std::to_string(batch) + "]; got " + sigma.Describe());
    Require(reach_ < std::min(height, width), "the kernel reaches " + std::to_string(reach_) + " px, and images are " +
                                                  images.Describe());
    const Tensor output = context.Output<float>(0, images.shape());
    const int64_t values = width * channels;
    context.Parallel(batch, [&](int64_t place) {
      const float *image = images.data<float>() + place * height * values;
      float *blurred = output.data<float>() + place * height * values;
      const float own_sigma = sigma.data<float>()[place];
      if (own_sigma == 0) {
        std::memcpy(blurred, image, height * values * sizeof(float));
        return;
      }
      const std::vector<float> weights = WeightsOf(own_sigma, reach_);
      const int64_t reach = static_cast<int64_t>(weights.size()) - 1;
      std::vector<const float *> before(reach + 1), after(reach + 1);
      // Each line with its mirrored pixels around it.
      std::vector<float> line((width + 2 * reach) * channels);
      const std::unique_ptr<float[]> rows(new float[height * values]);
      for (int64_t offset = 0; offset <= reach; offset++) {
        before[offset] = line.data() + (reach - offset) * channels;
        after[offset] = line.data() + (reach + offset) * channels;
      }
      for (int64_t row = 0; row < height; row++) {
        const float *source = image + row * values;
        std::memcpy(line.data() + reach * channels, source, values * sizeof(float));
        for (int64_t offset = 1; offset <= reach; offset++) {
          const float *first = source + Mirrored(-offset, width) * channels;
          const float *last = source + Mirrored(width - 1 + offset, width) * channels;
          std::copy(first, first + channels, line.data() + (reach - offset) * channels);
          std::copy(last, last + channels, line.data() + (reach + width - 1 + offset) * channels);
        }
        BlurLine(weights, before.data(), after.data(), values, rows.get() + row * values);
      }
      for (int64_t row = 0; row < height; row++) {
        for (int64_t offset = 0; offset <= reach; offset++) {
          before[offset] = rows.get() + Mirrored(row - offset, height) * values;
          after[offset] = rows.get() + Mirrored(row + offset, height) * values;
        }
        BlurLine(weights, before.data(), after.data(), values, blurred + row * values);
      }
    });
  }

 private:
  const int64_t reach_;
};

const bool registered = Register({"PathlabGaussianBlur",
                                  {"kernel_size: int"},
                                  {"images: float", "sigma: float"},
                                  {"blurred: float"},
                                  [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                                    const ShapeContext shapes(raw, status);
                                    shapes.SetOutput(0, shapes.Axes(0));
                                  }}) &&
                        RegisterKernel<GaussianBlur>("PathlabGaussianBlur");

}  // namespace
}  // namespace pathlab
