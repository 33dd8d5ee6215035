// tfjs-node's native addon with what pathlab needs beyond it. The upstream sources are compiled as they are: this file
// includes upstream's binding, whose exports all stay, and adds functions of its own to them. It is compiled with
// -fno-access-control, since upstream keeps the TensorFlow context and the table of tensors private.
//
// A tensor is the integer id that upstream's functions use. Every function throws a JavaScript Error with TensorFlow's
// own message when TensorFlow refuses.

#include <node_api.h>

// Upstream registers a module at the end of its file. The module is registered below instead.
#undef NAPI_MODULE
#define NAPI_MODULE(name, init)
#include "binding/tfjs_binding.cc"

#include <cstring>
#include <memory>
#include <string>
#include <vector>
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"
#include "tensorflow/c/kernels.h"

// Exported by TensorFlow's library, but declared in no header of the wheel.
extern "C" void TFE_EnableCollectiveOps(TFE_Context *context, const void *server_def, size_t length, TF_Status *status);

namespace tfnodejs {

// Defined in upstream's tfjs_backend.cc.
void AssignOpAttr(napi_env env, TFE_Op *op, napi_value attribute);

namespace {

template <size_t count>
bool GetArguments(napi_env env, napi_callback_info info, const char *usage, napi_value (&arguments)[count]) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, arguments, nullptr, nullptr) != napi_ok || given < count) {
    napi_throw_type_error(env, nullptr, usage);
    return false;
  }
  return true;
}

bool GetBytes(napi_env env, napi_value value, const char *usage, const void **data, size_t *length) {
  bool is_typed_array = false;
  napi_typedarray_type type;
  void *bytes;
  napi_is_typedarray(env, value, &is_typed_array);
  if (!is_typed_array ||
      napi_get_typedarray_info(env, value, &type, length, &bytes, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    napi_throw_type_error(env, nullptr, usage);
    return false;
  }
  *data = bytes;
  return true;
}

bool GetText(napi_env env, napi_value value, const char *usage, std::string *text) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    napi_throw_type_error(env, nullptr, usage);
    return false;
  }
  text->resize(length);
  napi_get_value_string_utf8(env, value, &(*text)[0], length + 1, &length);
  return true;
}

bool ThrowIfFailed(napi_env env, const char *what, TF_Status *status) {
  if (TF_GetCode(status) == TF_OK) return false;
  napi_throw_error(env, nullptr, (std::string(what) + ": " + TF_Message(status)).c_str());
  return true;
}

napi_value TakeBuffer(napi_env env, TF_Buffer *buffer) {
  napi_value copy = nullptr;
  napi_create_buffer_copy(env, buffer->length, buffer->data, nullptr, &copy);
  TF_DeleteBuffer(buffer);
  return copy;
}

// addFunctionDef(functionDef: Uint8Array): registers a serialized FunctionDef. From then on its name is that of an op.
napi_value AddFunctionDef(napi_env env, napi_callback_info info) {
  const char *usage = "addFunctionDef takes a serialized FunctionDef in a Uint8Array";
  napi_value arguments[1];
  const void *data;
  size_t length;
  TFJSBackend *backend = GetTFJSBackend(env);
  if (!backend || !GetArguments(env, info, usage, arguments)) return nullptr;
  if (!GetBytes(env, arguments[0], usage, &data, &length)) return nullptr;
  TF_AutoStatus status;
  TFE_ContextAddFunctionDef(backend->tfe_context_, static_cast<const char *>(data), length, status.status);
  ThrowIfFailed(env, "addFunctionDef", status.status);
  return nullptr;
}

// removeFunction(name: string): forgets a registered function and frees what TensorFlow has compiled of it.
napi_value RemoveFunction(napi_env env, napi_callback_info info) {
  const char *usage = "removeFunction takes a function's name";
  napi_value arguments[1];
  std::string name;
  TFJSBackend *backend = GetTFJSBackend(env);
  if (!backend || !GetArguments(env, info, usage, arguments)) return nullptr;
  if (!GetText(env, arguments[0], usage, &name)) return nullptr;
  TF_AutoStatus status;
  TFE_ContextRemoveFunction(backend->tfe_context_, name.c_str(), status.status);
  ThrowIfFailed(env, "removeFunction", status.status);
  return nullptr;
}

// opList(): Buffer with the serialized OpList of every op that TensorFlow knows.
napi_value OpListBytes(napi_env env, napi_callback_info) { return TakeBuffer(env, TF_GetAllOpList()); }

