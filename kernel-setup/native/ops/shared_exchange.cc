#ifdef __linux__

#include "shared_exchange.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <thread>
#include "local_socket.h"
#include "op.h"

namespace pathlab {
namespace {

using Clock = std::chrono::steady_clock;

// Half of a process's window: it stays in the processor's cache between the one that writes and those that read.
constexpr int64_t kHalfBytes = 1 << 20;
// Elements that are added up at a time.
constexpr int64_t kSumBlock = 2048;
// Looks at a word before sleeping: some microseconds.
constexpr int kLooks = 500;
// Between looks at whether the others still live.
constexpr std::chrono::milliseconds kSlice(100);
constexpr std::chrono::milliseconds kRetry(10);
// Beside the group's patience, at the first meeting: some load their libraries for longer than others.
constexpr std::chrono::seconds kLoading(30);
constexpr uint32_t kTimedOut = 1, kGone = 2;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Whether the word changed, or might have; not if it was the same for a slice.
bool WaitWhile(std::atomic<uint32_t> &word, uint32_t value) {
  const timespec slice{0, std::chrono::nanoseconds(kSlice).count()};
  const long failed = syscall(SYS_futex, &word, FUTEX_WAIT, value, &slice, nullptr, 0);
  return !(failed == -1 && errno == ETIMEDOUT);
}

void Wake(std::atomic<uint32_t> &word) { syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

}  // namespace

SharedExchange &SharedExchange::Of(const ExchangeGroup &group) {
  // Never destroyed: what it holds ends with the process.
  static SharedExchange *const exchange = new SharedExchange(group);
  Require(exchange->group_.name == group.name && exchange->group_.index == group.index && exchange->group_.count == group.count,
          "this process exchanges with another group already");
  if (!exchange->failure_.empty()) throw OpError(exchange->failure_);
  if (!exchange->shared_) exchange->Connect();
  return *exchange;
}

size_t SharedExchange::MemoryBytes() const {
  return sizeof(Shared) + group_.count * (sizeof(Slot) + 2 * static_cast<size_t>(kHalfBytes));
}

SharedExchange::Slot &SharedExchange::SlotOf(int process) const { return reinterpret_cast<Slot *>(shared_ + 1)[process]; }

char *SharedExchange::WindowOf(int process) const {
  char *windows = reinterpret_cast<char *>(&SlotOf(group_.count));
  return windows + (2 * static_cast<int64_t>(process) + half_) * kHalfBytes;
}

void SharedExchange::Connect() {
  const int memory = group_.index == 0 ? Lead() : Follow();
  void *mapped = mmap(nullptr, MemoryBytes(), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  close(memory);
  Require(mapped != MAP_FAILED, "memory that processes share could not be mapped: " + Reason());
  shared_ = static_cast<Shared *>(mapped);
}

int SharedExchange::Lead() {
  const int memory = memfd_create("pathlab-exchange", MFD_CLOEXEC);
  // Its bytes are zeros.
  Require(memory >= 0 && ftruncate(memory, static_cast<off_t>(MemoryBytes())) == 0,
          "memory for processes to share could not be made: " + Reason());
  sockaddr_un address;
  const socklen_t length = AddressOf(group_.name, &address);
  const int listener = NewSocket();
  Require(bind(listener, reinterpret_cast<sockaddr *>(&address), length) == 0 && listen(listener, group_.count) == 0,
          "the place where processes meet is taken: " + Reason());
  sockets_.assign(group_.count, -1);
  const auto deadline = Clock::now() + kLoading + std::chrono::duration<double>(group_.timeout_seconds);
  for (int missing = group_.count - 1; missing > 0;) {
    const std::chrono::duration<double, std::milli> left = deadline - Clock::now();
    pollfd waiting{listener, POLLIN, 0};
    if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count()) + 1) == 0) {
      close(listener);
      Fail(kTimedOut);
    }
    const int peer = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) continue;
    SetPatience(peer, 1);
    int32_t index = -1;
    const bool is_worker = IsOwn(peer) && recv(peer, &index, sizeof(index), 0) == sizeof(index) && index > 0 &&
                           index < group_.count && sockets_[index] < 0 && SendDescriptor(peer, memory);
    if (is_worker) {
      sockets_[index] = peer;
      missing--;
    } else {
      close(peer);
    }
  }
  close(listener);
  return memory;
}

int SharedExchange::Follow() {
  sockaddr_un address;
  const socklen_t length = AddressOf(group_.name, &address);
  const auto deadline = Clock::now() + kLoading + std::chrono::duration<double>(group_.timeout_seconds);
  do {
    const int first = NewSocket();
    SetPatience(first, kLoading.count() + group_.timeout_seconds);
    const int32_t index = group_.index;
    if (connect(first, reinterpret_cast<sockaddr *>(&address), length) == 0 && IsOwn(first) &&
        send(first, &index, sizeof(index), MSG_NOSIGNAL) == sizeof(index)) {
      const int memory = ReceiveDescriptor(first);
      if (memory >= 0) {
        sockets_ = {first};
        return memory;
      }
    }
    close(first);
    std::this_thread::sleep_for(kRetry);
  } while (Clock::now() < deadline);
  Fail(kTimedOut);
}

