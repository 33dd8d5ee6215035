// How the processes of a cluster that are all on one machine exchange tensors: through memory that they share, block by block.
// TensorFlow's own collectives send them through gRPC, which copies each byte about nine times.

#ifndef PATHLAB_SHARED_EXCHANGE_H_
#define PATHLAB_SHARED_EXCHANGE_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace pathlab {

// The processes that exchange, as seen from one of them.
struct ExchangeGroup {
  // The same in all of them, and no other group's on this machine.
  std::string name;
  int index, count;
  // How long one of them waits for another.
  double timeout_seconds;
};

// One in a process. All its functions are called from one thread; all processes call the same ones, with the same sizes, in the
// same order. They throw OpError where a process is gone, does not come in time or calls another one; from then on all fail.
class SharedExchange {
 public:
  // Meets the other processes at the first call.
  static SharedExchange &Of(const ExchangeGroup &group);

  // The sum over all processes, added in the order of their indices: the same bits everywhere. y may be x.
  // `instance` is the call's number, by which calls that do not belong together are found.
  template <typename T>
  void Sum(int64_t instance, const T *x, T *y, int64_t elements);

  // What all have, one after the other.
  void Gather(int64_t instance, const char *own, char *all, int64_t bytes);

 private:
  enum class Kind : int64_t { kSum = 1, kGather };
  // What a process is in.
  struct Call {
    Kind kind;
    int64_t instance, bytes;
    bool operator==(const Call &other) const {
      return kind == other.kind && instance == other.instance && bytes == other.bytes;
    }
  };
  // A process's own part of the shared memory, but for its windows.
  struct alignas(256) Slot {
    // How many times it has come to a meeting.
    std::atomic<uint32_t> meetings;
    // By half.
    Call calls[2];
  };
  struct alignas(256) Shared {
    // 0 while all is well; kTimedOut, or kGone and an index.
    std::atomic<uint32_t> failure;
  };

  explicit SharedExchange(const ExchangeGroup &group) : group_(group) {}
  void Connect();
  // The two return the descriptor of the shared memory.
  int Lead();
  int Follow();
  size_t MemoryBytes() const;
  Slot &SlotOf(int process) const;
  // Where a process puts what the others read, in the half that is in use.
  char *WindowOf(int process) const;

  // Comes to the meeting at a block's beginning, and makes sure that all are there for the same.
  void Begin(const Call &call);
  // Returns when all have come as often as this process.
  void Meet();
  void WaitFor(int process, uint32_t meetings);
  // A process that has ended; -1 if none is known to.
  int FindGone() const;
  // Tells the others, and throws.
  [[noreturn]] void Fail(uint32_t failure);

  const ExchangeGroup group_;
  Shared *shared_ = nullptr;
  std::string failure_;
  // Of the first process to each other one, and of the others to the first: they close when a process ends.
  std::vector<int> sockets_;
  uint32_t meetings_ = 0;
  // Blocks lie in the two halves of the windows by turns, so that one may be filled while another is still read.
  int half_ = 0;
};

}  // namespace pathlab

#endif  // PATHLAB_SHARED_EXCHANGE_H_
