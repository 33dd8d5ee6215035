// Color jitter and grayscale of views in one pass over memory per view: every part of it works on a view that stays in
// the processor's cache, and what a view does not get is not computed.

#include <algorithm>
#include <cmath>
#include "op.h"

namespace pathlab {
namespace {

constexpr int64_t kChannels = 3;
// Of red, green and blue in an image's grayscale (ITU-R 601-2 luma), as torchvision has them.
constexpr float kLuma[kChannels] = {0.2989f, 0.587f, 0.114f};
// Sums of so many values lose nothing that counts in float32.
constexpr int64_t kPixelsPerSum = 256;

inline float Clip(float x) { return std::min(std::max(x, 0.0f), 1.0f); }

inline float Gray(float red, float green, float blue) {
  return kLuma[0] * red + kLuma[1] * green + kLuma[2] * blue;
}

// A view, color by color.
struct Planes {
  float *red, *green, *blue;
  int64_t pixels;
};

float MeanGray(const Planes &view) {
  const float *red = view.red, *green = view.green, *blue = view.blue;
  double sum = 0;
  for (int64_t first = 0; first < view.pixels; first += kPixelsPerSum) {
    const int64_t end = std::min(first + kPixelsPerSum, view.pixels);
    float part = 0;
#pragma omp simd reduction(+ : part)
    for (int64_t pixel = first; pixel < end; pixel++) part += Gray(red[pixel], green[pixel], blue[pixel]);
    sum += part;
  }
  return static_cast<float>(sum / view.pixels);
}

// `weights`: of the image, of its grayscale, of the mean of its grayscale.
void ApplyBlend(const Planes &view, const float *weights) {
  const float of_image = weights[0], of_gray = weights[1];
  if (of_image == 1 && of_gray == 0 && weights[2] == 0) return;
  const float offset = weights[2] == 0 ? 0 : weights[2] * MeanGray(view);
  float *red = view.red, *green = view.green, *blue = view.blue;
#pragma omp simd
  for (int64_t pixel = 0; pixel < view.pixels; pixel++) {
    const float added = of_gray * Gray(red[pixel], green[pixel], blue[pixel]) + offset;
    red[pixel] = Clip(of_image * red[pixel] + added);
    green[pixel] = Clip(of_image * green[pixel] + added);
    blue[pixel] = Clip(of_image * blue[pixel] + added);
  }
}

// Turns the hue of each pixel; see shiftHue in src/augment/color.ts, which this equals.
void ShiftHue(const Planes &view, float shift) {
  if (shift == 0) return;
  float *reds = view.red, *greens = view.green, *blues = view.blue;
#pragma omp simd
  for (int64_t pixel = 0; pixel < view.pixels; pixel++) {
    const float red = reds[pixel], green = greens[pixel], blue = blues[pixel];
    const float largest = std::max(std::max(red, green), blue);
    const float smallest = std::min(std::min(red, green), blue);
    const float chroma = largest - smallest;
    // Of a gray pixel every difference below is 0, and so is its chroma: any hue will do.
    const float share = 1 / std::max(6 * chroma, 1e-12f);
    const float from_red = (green - blue) * share;
    const float from_green = (blue - red) * share + 1.0f / 3;
    const float from_blue = (red - green) * share + 2.0f / 3;
    const float turned = (red == largest ? from_red : green == largest ? from_green : from_blue) + shift;
    const float hue = 6 * (turned - std::floor(turned));
    reds[pixel] = Clip(std::fabs(hue - 3) - 1) * chroma + smallest;
    greens[pixel] = Clip(2 - std::fabs(hue - 2)) * chroma + smallest;
    blues[pixel] = Clip(2 - std::fabs(hue - 4)) * chroma + smallest;
  }
}

// views: [views, height, width, 3]; blends: [views, slots, 3], weights of the view, of its grayscale and of the mean of
// that; hue_shift: [views], turns, done after the first `hue_at` blends. Every blend is clipped to 0..1.
class Recolor {
 public:
  explicit Recolor(const Construction &construction) : hue_at_(construction.Int("hue_at")) {}

  void Compute(Context &context) {
    const Tensor views = context.Input(0), blends = context.Input(1), hue_shift = context.Input(2);
    Require(views.rank() == 4 && views.size(3) == kChannels, "views are [views, height, width, 3]; got " + views.Describe());
    const int64_t count = views.size(0), pixels = views.size(1) * views.size(2);
    Require(blends.rank() == 3 && blends.size(0) == count && blends.size(2) == 3,
            "blends are [" + std::to_string(count) + ",slots,3]; got " + blends.Describe());
    Require(hue_shift.rank() == 1 && hue_shift.size(0) == count,
            "hue shifts are [" + std::to_string(count) + "]; got " + hue_shift.Describe());
    const int64_t slots = blends.size(1);
    Require(0 <= hue_at_ && hue_at_ <= slots,
            "the hue is shifted after " + std::to_string(hue_at_) + " of " + std::to_string(slots) + " blends");
    const Tensor output = context.Output<float>(0, views.shape());
    context.Parallel(count, [&](int64_t place) {
      const float *view = views.data<float>() + place * pixels * kChannels;
      const float *weights = blends.data<float>() + place * slots * 3;
      float *recolored = output.data<float>() + place * pixels * kChannels;
      const std::unique_ptr<float[]> values(new float[kChannels * pixels]);
      const Planes planes{values.get(), values.get() + pixels, values.get() + 2 * pixels, pixels};
      float *red = planes.red, *green = planes.green, *blue = planes.blue;
#pragma omp simd
      for (int64_t pixel = 0; pixel < pixels; pixel++) {
        red[pixel] = view[kChannels * pixel];
        green[pixel] = view[kChannels * pixel + 1];
        blue[pixel] = view[kChannels * pixel + 2];
      }
      for (int64_t slot = 0; slot < hue_at_; slot++) ApplyBlend(planes, weights + 3 * slot);
      ShiftHue(planes, hue_shift.data<float>()[place]);
      for (int64_t slot = hue_at_; slot < slots; slot++) ApplyBlend(planes, weights + 3 * slot);
#pragma omp simd
      for (int64_t pixel = 0; pixel < pixels; pixel++) {
        recolored[kChannels * pixel] = red[pixel];
        recolored[kChannels * pixel + 1] = green[pixel];
        recolored[kChannels * pixel + 2] = blue[pixel];
      }
    });
  }

 private:
  const int64_t hue_at_;
};

const bool registered = Register({"PathlabRecolor",
                                  {"hue_at: int"},
                                  {"views: float", "blends: float", "hue_shift: float"},
                                  {"recolored: float"},
                                  [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                                    const ShapeContext shapes(raw, status);
                                    shapes.SetOutput(0, shapes.Axes(0));
                                  }}) &&
                        RegisterKernel<Recolor>("PathlabRecolor");

}  // namespace
}  // namespace pathlab
