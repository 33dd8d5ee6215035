// What every custom op needs: a thin layer over TensorFlow's C interface for kernels. Files that use only this header
// hold no TensorFlow templates, so they compile in a second and for the CPU at hand, whose widest instructions Eigen's
// headers do not survive.
//
// A kernel is a class with a constructor from Construction and `void Compute(Context &)`. It throws OpError when its
// inputs do not fit; TensorFlow then reports the message with the op's name.

#ifndef PATHLAB_OP_H_
#define PATHLAB_OP_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>
#include "number.h"
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"

namespace pathlab {

using OpError = std::runtime_error;
using Shape = std::vector<int64_t>;

struct StatusDeleter {
  void operator()(TF_Status *status) const { TF_DeleteStatus(status); }
};

class Status {
 public:
  operator TF_Status *() const { return status_.get(); }
  void ThrowIfFailed() const {
    if (TF_GetCode(status_.get()) != TF_OK) throw OpError(TF_Message(status_.get()));
  }

 private:
  std::unique_ptr<TF_Status, StatusDeleter> status_{TF_NewStatus()};
};

// A tensor that a kernel reads or writes, for as long as the kernel runs.
class Tensor {
 public:
  explicit Tensor(TF_Tensor *tensor) : tensor_(tensor) {}
  Tensor(Tensor &&other) : tensor_(other.tensor_) { other.tensor_ = nullptr; }
  Tensor(const Tensor &) = delete;
  ~Tensor() {
    if (tensor_) TF_DeleteTensor(tensor_);
  }

  template <typename T>
  T *data() const {
    return static_cast<T *>(TF_TensorData(tensor_));
  }
  int rank() const { return TF_NumDims(tensor_); }
  // Negative axes count from the end.
  int64_t size(int axis) const { return TF_Dim(tensor_, axis < 0 ? axis + rank() : axis); }
  int64_t elements() const { return TF_TensorElementCount(tensor_); }
  int64_t bytes() const { return static_cast<int64_t>(TF_TensorByteSize(tensor_)); }
  Shape shape() const {
    Shape sizes(rank());
    for (int axis = 0; axis < rank(); axis++) sizes[axis] = size(axis);
    return sizes;
  }
  std::string Describe() const {
    std::string text = "[";
    for (int axis = 0; axis < rank(); axis++) text += (axis ? "," : "") + std::to_string(size(axis));
    return text + "]";
  }

 private:
  friend class Context;
  TF_Tensor *tensor_;
};

// The attributes of a node, read once when its kernel is made.
class Construction {
 public:
  explicit Construction(TF_OpKernelConstruction *construction) : construction_(construction) {}
  float Float(const char *name) const {
    float value = 0;
    Status status;
    TF_OpKernelConstruction_GetAttrFloat(construction_, name, &value, status);
    status.ThrowIfFailed();
    return value;
  }
  bool Bool(const char *name) const {
    unsigned char value = 0;
    Status status;
    TF_OpKernelConstruction_GetAttrBool(construction_, name, &value, status);
    status.ThrowIfFailed();
    return value != 0;
  }
  int64_t Int(const char *name) const {
    int64_t value = 0;
    Status status;
    TF_OpKernelConstruction_GetAttrInt64(construction_, name, &value, status);
    status.ThrowIfFailed();
    return value;
  }
  TF_DataType Type(const char *name) const {
    TF_DataType value = TF_FLOAT;
    Status status;
    TF_OpKernelConstruction_GetAttrType(construction_, name, &value, status);
    status.ThrowIfFailed();
    return value;
  }
  std::string String(const char *name) const {
    int32_t list_size = 0, length = 0;
    Status status;
    TF_OpKernelConstruction_GetAttrSize(construction_, name, &list_size, &length, status);
    status.ThrowIfFailed();
    std::string value(length, '\0');
    TF_OpKernelConstruction_GetAttrString(construction_, name, value.data(), value.size(), status);
    status.ThrowIfFailed();
    return value;
  }

 private:
  TF_OpKernelConstruction *construction_;
};

// One run of a kernel.
class Context {
 public:
  explicit Context(TF_OpKernelContext *context) : context_(context) {}

  Tensor Input(int index) const {
    TF_Tensor *tensor = nullptr;
    Status status;
    TF_GetInput(context_, index, &tensor, status);
    status.ThrowIfFailed();
    return Tensor(tensor);
  }

