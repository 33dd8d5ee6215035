// Puts what a step has computed where its inputs lie, so that a training's tensors stay in the same memory from step to
// step. The caller has made sure that nobody else holds those inputs; that nothing reads them any more is so because
// this op takes all that the step gives, and so runs after everything else.
//
// Its inputs are `count` tensors to write to, the `count` values for them, and the step's other outputs.

#include <algorithm>
#include <cstring>
#include "op.h"

namespace pathlab {
namespace {

constexpr int64_t kBytesPerBlock = 1 << 18;

struct Range {
  const char *from, *to;
  int input;
};

class Reuse {
 public:
  explicit Reuse(const Construction &construction) : count_(static_cast<int>(construction.Int("count"))) {}

  void Compute(Context &context) {
    const int inputs = context.InputCount();
    Require(count_ >= 0 && inputs >= 2 * count_, "it takes at least twice `count` inputs");
    std::vector<Tensor> tensors;
    for (int input = 0; input < inputs; input++) tensors.push_back(context.Input(input));
    for (int i = 0; i < count_; i++) {
      Require(tensors[i].bytes() == tensors[count_ + i].bytes(), "a value and its place differ in size");
    }
    const std::vector<bool> shared = Shared(tensors);
    struct Block {
      char *to;
      const char *from;
      int64_t bytes;
    };
    std::vector<Block> blocks;
    for (int i = 0; i < count_; i++) {
      const Tensor &place = tensors[i], &value = tensors[count_ + i];
      if (shared[i]) {
        context.SetOutput(i, value);
        continue;
      }
      for (int64_t at = 0; at < place.bytes(); at += kBytesPerBlock) {
        blocks.push_back({place.data<char>() + at, value.data<char>() + at, std::min(kBytesPerBlock, place.bytes() - at)});
      }
      context.SetOutput(i, place);
    }
    context.Parallel(blocks.size(), [&](int64_t i) { std::memcpy(blocks[i].to, blocks[i].from, blocks[i].bytes); });
  }

 private:
  // Which places must not be written to, since something else that the step gives lies there too: an op may hand its
  // input's memory on.
  std::vector<bool> Shared(const std::vector<Tensor> &tensors) const {
    std::vector<Range> ranges;
    for (int input = 0; input < static_cast<int>(tensors.size()); input++) {
      const char *from = tensors[input].data<char>();
      if (tensors[input].bytes() > 0) ranges.push_back({from, from + tensors[input].bytes(), input});
    }
    std::sort(ranges.begin(), ranges.end(), [](const Range &a, const Range &b) { return a.from < b.from; });
    std::vector<bool> shared(count_);
    for (size_t i = 0; i < ranges.size(); i++) {
      for (size_t j = i + 1; j < ranges.size() && ranges[j].from < ranges[i].to; j++) {
        for (const int input : {ranges[i].input, ranges[j].input}) {
          if (input < count_) shared[input] = true;
        }
      }
    }
    return shared;
  }

  const int count_;
};

const bool registered = Register({"PathlabReuse",
                                  {"count: int >= 0", "T: list(type)", "U: list(type)"},
                                  {"tensors: T"},
                                  {"reused: U"},
                                  [](TF_ShapeInferenceContext *raw, TF_Status *status) {
                                    TF_ShapeInferenceContextSetUnknownShape(raw, status);
                                  }}) &&
                        RegisterKernel<Reuse>("PathlabReuse");

}  // namespace
}  // namespace pathlab
