// TensorFlow's thread pool, which its C interface does not give. The one file of the ops that includes TensorFlow's own
// headers, and Eigen's with them: it is compiled for any CPU (see steps/ops.mjs).

#include <exception>
#include <mutex>
#include "op.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace pathlab {

void Context::Parallel(int64_t count, const std::function<void(int64_t)> &work) const {
  if (count == 1) return work(0);
  using ThreadPool = tensorflow::thread::ThreadPool;
  // The C interface's context is this class under another name.
  auto *context = reinterpret_cast<tensorflow::OpKernelContext *>(context_);
  const ThreadPool::SchedulingParams one_by_one(ThreadPool::SchedulingStrategy::kFixedBlockSize, {}, 1);
  // An exception that left one of those threads would end the process.
  std::mutex mutex;
  std::exception_ptr failure;
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(
      count, one_by_one, [&](int64_t first, int64_t end) {
        try {
          for (int64_t index = first; index < end; index++) work(index);
        } catch (...) {
          const std::lock_guard<std::mutex> lock(mutex);
          if (!failure) failure = std::current_exception();
        }
      });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace pathlab