  // Counts each tensor of a list.
  int InputCount() const { return TF_NumInputs(context_); }

  // Gives a tensor that is there already; the two share its memory.
  void SetOutput(int index, const Tensor &tensor) const {
    Status status;
    TF_SetOutput(context_, index, tensor.tensor_, status);
    status.ThrowIfFailed();
  }

  template <typename T>
  Tensor Output(int index, const Shape &shape) const {
    Status status;
    TF_Tensor *tensor = TF_AllocateOutput(context_, index, Number<T>::dtype, shape.data(),
                                          static_cast<int>(shape.size()), Elements(shape) * sizeof(T), status);
    status.ThrowIfFailed();
    return Tensor(tensor);
  }

  Tensor Output(int index, TF_DataType dtype, const Shape &shape, int64_t bytes) const {
    Status status;
    TF_Tensor *tensor = TF_AllocateOutput(context_, index, dtype, shape.data(), static_cast<int>(shape.size()), bytes, status);
    status.ThrowIfFailed();
    return Tensor(tensor);
  }

  // An output of an input's dtype and size, in its memory where nothing else needs that: a Tensor of it does.
  Tensor OutputInPlaceOf(int input, int index, const Shape &shape) const {
    Status status;
    int forwarded = -1;
    TF_Tensor *tensor = TF_ForwardInputOrAllocateOutput(context_, &input, 1, index, shape.data(),
                                                        static_cast<int>(shape.size()), &forwarded, status);
    status.ThrowIfFailed();
    return Tensor(tensor);
  }

  // Memory to work in, from TensorFlow's allocator; it holds anything.
  template <typename T>
  Tensor Scratch(const Shape &shape) const {
    Status status;
    TF_AllocatorAttributes attributes{TF_ALLOCATOR_ATTRIBUTES_STRUCT_SIZE, 0};
    TF_Tensor *tensor = TF_AllocateTemp(context_, Number<T>::dtype, shape.data(), static_cast<int>(shape.size()),
                                        &attributes, status);
    status.ThrowIfFailed();
    return Tensor(tensor);
  }

  // Calls `work` for 0 .. count - 1 on TensorFlow's own threads. What a call computes must not depend on the others, nor
  // on how many threads there are: then every run gives the same bits. Throws what one of them has thrown, after the last.
  void Parallel(int64_t count, const std::function<void(int64_t)> &work) const;

  static int64_t Elements(const Shape &shape) {
    int64_t elements = 1;
    for (int64_t size : shape) elements *= size;
    return elements;
  }

 private:
  TF_OpKernelContext *context_;
};

inline void Require(bool holds, const std::string &message) {
  if (!holds) throw OpError(message);
}

// Of a tensor with one value for each column of x, its last axis.
inline void RequireColumns(const char *what, const Tensor &tensor, int64_t columns) {
  Require(tensor.rank() == 1 && tensor.size(0) == columns,
          std::string(what) + " is " + tensor.Describe() + ", but the rows of x have " + std::to_string(columns) + " columns");
}

// Shapes of an op's outputs, worked out while a step is recorded.
class ShapeContext {
 public:
  ShapeContext(TF_ShapeInferenceContext *context, TF_Status *status) : context_(context), status_(status) {}

  // Axes `from` to `to` (exclusive) of an input's shape; negative axes count from the end.
  std::shared_ptr<TF_ShapeHandle> Axes(int input, int64_t from = 0, int64_t to = INT64_MAX) const {
    auto shape = NewHandle();
    TF_ShapeInferenceContextGetInput(context_, input, shape.get(), status_);
    auto part = NewHandle();
    TF_ShapeInferenceContextSubshape(context_, shape.get(), from, to, part.get(), status_);
    return part;
  }
  std::shared_ptr<TF_ShapeHandle> Joined(std::shared_ptr<TF_ShapeHandle> one, std::shared_ptr<TF_ShapeHandle> other) const {
    auto both = NewHandle();
    TF_ShapeInferenceContextConcatenateShapes(context_, one.get(), other.get(), both.get(), status_);
    return both;
  }
  void SetOutput(int output, std::shared_ptr<TF_ShapeHandle> shape) const {
    if (TF_GetCode(status_) == TF_OK) TF_ShapeInferenceContextSetOutput(context_, output, shape.get(), status_);
  }
  void RequireRankAtLeast(int input, int64_t rank) const {
    auto shape = NewHandle();
    TF_ShapeInferenceContextGetInput(context_, input, shape.get(), status_);
    auto ranked = NewHandle();
    TF_ShapeInferenceContextWithRankAtLeast(context_, shape.get(), rank, ranked.get(), status_);
  }
  // Counts each tensor of a list.
  int64_t InputCount() const { return TF_ShapeInferenceContextNumInputs(context_); }
  bool failed() const { return TF_GetCode(status_) != TF_OK; }

