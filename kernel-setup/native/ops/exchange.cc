// Sums and gathers over processes of one machine: the ops of shared_exchange.h. On other systems there are none.

#ifdef __linux__

#include <sys/mman.h>
#include <unistd.h>
#include "shared_exchange.h"
#include "waiting_kernel.h"

namespace pathlab {
namespace {

ExchangeGroup GroupOf(const Construction &construction) {
  return {construction.String("group"), static_cast<int>(construction.Int("index")),
          static_cast<int>(construction.Int("count")), construction.Float("timeout_seconds")};
}

// Where memory is fresh, the first write to each page costs more than what is written: large pages are fewer.
void PreferLargePages(const Tensor &tensor) {
  constexpr int64_t worth_it = 8 << 20;
  if (tensor.bytes() < worth_it) return;
  const uintptr_t page = sysconf(_SC_PAGESIZE), start = reinterpret_cast<uintptr_t>(tensor.data<char>());
  const uintptr_t first = (start + page - 1) / page * page, end = (start + tensor.bytes()) / page * page;
  madvise(reinterpret_cast<void *>(first), end - first, MADV_HUGEPAGE);
}

class SumOfProcesses : public WaitingKernel {
 public:
  explicit SumOfProcesses(const Construction &construction)
      : group_(GroupOf(construction)), dtype_(construction.Type("T")) {}

  void Compute(Context &context) override {
    const int32_t instance = *context.Input(1).data<int32_t>();
    const Shape shape = context.Input(0).shape();
    const Tensor y = context.OutputInPlaceOf(0, 0, shape);
    const Tensor x = context.Input(0);
    PreferLargePages(y);
    SharedExchange &exchange = SharedExchange::Of(group_);
    if (dtype_ == TF_FLOAT) exchange.Sum(instance, x.data<float>(), y.data<float>(), x.elements());
    if (dtype_ == TF_DOUBLE) exchange.Sum(instance, x.data<double>(), y.data<double>(), x.elements());
    if (dtype_ == TF_INT32) exchange.Sum(instance, x.data<int32_t>(), y.data<int32_t>(), x.elements());
  }

 private:
  const ExchangeGroup group_;
  const TF_DataType dtype_;
};

class GatherOfProcesses : public WaitingKernel {
 public:
  explicit GatherOfProcesses(const Construction &construction)
      : group_(GroupOf(construction)), dtype_(construction.Type("T")) {}

  void Compute(Context &context) override {
    const Tensor own = context.Input(0);
    const int32_t instance = *context.Input(1).data<int32_t>();
    Require(own.rank() > 0, "rows are gathered, and a scalar was given");
    Shape shape = own.shape();
    shape[0] *= group_.count;
    const Tensor all = context.Output(0, dtype_, shape, group_.count * own.bytes());
    PreferLargePages(all);
    SharedExchange::Of(group_).Gather(instance, own.data<char>(), all.data<char>(), own.bytes());
  }

 private:
  const ExchangeGroup group_;
  const TF_DataType dtype_;
};

#define PATHLAB_GROUP_ATTRIBUTES "group: string", "index: int", "count: int", "timeout_seconds: float"

// Stateful: the others wait for it, so it is neither left out, nor joined with its like, nor computed beforehand.
const bool registered =
    Register({"PathlabSumOfProcesses",
              {"T: {float, double, int32}", PATHLAB_GROUP_ATTRIBUTES},
              {"x: T", "instance: int32"},
              {"sum: T"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                const ShapeContext shapes(raw, status);
                shapes.SetOutput(0, shapes.Axes(0));
              },
              true}) &&
    Register({"PathlabGatherOfProcesses",
              {"T: {float, double, int32, bool}", PATHLAB_GROUP_ATTRIBUTES},
              {"rows: T", "instance: int32"},
              {"all: T"},
              [](TF_ShapeInferenceContext *raw, TF_Status *status) { TF_ShapeInferenceContextSetUnknownShape(raw, status); },
              true}) &&
    RegisterWaitingKernel<SumOfProcesses>("PathlabSumOfProcesses") &&
    RegisterWaitingKernel<GatherOfProcesses>("PathlabGatherOfProcesses");

}  // namespace
}  // namespace pathlab

#endif  // __linux__
