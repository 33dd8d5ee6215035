// The few loops over pixels that reading slides spends its time in, as plain C functions. They trust their arguments:
// src/slides/reader/pixels.ts checks sizes before it calls.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

// On x86-64 the loops are compiled twice and chosen by the processor: AVX2 doubles their speed.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FAST __attribute__((target_clones("avx2", "default")))
#else
#define FAST
#endif

namespace {

// Weights are whole numbers of 2^-22, as Pillow's are: sums of 8-bit values times weights fit in 32 bits.
constexpr int kPrecision = 22;
constexpr double kLobes = 3.0;

double Sinc(double x) { return x == 0.0 ? 1.0 : std::sin(M_PI * x) / (M_PI * x); }

double Lanczos(double x) { return x > -kLobes && x < kLobes ? Sinc(x) * Sinc(x / kLobes) : 0.0; }

// For each output pixel: the first input pixel it looks at, how many, and their weights.
struct Weights {
  std::vector<int> first, count, weight;
  int most;
};

// The interval [from, to) of `in` pixels brought to `out` pixels. Pixels beyond the interval are looked at where the
// kernel reaches them; the kernel widens when it shrinks.
Weights MakeWeights(int in, double from, double to, int out) {
  const double scale = (to - from) / out;
  const double widening = scale > 1.0 ? scale : 1.0;
  const double support = kLobes * widening;
  Weights result;
  result.most = static_cast<int>(std::ceil(support)) * 2 + 1;
  result.first.resize(out);
  result.count.resize(out);
  result.weight.assign(static_cast<size_t>(out) * result.most, 0);
  std::vector<double> exact(result.most);
  for (int place = 0; place < out; place++) {
    const double center = from + (place + 0.5) * scale;
    int first = static_cast<int>(center - support + 0.5);
    if (first < 0) first = 0;
    int last = static_cast<int>(center + support + 0.5);
    if (last > in) last = in;
    double sum = 0.0;
    for (int at = first; at < last; at++) {
      exact[at - first] = Lanczos((at - center + 0.5) / widening);
      sum += exact[at - first];
    }
    for (int at = 0; at < last - first; at++) {
      const double weight = exact[at] / sum * (1 << kPrecision);
      result.weight[static_cast<size_t>(place) * result.most + at] = static_cast<int>(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    result.first[place] = first;
    result.count[place] = last - first;
  }
  return result;
}

inline uint8_t Byte(int sum) {
  const int value = sum >> kPrecision;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// Two pixels side by side, and two lanes that count nothing.
typedef int Lanes __attribute__((vector_size(32)));
constexpr int kLanes = 8;

// Weights for two neighboring pixels at a time, each weight three times.
std::vector<int> InPairs(const Weights& weights, int out, int pairs) {
  std::vector<int> result(static_cast<size_t>(out) * pairs * kLanes, 0);
  for (int place = 0; place < out; place++) {
    for (int at = 0; at < weights.count[place]; at++) {
      int* lanes = &result[(static_cast<size_t>(place) * pairs + at / 2) * kLanes + 3 * (at % 2)];
      lanes[0] = lanes[1] = lanes[2] = weights.weight[static_cast<size_t>(place) * weights.most + at];
    }
  }
  return result;
}

FAST void Widen(const uint8_t* source, int* target, int count) {
  for (int at = 0; at < count; at++) target[at] = source[at];
}

// `source` may be read up to eight values beyond its last pixel.
FAST void AlongRow(const int* source, uint8_t* target, const Weights& weights, const int* lanes, int pairs, int out) {
  constexpr int kHalf = 1 << (kPrecision - 1);
  for (int place = 0; place < out; place++, lanes += pairs * kLanes) {
    const int* pixel = source + 3 * weights.first[place];
    const int steps = (weights.count[place] + 1) / 2;
    Lanes sum = {kHalf, kHalf, kHalf, 0, 0, 0, 0, 0};
    for (int at = 0; at < steps; at++) {
      Lanes two, weight;
      std::memcpy(&two, pixel + 6 * at, sizeof two);
      std::memcpy(&weight, lanes + kLanes * at, sizeof weight);
      sum += two * weight;
    }
    target[3 * place] = Byte(sum[0] + sum[3]);
    target[3 * place + 1] = Byte(sum[1] + sum[4]);
    target[3 * place + 2] = Byte(sum[2] + sum[5]);
  }
}

FAST void AcrossRows(const uint8_t* source, size_t stride, uint8_t* target, const int* weight, int count, int bytes) {
  constexpr int kBlock = 256;
  int sums[kBlock];
  for (int begin = 0; begin < bytes; begin += kBlock) {
    const int length = bytes - begin < kBlock ? bytes - begin : kBlock;
    for (int at = 0; at < length; at++) sums[at] = 1 << (kPrecision - 1);
    for (int row = 0; row < count; row++) {
      const uint8_t* from = source + row * stride + begin;
      const int factor = weight[row];
      for (int at = 0; at < length; at++) sums[at] += from[at] * factor;
    }
    for (int at = 0; at < length; at++) target[begin + at] = Byte(sums[at]);
  }
}

}  // namespace

// Brings the rectangle (left, top) to (right, bottom) of an RGB image to another size by Lanczos' kernel of three
// lobes; the rectangle's edges may lie within pixels. The same values as Pillow's resize(size, LANCZOS, box).
EXPORT void pathlab_resample(const uint8_t* source, int width, int height, double left, double top, double right,
                             double bottom, uint8_t* target, int target_width, int target_height) {
  const bool across = target_width != width || left != 0.0 || right != width;
  const bool down = target_height != height || top != 0.0 || bottom != height;
  const size_t out_row = static_cast<size_t>(target_width) * 3;
  if (!across && !down) {
    std::memcpy(target, source, out_row * target_height);
    return;
  }
  const Weights vertical = MakeWeights(height, top, bottom, target_height);
  // Only the rows that the vertical pass looks at.
  const int first = down ? vertical.first[0] : 0;
  const int last = down ? vertical.first[target_height - 1] + vertical.count[target_height - 1] : height;
  const uint8_t* rows = source + static_cast<size_t>(first) * width * 3;
  std::vector<uint8_t> middle;
  if (across) {
    const Weights horizontal = MakeWeights(width, left, right, target_width);
    if (down) middle.resize(out_row * (last - first));
    uint8_t* to = down ? middle.data() : target;
    const int pairs = (horizontal.most + 1) / 2;
    const std::vector<int> lanes = InPairs(horizontal, target_width, pairs);
    const size_t in_row = static_cast<size_t>(width) * 3;
    std::vector<int> wide(in_row + kLanes, 0);
    for (int row = first; row < last; row++) {
      Widen(source + in_row * row, wide.data(), static_cast<int>(in_row));
      AlongRow(wide.data(), to + out_row * (row - first), horizontal, lanes.data(), pairs, target_width);
    }
    rows = to;
  }
  if (!down) return;
  for (int row = 0; row < target_height; row++) {
    AcrossRows(rows + out_row * (vertical.first[row] - first), out_row, target + out_row * row,
               &vertical.weight[static_cast<size_t>(row) * vertical.most], vertical.count[row], static_cast<int>(out_row));
  }
}

// The mean of each full block of `factor` x `factor` pixels, rounded: [height / factor, width / factor, 3].
EXPORT void pathlab_shrink(const uint8_t* source, int width, int height, int factor, uint8_t* target) {
  const int columns = width / factor;
  const int rows = height / factor;
  std::vector<uint32_t> sums(static_cast<size_t>(columns) * 3);
  const uint32_t area = static_cast<uint32_t>(factor) * factor;
  for (int row = 0; row < rows; row++) {
    std::fill(sums.begin(), sums.end(), area / 2);
    for (int line = 0; line < factor; line++) {
      const uint8_t* from = source + (static_cast<size_t>(row) * factor + line) * width * 3;
      for (int column = 0; column < columns; column++) {
        for (int at = 0; at < factor; at++, from += 3) {
          sums[3 * column] += from[0];
          sums[3 * column + 1] += from[1];
          sums[3 * column + 2] += from[2];
        }
      }
    }
    for (int at = 0; at < 3 * columns; at++) *target++ = static_cast<uint8_t>(sums[at] / area);
  }
}

// OpenSlide's premultiplied BGRA over a background, as RGB.
EXPORT void pathlab_over_background(const uint8_t* bgra, int64_t pixels, int red, int green, int blue, uint8_t* rgb) {
  for (int64_t pixel = 0; pixel < pixels; pixel++, bgra += 4, rgb += 3) {
    const int open = 255 - bgra[3];
    rgb[0] = bgra[2];
    rgb[1] = bgra[1];
    rgb[2] = bgra[0];
    if (open == 0) continue;
    // A damaged file may hold colors brighter than their own alpha.
    const int over[3] = {rgb[0] + (open * red + 127) / 255, rgb[1] + (open * green + 127) / 255,
                         rgb[2] + (open * blue + 127) / 255};
    for (int channel = 0; channel < 3; channel++) rgb[channel] = static_cast<uint8_t>(over[channel] > 255 ? 255 : over[channel]);
  }
}

// Copies a rectangle of RGB pixels between two images whose rows are `stride` bytes apart.
EXPORT void pathlab_copy(const uint8_t* source, int64_t source_offset, int64_t source_stride, uint8_t* target,
                         int64_t target_offset, int64_t target_stride, int width, int height) {
  for (int row = 0; row < height; row++) {
    std::memcpy(target + target_offset + row * target_stride, source + source_offset + row * source_stride,
                static_cast<size_t>(width) * 3);
  }
}