 private:
  static std::shared_ptr<TF_ShapeHandle> NewHandle() { return {TF_NewShapeHandle(), TF_DeleteShapeHandle}; }
  TF_ShapeInferenceContext *context_;
  TF_Status *status_;
};

// What an op takes and gives, in TensorFlow's own notation: "T: {float, bfloat16}", "x: T".
struct OpDefinition {
  const char *name;
  std::initializer_list<const char *> attributes, inputs, outputs;
  void (*infer_shapes)(TF_ShapeInferenceContext *, TF_Status *);
  // Whether a run does more than give its outputs.
  bool is_stateful = false;
};

// Makes an op known to TensorFlow while the library is loaded.
inline bool Register(const OpDefinition &definition) {
  TF_OpDefinitionBuilder *builder = TF_NewOpDefinitionBuilder(definition.name);
  for (const char *attribute : definition.attributes) TF_OpDefinitionBuilderAddAttr(builder, attribute);
  for (const char *input : definition.inputs) TF_OpDefinitionBuilderAddInput(builder, input);
  for (const char *output : definition.outputs) TF_OpDefinitionBuilderAddOutput(builder, output);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, definition.infer_shapes);
  // It sets it whatever it is given.
  if (definition.is_stateful) TF_OpDefinitionBuilderSetIsStateful(builder, true);
  Status status;
  TF_RegisterOpDefinition(builder, status);
  status.ThrowIfFailed();
  return true;
}

// Calls `compute`, and hands TensorFlow what it throws.
template <typename Compute>
void Run(TF_OpKernelContext *raw, const Compute &compute) {
  try {
    Context context(raw);
    compute(context);
  } catch (const std::bad_alloc &) {
    Status status;
    TF_SetStatus(status, TF_RESOURCE_EXHAUSTED, "out of memory for intermediate values");
    TF_OpKernelContext_Failure(raw, status);
  } catch (const std::exception &error) {
    Status status;
    TF_SetStatus(status, TF_INVALID_ARGUMENT, error.what());
    TF_OpKernelContext_Failure(raw, status);
  }
}

// Makes a kernel known for the CPU; `constrain` says for which dtypes.
template <typename Kernel>
bool RegisterKernel(const char *op, const std::function<void(TF_KernelBuilder *)> &constrain = [](TF_KernelBuilder *) {}) {
  const auto create = [](TF_OpKernelConstruction *construction) -> void * {
    try {
      return new Kernel(Construction(construction));
    } catch (const std::exception &error) {
      Status status;
      TF_SetStatus(status, TF_INVALID_ARGUMENT, error.what());
      TF_OpKernelConstruction_Failure(construction, status);
      return nullptr;
    }
  };
  const auto compute = [](void *kernel, TF_OpKernelContext *raw) {
    Run(raw, [kernel](Context &context) { static_cast<Kernel *>(kernel)->Compute(context); });
  };
  const auto destroy = [](void *kernel) { delete static_cast<Kernel *>(kernel); };
  TF_KernelBuilder *builder = TF_NewKernelBuilder(op, "CPU", create, compute, destroy);
  constrain(builder);
  Status status;
  TF_RegisterKernelBuilder(op, builder, status);
  status.ThrowIfFailed();
  return true;
}

// The same for one dtype of the op's attribute T.
template <typename Kernel, typename T>
bool RegisterKernel(const char *op) {
  return RegisterKernel<Kernel>(op, [](TF_KernelBuilder *builder) {
    Status status;
    TF_KernelBuilder_TypeConstraint(builder, "T", Number<T>::dtype, status);
    status.ThrowIfFailed();
  });
}

// The same for the dtypes that networks compute in.
template <template <typename> class Kernel>
bool RegisterKernels(const char *op) {
  return RegisterKernel<Kernel<float>, float>(op) && RegisterKernel<Kernel<Bfloat16>, Bfloat16>(op);
}

}  // namespace pathlab

#endif  // PATHLAB_OP_H_
