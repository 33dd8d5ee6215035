// TensorFlow's thread pool, and kernels that wait, which its C interface does not give. The one file of the ops that includes TensorFlow's own
// headers, and Eigen's with them: it is compiled for any CPU (see steps/ops.mjs).

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include "waiting_kernel.h"
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

namespace {

// The thread of kernels that wait.
class WaitingThread {
 public:
  static WaitingThread &Get() {
    // Never destroyed: it may be waiting when the process ends.
    static WaitingThread *const thread = new WaitingThread;
    return *thread;
  }

  void Add(std::function<void()> work) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(std::move(work));
    }
    added_.notify_one();
  }

 private:
  WaitingThread() { std::thread(&WaitingThread::Work, this).detach(); }

  [[noreturn]] void Work() {
    while (true) {
      std::function<void()> work;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        added_.wait(lock, [this] { return !queue_.empty(); });
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<std::function<void()>> queue_;
};

class AsyncKernel : public tensorflow::AsyncOpKernel {
 public:
  AsyncKernel(tensorflow::OpKernelConstruction *construction, MakeWaitingKernel make)
      : tensorflow::AsyncOpKernel(construction) {
    try {
      kernel_ = make(Construction(reinterpret_cast<TF_OpKernelConstruction *>(construction)));
    } catch (const std::exception &error) {
      construction->CtxFailure(tensorflow::errors::InvalidArgument(error.what()));
    }
  }

  void ComputeAsync(tensorflow::OpKernelContext *context, DoneCallback done) override {
    WaitingThread::Get().Add([this, context, done = std::move(done)] {
      Run(reinterpret_cast<TF_OpKernelContext *>(context), [this](Context &given) { kernel_->Compute(given); });
      done();
    });
  }

 private:
  std::unique_ptr<WaitingKernel> kernel_;
};

class AsyncKernelFactory : public tensorflow::kernel_factory::OpKernelFactory {
 public:
  explicit AsyncKernelFactory(MakeWaitingKernel make) : make_(make) {}
  tensorflow::OpKernel *Create(tensorflow::OpKernelConstruction *construction) override {
    return new AsyncKernel(construction, make_);
  }

 private:
  const MakeWaitingKernel make_;
};

}  // namespace

bool RegisterWaitingKernel(const char *op, MakeWaitingKernel make) {
  const tensorflow::KernelDef *definition = tensorflow::KernelDefBuilder(op).Device(tensorflow::DEVICE_CPU).Build();
  const tensorflow::kernel_factory::OpKernelRegistrar registrar(definition, op, std::make_unique<AsyncKernelFactory>(make));
  return true;
}

}  // namespace pathlab