// loadLibrary(path: string): makes the ops and kernels of a shared library known to TensorFlow, for good.
napi_value LoadLibrary(napi_env env, napi_callback_info info) {
  const char *usage = "loadLibrary takes the path of a shared library";
  napi_value arguments[1];
  std::string path;
  if (!GetArguments(env, info, usage, arguments)) return nullptr;
  if (!GetText(env, arguments[0], usage, &path)) return nullptr;
  TF_AutoStatus status;
  // Only the handle is freed: what the library has registered stays.
  TF_Library *library = TF_LoadLibrary(path.c_str(), status.status);
  if (ThrowIfFailed(env, "loadLibrary", status.status)) return nullptr;
  TF_DeleteLibraryHandle(library);
  return nullptr;
}

// kernelsForOp(op: string): Buffer with the serialized KernelList of an op: its devices and dtypes, whether or not this
// machine has such a device.
napi_value KernelsForOp(napi_env env, napi_callback_info info) {
  const char *usage = "kernelsForOp takes an op's name";
  napi_value arguments[1];
  std::string name;
  if (!GetArguments(env, info, usage, arguments)) return nullptr;
  if (!GetText(env, arguments[0], usage, &name)) return nullptr;
  TF_AutoStatus status;
  TF_Buffer *kernels = TF_GetRegisteredKernelsForOp(name.c_str(), status.status);
  if (ThrowIfFailed(env, "kernelsForOp", status.status)) return nullptr;
  return TakeBuffer(env, kernels);
}

struct DeviceListDeleter {
  void operator()(TF_DeviceList *list) const { TF_DeleteDeviceList(list); }
};
using DeviceList = std::unique_ptr<TF_DeviceList, DeviceListDeleter>;

// listDevices(): {name, type, memoryBytes}[], names in TensorFlow's form: /job:localhost/replica:0/task:0/device:GPU:0
napi_value ListDevices(napi_env env, napi_callback_info) {
  TFJSBackend *backend = GetTFJSBackend(env);
  if (!backend) return nullptr;
  TF_AutoStatus status;
  DeviceList devices(TFE_ContextListDevices(backend->tfe_context_, status.status));
  if (ThrowIfFailed(env, "listDevices", status.status)) return nullptr;
  napi_value list;
  napi_create_array(env, &list);
  for (int i = 0; i < TF_DeviceListCount(devices.get()); i++) {
    const char *name = TF_DeviceListName(devices.get(), i, status.status);
    if (ThrowIfFailed(env, "listDevices", status.status)) return nullptr;
    const char *type = TF_DeviceListType(devices.get(), i, status.status);
    if (ThrowIfFailed(env, "listDevices", status.status)) return nullptr;
    const int64_t memory = TF_DeviceListMemoryBytes(devices.get(), i, status.status);
    if (ThrowIfFailed(env, "listDevices", status.status)) return nullptr;
    napi_value device, value;
    napi_create_object(env, &device);
    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, device, "name", value);
    napi_create_string_utf8(env, type, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, device, "type", value);
    napi_create_int64(env, memory, &value);
    napi_set_named_property(env, device, "memoryBytes", value);
    napi_set_element(env, list, i, device);
  }
  return list;
}

// enableCollective(serverDef: Uint8Array, job: string, task: number): joins a cluster of TensorFlow workers. The devices
// are called by job and task from then on, so upstream's stored device name is renewed. Tensors made before keep the old
// device's name: call this before making any.
napi_value EnableCollective(napi_env env, napi_callback_info info) {
  const char *usage = "enableCollective takes a serialized ServerDef in a Uint8Array, the job's name and the task's index";
  napi_value arguments[3];
  const void *data;
  size_t length;
  std::string job;
  int32_t task;
  TFJSBackend *backend = GetTFJSBackend(env);
  if (!backend || !GetArguments(env, info, usage, arguments)) return nullptr;
  if (!GetBytes(env, arguments[0], usage, &data, &length) || !GetText(env, arguments[1], usage, &job)) return nullptr;
  if (napi_get_value_int32(env, arguments[2], &task) != napi_ok) {
    napi_throw_type_error(env, nullptr, usage);
    return nullptr;
  }
  TF_AutoStatus status;
  TFE_EnableCollectiveOps(backend->tfe_context_, data, length, status.status);
  if (ThrowIfFailed(env, "enableCollective", status.status)) return nullptr;
  DeviceList devices(TFE_ContextListDevices(backend->tfe_context_, status.status));
  if (ThrowIfFailed(env, "enableCollective", status.status)) return nullptr;
  const std::string local = backend->device_name.substr(backend->device_name.find("/device:"));
  const std::string wanted = "/job:" + job + "/replica:0/task:" + std::to_string(task) + local;
  for (int i = 0; i < TF_DeviceListCount(devices.get()); i++) {
    if (wanted != TF_DeviceListName(devices.get(), i, status.status)) continue;
    backend->device_name = wanted;
    return nullptr;
  }
  napi_throw_error(env, nullptr, ("enableCollective: the cluster has no device " + wanted).c_str());
  return nullptr;
}