template <typename T>
void SharedExchange::Sum(int64_t instance, const T *x, T *y, int64_t elements) {
  constexpr int64_t largest = kHalfBytes / sizeof(T);
  const Call call{Kind::kSum, instance, elements * static_cast<int64_t>(sizeof(T))};
  int64_t first = 0;
  do {
    const int64_t length = std::min(largest, elements - first);
    // Each process adds up one part of the block.
    const auto part = [&](int process) { return length * process / group_.count; };
    const auto window = [&](int process) { return reinterpret_cast<T *>(WindowOf(process)); };
    const int64_t own = part(group_.index), own_end = part(group_.index + 1);
    T *const mine = window(group_.index);
    std::copy(x + first, x + first + own, mine);
    std::copy(x + first + own_end, x + first + length, mine + own_end);
    Begin(call);
    for (int64_t at = own; at < own_end; at += kSumBlock) {
      const int64_t count = std::min(kSumBlock, own_end - at);
      T sum[kSumBlock];
      for (int process = 0; process < group_.count; process++) {
        const T *from = (process == group_.index ? x + first : window(process)) + at;
        if (process == 0) {
          std::copy(from, from + count, sum);
        } else {
          for (int64_t i = 0; i < count; i++) sum[i] += from[i];
        }
      }
      std::copy(sum, sum + count, y + first + at);
      // Of the own window, nobody reads this part before the next meeting.
      std::copy(sum, sum + count, mine + at);
    }
    Meet();
    for (int process = 0; process < group_.count; process++) {
      if (process == group_.index) continue;
      std::copy(window(process) + part(process), window(process) + part(process + 1), y + first + part(process));
    }
    half_ ^= 1;
    first += length;
  } while (first < elements);
}

template void SharedExchange::Sum<float>(int64_t, const float *, float *, int64_t);
template void SharedExchange::Sum<double>(int64_t, const double *, double *, int64_t);
template void SharedExchange::Sum<int32_t>(int64_t, const int32_t *, int32_t *, int64_t);

void SharedExchange::Gather(int64_t instance, const char *own, char *all, int64_t bytes) {
  const Call call{Kind::kGather, instance, bytes};
  int64_t first = 0;
  do {
    const int64_t length = std::min(kHalfBytes, bytes - first);
    std::memcpy(WindowOf(group_.index), own + first, length);
    Begin(call);
    for (int process = 0; process < group_.count; process++) {
      std::memcpy(all + process * bytes + first, process == group_.index ? own + first : WindowOf(process), length);
    }
    half_ ^= 1;
    first += length;
  } while (first < bytes);
}

// A process is at most one meeting ahead of another, so it does not write to a half that another still reads: before that it
// would come to a second meeting.
void SharedExchange::Begin(const Call &call) {
  SlotOf(group_.index).calls[half_] = call;
  Meet();
  for (int process = 0; process < group_.count; process++) {
    const Call &other = SlotOf(process).calls[half_];
    if (other == call) continue;
    failure_ = "worker " + std::to_string(process) + " is at another exchange (number " + std::to_string(other.instance) + ", " +
               std::to_string(other.bytes) + " bytes) than worker " + std::to_string(group_.index) + " (number " +
               std::to_string(call.instance) + ", " + std::to_string(call.bytes) + " bytes)";
    throw OpError(failure_);
  }
}

void SharedExchange::Meet() {
  std::atomic<uint32_t> &own = SlotOf(group_.index).meetings;
  own.store(++meetings_, std::memory_order_release);
  Wake(own);
  for (int process = 0; process < group_.count; process++) {
    if (process != group_.index) WaitFor(process, meetings_);
  }
}

void SharedExchange::WaitFor(int process, uint32_t meetings) {
  std::atomic<uint32_t> &word = SlotOf(process).meetings;
  // The difference, since they begin anew after 2^32.
  const auto has_come = [&](uint32_t found) { return static_cast<int32_t>(found - meetings) >= 0; };
  for (int look = 0; look < kLooks; look++) {
    if (has_come(word.load(std::memory_order_acquire))) return;
    Pause();
  }
  const auto deadline = Clock::now() + std::chrono::duration<double>(group_.timeout_seconds);
  while (true) {
    const uint32_t found = word.load(std::memory_order_acquire);
    if (has_come(found)) return;
    const uint32_t failure = shared_->failure.load(std::memory_order_acquire);
    if (failure != 0) Fail(failure);
    if (WaitWhile(word, found)) continue;
    const int gone = FindGone();
    // It may have come and then ended.
    if (has_come(word.load(std::memory_order_acquire))) return;
    if (gone >= 0) Fail(kGone + gone);
    if (Clock::now() > deadline) Fail(kTimedOut);
  }
}

int SharedExchange::FindGone() const {
  for (size_t i = 0; i < sockets_.size(); i++) {
    if (sockets_[i] < 0) continue;
    pollfd peer{sockets_[i], POLLIN | POLLRDHUP, 0};
    // Nobody sends anything after the greeting.
    if (poll(&peer, 1, 0) > 0) return group_.index == 0 ? static_cast<int>(i) : 0;
  }
  return -1;
}

void SharedExchange::Fail(uint32_t failure) {
  if (shared_) {
    uint32_t none = 0;
    shared_->failure.compare_exchange_strong(none, failure);
    for (int process = 0; process < group_.count; process++) Wake(SlotOf(process).meetings);
  }
  failure_ = failure == kTimedOut ? "the exchange between processes timed out"
                                  : "the exchange between processes was given up: worker " + std::to_string(failure - kGone) +
                                        " is gone";
  throw OpError(failure_);
}

}  // namespace pathlab

#endif  // __linux__
