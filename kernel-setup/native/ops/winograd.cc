// Convolutions of 3x3 places, stride 1 and as many zeros around the images as keep their size, with a quarter of the
// multiplications (Lavin and Gray, 2016; arXiv 1509.09308): F(4x4, 3x3), so 36 products for 16 outputs. Inputs and kernels
// are taken to values of polynomials at 6 points, multiplied there, and taken back. With the paper's points 0, 1, -1, 2, -2
// and infinity, rounding errors are three times as large as with those used here (cf. Barabasz et al., 2020; arXiv
// 1803.10986). Every block of tiles is one piece of work, so the bits do not depend on the threads.

#include <algorithm>
#include <cmath>
#include <cstring>
#include "multiply.h"
#include "op.h"

namespace pathlab {
namespace {

// Px of a tile's side, and of the side of what it is computed from.
constexpr int64_t kTile = 4, kPatch = 6, kProducts = kPatch * kPatch;
// Output channels that Multiply takes at once.
constexpr int64_t kPanel = kVectors * kLanes;
// A multiple of the rows that Multiply takes at once.
constexpr int64_t kTilesPerBlock = 24;
constexpr int64_t kPanelsPerPiece = 128 / kPanel;
// Between matrices, lest all of them begin in the same few places of the cache.
constexpr int64_t kGap = 16;

// The points are 0, +-a, +-b and infinity.
constexpr float a = 0.75f, b = 1.5f, a2 = a * a, b2 = b * b;

struct OfInput {
  static constexpr int from = kPatch, to = kPatch;
  static void Line(const Vector *x, Vector *y, int step) {
    const Vector x1 = x[step], x2 = x[2 * step], x3 = x[3 * step], x4 = x[4 * step];
    const Vector even_a = x4 - b2 * x2, odd_a = a * (x3 - b2 * x1), even_b = x4 - a2 * x2, odd_b = b * (x3 - a2 * x1);
    y[0] = a2 * b2 * x[0] - (a2 + b2) * x2 + x4;
    y[step] = even_a + odd_a;
    y[2 * step] = even_a - odd_a;
    y[3 * step] = even_b + odd_b;
    y[4 * step] = even_b - odd_b;
    y[5 * step] = a2 * b2 * x1 - (a2 + b2) * x3 + x[5 * step];
  }
};

struct OfWeight {
  static constexpr int from = 3, to = kPatch;
  static void Line(const Vector *x, Vector *y, int step) {
    constexpr float at_a = 1 / (2 * a2 * (a2 - b2)), at_b = 1 / (2 * b2 * (b2 - a2));
    const Vector even_a = at_a * (x[0] + a2 * x[2 * step]), odd_a = at_a * a * x[step];
    const Vector even_b = at_b * (x[0] + b2 * x[2 * step]), odd_b = at_b * b * x[step];
    const Vector last = x[2 * step];
    y[0] = 1 / (a2 * b2) * x[0];
    y[step] = even_a + odd_a;
    y[2 * step] = even_a - odd_a;
    y[3 * step] = even_b + odd_b;
    y[4 * step] = even_b - odd_b;
    y[5 * step] = last;
  }
};

struct ToOutput {
  static constexpr int from = kPatch, to = kTile;
  static void Line(const Vector *x, Vector *y, int step) {
    const Vector even_a = x[step] + x[2 * step], odd_a = x[step] - x[2 * step];
    const Vector even_b = x[3 * step] + x[4 * step], odd_b = x[3 * step] - x[4 * step];
    y[0] = x[0] + even_a + even_b;
    y[step] = a * odd_a + b * odd_b;
    y[2 * step] = a2 * even_a + b2 * even_b;
    y[3 * step] = a2 * a * odd_a + b2 * b * odd_b + x[5 * step];
  }
};

// Along columns and then along rows, in rows of kPatch.
template <typename Transform>
inline void TransformSquare(const Vector *x, Vector *y) {
  Vector half[kProducts];
#pragma GCC unroll 6
  for (int column = 0; column < Transform::from; column++) Transform::Line(x + column, half + column, kPatch);
#pragma GCC unroll 6
  for (int row = 0; row < Transform::to; row++) Transform::Line(half + row * kPatch, y + row * kPatch, 1);
}

// `lanes` of them; the others are 0.
inline Vector Load(const float *from, int64_t lanes) {
  Vector loaded = {};
  if (lanes >= kLanes) return *reinterpret_cast<const Vector *>(from);
  std::memcpy(&loaded, from, lanes * sizeof(float));
  return loaded;
}

inline void Store(Vector value, float *to, int64_t lanes) {
  if (lanes >= kLanes) *reinterpret_cast<Vector *>(to) = value;
  else std::memcpy(to, &value, lanes * sizeof(float));
}

inline int64_t Parts(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

// Transposed, it is the gradient of such a convolution's input.
template <bool transposed>
class WinogradConv2D {
 public:
  explicit WinogradConv2D(const Construction &construction)
      : relu_(construction.Bool("relu")), biases_(construction.Int("biases")) {}

  void Compute(Context &context) {
    const Tensor x = context.Input(0), weight = context.Input(1);
    Require(x.rank() == 4 && weight.rank() == 4 && weight.size(0) == 3 && weight.size(1) == 3 &&
                weight.size(transposed ? 3 : 2) == x.size(3),
            "x is " + x.Describe() + " and the weight is " + weight.Describe());
    const int64_t in = x.size(3), out = weight.size(transposed ? 2 : 3), panels = Parts(out, kPanel);
    const Sizes sizes{x.size(1), x.size(2), in, out};
    const Tensor y = context.Output<float>(0, {x.size(0), x.size(1), x.size(2), out});
    std::vector<float> shift(panels * kPanel);
    if (biases_ > 0) {
      const Tensor bias = context.Input(2);
      Require(bias.rank() == 1 && bias.size(0) == out, "bias is " + bias.Describe() + ", not [" + std::to_string(out) + "]");
      std::copy_n(bias.data<float>(), out, shift.data());
    }
    const Tensor factors = context.Scratch<float>({panels, kProducts, in * kPanel + kGap});
    context.Parallel(panels * Parts(in, kInPerPiece), [&](int64_t item) {
      const int64_t panel = item % panels, first = item / panels * kInPerPiece;
      TransformWeight(sizes, weight.data<float>(), panel, first, std::min(in, first + kInPerPiece), factors.data<float>());
    });
    const int64_t tiles = x.size(0) * sizes.down() * sizes.across(), blocks = Parts(tiles, kTilesPerBlock);
    const int64_t groups = Parts(panels, kPanelsPerPiece);
    const std::vector<float> zeros(in);
    context.Parallel(blocks * groups, [&](int64_t item) {
      const int64_t first_tile = item / groups * kTilesPerBlock, first_panel = item % groups * kPanelsPerPiece;
      Piece piece{sizes, first_tile, std::min(kTilesPerBlock, tiles - first_tile), first_panel,
                  std::min(kPanelsPerPiece, panels - first_panel)};
      Work(piece, x.data<float>(), factors.data<float>(), shift.data(), zeros.data(), y.data<float>());
    });
  }

 private:
  static constexpr int64_t kInPerPiece = 32;

  struct Sizes {
    int64_t height, width, in, out;
    int64_t down() const { return Parts(height, kTile); }
    int64_t across() const { return Parts(width, kTile); }
  };

  struct Piece : Sizes {
    int64_t first_tile, tiles, first_panel, panels;
    // Calls `work` with each tile, and its image, row and column.
    template <typename Each>
    void ForTiles(const Each &work) const {
      for (int64_t tile = 0; tile < tiles; tile++) {
        const int64_t index = first_tile + tile, row = index / this->across();
        work(tile, row / this->down(), row % this->down() * kTile, index % this->across() * kTile);
      }
    }
  };

  // The gradient of the input is a convolution with the kernel turned around and its channels exchanged.
  void TransformWeight(const Sizes &sizes, const float *weight, int64_t panel, int64_t first, int64_t end, float *to) const {
    const int64_t stride = sizes.in * kPanel + kGap, size = sizes.in * sizes.out;
    for (int64_t in = first; in < end; in++) {
      for (int64_t at = 0; at < kPanel; at += kLanes) {
        const int64_t out = panel * kPanel + at, lanes = std::min<int64_t>(kLanes, sizes.out - out);
        Vector kernel[kProducts], products[kProducts];
        for (int place = 0; place < 9; place++) {
          Vector &value = kernel[place / 3 * kPatch + place % 3];
          if (transposed) {
            value = Vector{};
            for (int64_t lane = 0; lane < lanes; lane++) value[lane] = weight[(8 - place) * size + (out + lane) * sizes.in + in];
          } else {
            value = lanes > 0 ? Load(weight + place * size + in * sizes.out + out, lanes) : Vector{};
          }
        }
        TransformSquare<OfWeight>(kernel, products);
        float *own = to + panel * kProducts * stride + in * kPanel + at;
        for (int64_t i = 0; i < kProducts; i++) Store(products[i], own + i * stride, kLanes);
      }
    }
  }

  void Work(const Piece &piece, const float *x, const float *factors, const float *shift, const float *zeros, float *y) const {
    const int64_t padded = Padded(piece.in), rows = piece.tiles;
    const int64_t inputs_stride = rows * padded + kGap, products_stride = rows * piece.panels * kPanel + kGap;
    std::unique_ptr<float[]> inputs(new float[kProducts * inputs_stride]), products(new float[kProducts * products_stride]);
    TransformInput(piece, x, zeros, inputs.get(), inputs_stride);
    for (int64_t i = 0; i < kProducts; i++) {
      for (int64_t panel = 0; panel < piece.panels; panel++) {
        const float *factor = factors + ((piece.first_panel + panel) * kProducts + i) * (piece.in * kPanel + kGap);
        Multiply<float>({inputs.get() + i * inputs_stride, padded, 1}, factor, piece.in,
                        products.get() + i * products_stride + panel * rows * kPanel, rows, kPanel);
      }
    }
    TransformOutput(piece, products.get(), products_stride, shift, y);
  }

  static void TransformInput(const Piece &piece, const float *x, const float *zeros, float *to, int64_t stride) {
    piece.ForTiles([&](int64_t tile, int64_t image, int64_t row, int64_t column) {
      const float *pixels[kProducts];
      for (int64_t i = 0; i < kProducts; i++) {
        const int64_t r = row + i / kPatch - 1, c = column + i % kPatch - 1;
        const bool inside = r >= 0 && r < piece.height && c >= 0 && c < piece.width;
        pixels[i] = inside ? x + ((image * piece.height + r) * piece.width + c) * piece.in : zeros;
      }
      float *own = to + tile * Padded(piece.in);
      for (int64_t at = 0; at < piece.in; at += kLanes) {
        Vector patch[kProducts], products[kProducts];
        for (int64_t i = 0; i < kProducts; i++) patch[i] = Load(pixels[i] + at, piece.in - at);
        TransformSquare<OfInput>(patch, products);
        for (int64_t i = 0; i < kProducts; i++) Store(products[i], own + i * stride + at, kLanes);
      }
    });
  }

  void TransformOutput(const Piece &piece, const float *products, int64_t stride, const float *shift, float *y) const {
    piece.ForTiles([&](int64_t tile, int64_t image, int64_t row, int64_t column) {
      const int64_t rows = std::min(kTile, piece.height - row), columns = std::min(kTile, piece.width - column);
      for (int64_t at = 0; at < piece.panels * kPanel; at += kLanes) {
        const int64_t channel = piece.first_panel * kPanel + at, lanes = piece.out - channel;
        if (lanes <= 0) break;
        Vector patch[kProducts], values[kProducts];
        const float *own = products + (at / kPanel * piece.tiles + tile) * kPanel + at % kPanel;
        for (int64_t i = 0; i < kProducts; i++) patch[i] = Load(own + i * stride, kLanes);
        TransformSquare<ToOutput>(patch, values);
        const Vector bias = Load(shift + channel, kLanes);
        for (int64_t r = 0; r < rows; r++) {
          for (int64_t c = 0; c < columns; c++) {
            Vector value = values[r * kPatch + c] + bias;
            // A NaN stays one, as in TensorFlow's own.
            if (relu_) value = value < 0 ? Vector{} : value;
            Store(value, y + (((image * piece.height) + row + r) * piece.width + column + c) * piece.out + channel, lanes);
          }
        }
      }
    });
  }

  const bool relu_;
  const int64_t biases_;
};

template <bool transposed>
bool RegisterConvolution(const char *op) {
  return Register({op,
                   {"relu: bool", "biases: int >= 0"},
                   {"x: float", "weight: float", "bias: biases * float"},
                   {"y: float"},
                   [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                     const ShapeContext shapes(raw, status);
                     shapes.RequireRankAtLeast(0, 4);
                     shapes.RequireRankAtLeast(1, 4);
                     if (shapes.failed()) return;
                     constexpr int out = transposed ? 2 : 3;
                     shapes.SetOutput(0, shapes.Joined(shapes.Axes(0, 0, 3), shapes.Axes(1, out, out + 1)));
                   }}) &&
         RegisterKernel<WinogradConv2D<transposed>>(op);
}

const bool registered = RegisterConvolution<false>("PathlabWinogradConv2D") &&
                        RegisterConvolution<true>("PathlabWinogradConv2DTransposed");

}  // namespace
}  // namespace pathlab