// An op that runs on a thread of libuv's pool. The TFE_Op holds a reference to each of its inputs, so they may be
// disposed of while it runs.
struct AsyncRun {
  std::string name;
  TFJSBackend *backend;
  TFE_Op *op = nullptr;
  TF_Status *status = TF_NewStatus();
  std::vector<TFE_TensorHandle *> outputs;
  int output_count = 0;
  napi_async_work work = nullptr;
  napi_deferred promise = nullptr;

  ~AsyncRun() {
    for (TFE_TensorHandle *handle : outputs) {
      if (handle) TFE_DeleteTensorHandle(handle);
    }
    if (op) TFE_DeleteOp(op);
    TF_DeleteStatus(status);
  }
};

bool AddInputs(napi_env env, napi_value ids, AsyncRun *run) {
  uint32_t count = 0;
  if (napi_get_array_length(env, ids, &count) != napi_ok) {
    napi_throw_type_error(env, nullptr, "runAsync takes the inputs as an array of tensor ids");
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    int32_t id = -1;
    napi_get_element(env, ids, i, &element);
    napi_get_value_int32(env, element, &id);
    const auto entry = run->backend->tfe_handle_map_.find(id);
    if (entry == run->backend->tfe_handle_map_.end()) {
      const std::string message = run->name + ": input " + std::to_string(i) + " is not a tensor (it may be disposed)";
      napi_throw_error(env, nullptr, message.c_str());
      return false;
    }
    TFE_OpAddInput(run->op, entry->second, run->status);
    if (ThrowIfFailed(env, run->name.c_str(), run->status)) return false;
  }
  return true;
}

bool AddAttributes(napi_env env, napi_value attributes, AsyncRun *run) {
  uint32_t count = 0;
  if (napi_get_array_length(env, attributes, &count) != napi_ok) {
    napi_throw_type_error(env, nullptr, "runAsync takes the attributes as an array");
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    napi_get_element(env, attributes, i, &element);
    AssignOpAttr(env, run->op, element);
    if (IsExceptionPending(env)) return false;
  }
  return true;
}

// On the pool's thread: no JavaScript here.
void ExecuteAsyncRun(napi_env, void *data) {
  AsyncRun *run = static_cast<AsyncRun *>(data);
  run->output_count = static_cast<int>(run->outputs.size());
  TFE_Execute(run->op, run->outputs.data(), &run->output_count, run->status);
}

// On JavaScript's thread again. `status` is napi_cancelled, and no call succeeds, when Node is shutting down.
void SettleAsyncRun(napi_env env, napi_status status, void *data) {
  std::unique_ptr<AsyncRun> run(static_cast<AsyncRun *>(data));
  napi_delete_async_work(env, run->work);
  if (status != napi_ok) return;
  if (TF_GetCode(run->status) != TF_OK) {
    napi_value message, error;
    napi_create_string_utf8(env, (run->name + ": " + TF_Message(run->status)).c_str(), NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, nullptr, message, &error);
    napi_reject_deferred(env, run->promise, error);
    return;
  }
  napi_value list;
  if (napi_create_array(env, &list) != napi_ok) return;
  for (int i = 0; i < run->output_count; i++) {
    // From here on upstream's table owns the handle.
    TFE_TensorHandle *handle = run->outputs[i];
    run->outputs[i] = nullptr;
    napi_set_element(env, list, i, run->backend->GenerateOutputTensorInfo(env, handle));
  }
  napi_resolve_deferred(env, run->promise, list);
}

// runAsync(op: string, attributes: Attribute[], inputs: number[], outputCount: number): Promise<{id, shape, dtype}[]>.
// executeOp without holding up the event loop. Bad arguments throw at once; what fails while it runs rejects.
napi_value RunAsync(napi_env env, napi_callback_info info) {
  const char *usage = "runAsync takes an op's name, its attributes, its inputs' ids and the number of its outputs";
  napi_value arguments[4];
  auto run = std::make_unique<AsyncRun>();
  run->backend = GetTFJSBackend(env);
  if (!run->backend || !GetArguments(env, info, usage, arguments)) return nullptr;
  int32_t output_count;
  if (!GetText(env, arguments[0], usage, &run->name)) return nullptr;
  if (napi_get_value_int32(env, arguments[3], &output_count) != napi_ok || output_count < 0) {
    napi_throw_type_error(env, nullptr, usage);
    return nullptr;
  }
  run->outputs.assign(output_count, nullptr);
  run->op = TFE_NewOp(run->backend->tfe_context_, run->name.c_str(), run->status);
  if (ThrowIfFailed(env, "runAsync", run->status)) return nullptr;
  if (!AddInputs(env, arguments[2], run.get()) || !AddAttributes(env, arguments[1], run.get())) return nullptr;

  napi_value promise, resource;
  napi_create_promise(env, &run->promise, &promise);
  napi_create_string_utf8(env, "pathlab.runAsync", NAPI_AUTO_LENGTH, &resource);
  if (napi_create_async_work(env, nullptr, resource, ExecuteAsyncRun, SettleAsyncRun, run.get(), &run->work) != napi_ok ||
      napi_queue_async_work(env, run->work) != napi_ok) {
    napi_throw_error(env, nullptr, "runAsync: Node could not queue the work");
    return nullptr;
  }
  run.release();  // SettleAsyncRun owns it now.
  return promise;
}

