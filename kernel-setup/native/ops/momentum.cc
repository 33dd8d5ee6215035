// One step of gradient descent with momentum for one tensor, with torch.optim.SGD's arithmetic, in one pass over memory.

#include <algorithm>
#include "op.h"

namespace pathlab {
namespace {

constexpr int64_t kElementsPerBlock = 16384;

class Momentum {
 public:
  explicit Momentum(const Construction &construction)
      : momentum_(construction.Float("momentum")),
        weight_decay_(construction.Float("weight_decay")) {}

  void Compute(Context &context) {
    const Tensor parameter = context.Input(0), gradient = context.Input(1), velocity = context.Input(2);
    const Tensor learning_rate = context.Input(3);
    const Shape shape = parameter.shape();
    Require(gradient.shape() == shape && velocity.shape() == shape,
            "parameter, gradient and velocity are " + parameter.Describe() + ", " + gradient.Describe() + " and " +
                velocity.Describe());
    Require(learning_rate.elements() == 1, "the learning rate is a scalar");
    const float rate = *learning_rate.data<float>();
    const float momentum = momentum_, decay = weight_decay_;
    const Tensor new_parameter = context.Output<float>(0, shape);
    const Tensor new_velocity = context.Output<float>(1, shape);
    const int64_t elements = parameter.elements();
    context.Parallel((elements + kElementsPerBlock - 1) / kElementsPerBlock, [&](int64_t block) {
      const int64_t first = block * kElementsPerBlock;
      const int64_t count = std::min(elements - first, kElementsPerBlock);
      const float *p = parameter.data<float>() + first, *g = gradient.data<float>() + first;
      const float *v = velocity.data<float>() + first;
      float *to_p = new_parameter.data<float>() + first, *to_v = new_velocity.data<float>() + first;
#pragma omp simd
      for (int64_t i = 0; i < count; i++) {
        const float direction = g[i] + decay * p[i];
        const float moved = momentum * v[i] + direction;
        to_v[i] = moved;
        to_p[i] = p[i] - rate * moved;
      }
    });
  }

 private:
  const float momentum_, weight_decay_;
};

const bool registered = Register({"PathlabMomentum",
                                  {"T: {float} = DT_FLOAT", "momentum: float", "weight_decay: float"},
                                  {"parameter: T", "gradient: T", "velocity: T", "learning_rate: T"},
                                  {"new_parameter: T", "new_velocity: T"},
                                  [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                                    const ShapeContext shapes(raw, status);
                                    for (int output = 0; output < 2; output++) shapes.SetOutput(output, shapes.Axes(0));
                                  }}) &&
                        RegisterKernel<Momentum, float>("PathlabMomentum");

}  // namespace
}  // namespace pathlab
