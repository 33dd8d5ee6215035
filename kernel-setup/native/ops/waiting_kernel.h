#ifndef PATHLAB_WAITING_KERNEL_H_
#define PATHLAB_WAITING_KERNEL_H_

#include <memory>
#include "op.h"

namespace pathlab {

// A kernel that waits for other processes. All of them run on one thread that is theirs, in the order in which TensorFlow comes to
// them, while TensorFlow's own threads go on.
class WaitingKernel {
 public:
  virtual ~WaitingKernel() = default;
  virtual void Compute(Context &context) = 0;
};

using MakeWaitingKernel = std::unique_ptr<WaitingKernel> (*)(const Construction &);
bool RegisterWaitingKernel(const char *op, MakeWaitingKernel make);

template <typename Kernel>
bool RegisterWaitingKernel(const char *op) {
  return RegisterWaitingKernel(op, [](const Construction &construction) -> std::unique_ptr<WaitingKernel> {
    return std::make_unique<Kernel>(construction);
  });
}

}  // namespace pathlab

#endif  // PATHLAB_WAITING_KERNEL_H_