// ownTensors(ids: number[]): sees to it that nothing beside these tensors holds their memory, so that it may be written
// to. What shares it with another (an op may hand its input's memory on, and a run holds its inputs) gets a copy. For
// tensors in the host's memory.
napi_value OwnTensors(napi_env env, napi_callback_info info) {
  const char *usage = "ownTensors takes an array of tensor ids";
  napi_value arguments[1];
  uint32_t count = 0;
  TFJSBackend *backend = GetTFJSBackend(env);
  if (!backend || !GetArguments(env, info, usage, arguments)) return nullptr;
  if (napi_get_array_length(env, arguments[0], &count) != napi_ok) {
    napi_throw_type_error(env, nullptr, usage);
    return nullptr;
  }
  TF_AutoStatus status;
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    int32_t id = -1;
    napi_get_element(env, arguments[0], i, &element);
    napi_get_value_int32(env, element, &id);
    const auto entry = backend->tfe_handle_map_.find(id);
    if (entry == backend->tfe_handle_map_.end()) {
      napi_throw_error(env, nullptr, "ownTensors got the id of no tensor (it may be disposed)");
      return nullptr;
    }
    TF_Tensor *tensor = TFE_TensorHandleResolve(entry->second, status.status);
    if (ThrowIfFailed(env, "ownTensors", status.status)) return nullptr;
    // The handle's own hold goes; if that was the only one, the tensor can be moved.
    TFE_TensorHandle *const before = entry->second;
    TFE_DeleteTensorHandle(before);
    TF_Tensor *own = TF_TensorMaybeMove(tensor);
    if (!own) {
      std::vector<int64_t> shape(TF_NumDims(tensor));
      for (size_t axis = 0; axis < shape.size(); axis++) shape[axis] = TF_Dim(tensor, static_cast<int>(axis));
      const size_t bytes = TF_TensorByteSize(tensor);
      own = TF_AllocateTensor(TF_TensorType(tensor), shape.data(), static_cast<int>(shape.size()), bytes);
      const bool has_memory = own && (bytes == 0 || TF_TensorData(own));
      if (has_memory) std::memcpy(TF_TensorData(own), TF_TensorData(tensor), bytes);
      if (!has_memory) {
        entry->second = TFE_NewTensorHandle(tensor, status.status);
        if (own) TF_DeleteTensor(own);
      }
      TF_DeleteTensor(tensor);
      if (!has_memory) {
        const std::string message = "ownTensors: there is no memory for a copy of " + std::to_string(bytes) + " bytes";
        napi_throw_error(env, nullptr, message.c_str());
        return nullptr;
      }
    }
    entry->second = TFE_NewTensorHandle(own, status.status);
    TF_DeleteTensor(own);
    if (ThrowIfFailed(env, "ownTensors", status.status)) return nullptr;
  }
  return nullptr;
}

}  // namespace
}  // namespace tfnodejs

#include "shape_inference.h"

namespace tfnodejs {
namespace {

napi_value InitPathlab(napi_env env, napi_value exports) {
  if (!InitTFNodeJSBinding(env, exports)) return nullptr;
  const auto function = [](const char *name, napi_callback callback) {
    return napi_property_descriptor{name, nullptr, callback, nullptr, nullptr, nullptr, napi_default, nullptr};
  };
  const napi_property_descriptor functions[] = {
      function("addFunctionDef", AddFunctionDef),   function("removeFunction", RemoveFunction),
      function("opList", OpListBytes),              function("kernelsForOp", KernelsForOp),
      function("listDevices", ListDevices),         function("enableCollective", EnableCollective),
      function("runAsync", RunAsync),               function("loadLibrary", LoadLibrary),
      function("beginTrace", BeginTrace),           function("traceInput", TraceInput),
      function("traceConstant", TraceConstant),     function("traceOp", TraceOp),
      function("ownTensors", OwnTensors),
  };
  napi_define_properties(env, exports, ARRAY_SIZE(functions), functions);
  return exports;
}

}  // namespace

NAPI_MODULE_INIT() { return InitPathlab(env, exports); }

}  // namespace tfnodejs
