// One step of AdamW (Loshchilov and Hutter, 2019; arXiv 1711.05101) for one tensor, with torch.optim.AdamW's arithmetic,
// in one pass over memory.

#include <algorithm>
#include <cmath>
#include "op.h"

namespace pathlab {
namespace {

constexpr int64_t kElementsPerBlock = 16384;

class AdamW {
 public:
  explicit AdamW(const Construction &construction)
      // An attribute has float32's digits: of 0.999 too few are right for 1 - 0.999 and for 1 - 0.999^step.
      : beta1_(1 - static_cast<double>(construction.Float("rest1"))),
        beta2_(1 - static_cast<double>(construction.Float("rest2"))),
        epsilon_(construction.Float("epsilon")) {}

  void Compute(Context &context) {
    const Tensor parameter = context.Input(0), gradient = context.Input(1), mean = context.Input(2);
    const Tensor square = context.Input(3), learning_rate = context.Input(4);
    const Tensor weight_decay = context.Input(5), step = context.Input(6);
    const Shape shape = parameter.shape();
    Require(gradient.shape() == shape && mean.shape() == shape && square.shape() == shape,
            "parameter, gradient and moments are " + parameter.Describe() + ", " + gradient.Describe() + ", " +
                mean.Describe() + " and " + square.Describe());
    Require(learning_rate.elements() == 1 && weight_decay.elements() == 1 && step.elements() == 1,
            "the learning rate, the weight decay and the step are scalars");
    const double steps = *step.data<float>();
    const double rate = *learning_rate.data<float>();
    const float decay = static_cast<float>(1 - rate * *weight_decay.data<float>());
    const float step_size = static_cast<float>(rate / (1 - std::pow(beta1_, steps)));
    const float correction = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2_, steps)));
    const Tensor new_parameter = context.Output<float>(0, shape);
    const Tensor new_mean = context.Output<float>(1, shape);
    const Tensor new_square = context.Output<float>(2, shape);
    const float keep2 = static_cast<float>(beta2_);
    const float rest1 = static_cast<float>(1 - beta1_), rest2 = static_cast<float>(1 - beta2_);
    const int64_t elements = parameter.elements();
    context.Parallel((elements + kElementsPerBlock - 1) / kElementsPerBlock, [&](int64_t block) {
      const int64_t first = block * kElementsPerBlock;
      const int64_t count = std::min(elements - first, kElementsPerBlock);
      const float *p = parameter.data<float>() + first, *g = gradient.data<float>() + first;
      const float *m = mean.data<float>() + first, *v = square.data<float>() + first;
      float *to_p = new_parameter.data<float>() + first;
      float *to_m = new_mean.data<float>() + first, *to_v = new_square.data<float>() + first;
#pragma omp simd
      for (int64_t i = 0; i < count; i++) {
        const float moved = m[i] + rest1 * (g[i] - m[i]);
        const float squared = keep2 * v[i] + rest2 * g[i] * g[i];
        to_m[i] = moved;
        to_v[i] = squared;
        to_p[i] = p[i] * decay - step_size * moved / (std::sqrt(squared) * correction + epsilon_);
      }
    });
  }

 private:
  const double beta1_, beta2_;
  const float epsilon_;
};

const bool registered = Register({"PathlabAdamW",
                                  {"T: {float} = DT_FLOAT", "rest1: float", "rest2: float", "epsilon: float"},
                                  {"parameter: T", "gradient: T", "mean: T", "square: T", "learning_rate: T",
                                   "weight_decay: T", "step: T"},
                                  {"new_parameter: T", "new_mean: T", "new_square: T"},
                                  [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                                    const ShapeContext shapes(raw, status);
                                    for (int output = 0; output < 3; output++) shapes.SetOutput(output, shapes.Axes(0));
                                  }}) &&
                        RegisterKernel<AdamW, float>("PathlabAdamW");

}  // namespace
}  // namespace pathlab
