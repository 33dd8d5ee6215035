// Shape inference: what shapes and dtypes ops would give, without running them. A trace is a TensorFlow graph that is
// never run; TensorFlow infers the outputs of each op as it is added.

#ifndef PATHLAB_SHAPE_INFERENCE_H_
#define PATHLAB_SHAPE_INFERENCE_H_

#include <cstring>

namespace tfnodejs {
namespace {

struct Trace {
  TF_Graph *graph = TF_NewGraph();
  // A traced value is its index here.
  std::vector<TF_Output> values;
  int operations = 0;

  ~Trace() { TF_DeleteGraph(graph); }
};

Trace *GetTrace(napi_env env, napi_value value) {
  void *trace = nullptr;
  if (napi_get_value_external(env, value, &trace) != napi_ok) {
    napi_throw_type_error(env, nullptr, "the first argument is what beginTrace returned");
    return nullptr;
  }
  return static_cast<Trace *>(trace);
}

// Numbers of an array; throws if it is none.
template <typename Number>
bool GetNumbers(napi_env env, napi_value array, std::vector<Number> *numbers) {
  uint32_t count = 0;
  if (napi_get_array_length(env, array, &count) != napi_ok) {
    napi_throw_type_error(env, nullptr, "an array of numbers is expected");
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    double number = 0;
    napi_get_element(env, array, i, &element);
    if (napi_get_value_double(env, element, &number) != napi_ok) {
      napi_throw_type_error(env, nullptr, "an array of numbers is expected");
      return false;
    }
    numbers->push_back(static_cast<Number>(number));
  }
  return true;
}

// {id, dtype, shape} of a value; shape is null where it is not known.
napi_value DescribeValue(napi_env env, Trace *trace, TF_Output output, TF_Status *status) {
  napi_value info, id, dtype, shape;
  napi_create_object(env, &info);
  napi_create_int32(env, static_cast<int32_t>(trace->values.size()), &id);
  trace->values.push_back(output);
  napi_create_int32(env, TF_OperationOutputType(output), &dtype);
  const int rank = TF_GraphGetTensorNumDims(trace->graph, output, status);
  std::vector<int64_t> sizes(rank < 0 ? 0 : rank);
  if (rank > 0) TF_GraphGetTensorShape(trace->graph, output, sizes.data(), rank, status);
  bool known = rank >= 0;
  for (int64_t size : sizes) known = known && size >= 0;
  if (known) {
    napi_create_array(env, &shape);
    for (size_t i = 0; i < sizes.size(); i++) {
      napi_value size;
      napi_create_int64(env, sizes[i], &size);
      napi_set_element(env, shape, i, size);
    }
  } else {
    napi_get_null(env, &shape);
  }
  napi_set_named_property(env, info, "id", id);
  napi_set_named_property(env, info, "dtype", dtype);
  napi_set_named_property(env, info, "shape", shape);
  return info;
}

// Adds the operation and lists what it gives.
napi_value FinishOperation(napi_env env, Trace *trace, TF_OperationDescription *description, const char *name) {
  TF_AutoStatus status;
  TF_Operation *operation = TF_FinishOperation(description, status.status);
  if (ThrowIfFailed(env, name, status.status)) return nullptr;
  napi_value list;
  napi_create_array(env, &list);
  for (int i = 0; i < TF_OperationNumOutputs(operation); i++) {
    napi_set_element(env, list, i, DescribeValue(env, trace, TF_Output{operation, i}, status.status));
    if (ThrowIfFailed(env, name, status.status)) return nullptr;
  }
  return list;
}

TF_OperationDescription *NewOperation(Trace *trace, const std::string &op) {
  return TF_NewOperation(trace->graph, op.c_str(), (op + "_" + std::to_string(trace->operations++)).c_str());
}

// Sets an attribute {name, type, value}, in the form that upstream's AssignOpAttr takes.
bool SetTracedAttribute(napi_env env, TF_OperationDescription *description, napi_value attribute) {
  napi_value name_value, type_value, value;
  std::string name, text;
  int32_t type = -1;
  napi_get_named_property(env, attribute, "name", &name_value);
  napi_get_named_property(env, attribute, "type", &type_value);
  napi_get_named_property(env, attribute, "value", &value);
  if (!GetText(env, name_value, "an attribute has a name", &name)) return false;
  napi_get_value_int32(env, type_value, &type);
  bool is_list = false;
  napi_is_array(env, value, &is_list);
  double number = 0;
  bool flag = false;
  const char *key = name.c_str();
  if (type == TF_ATTR_STRING) {
    if (!GetText(env, value, "a string attribute has a string", &text)) return false;
    TF_SetAttrString(description, key, text.data(), text.size());
  } else if (type == TF_ATTR_INT && is_list) {
    std::vector<int64_t> numbers;
    if (!GetNumbers(env, value, &numbers)) return false;
    TF_SetAttrIntList(description, key, numbers.data(), static_cast<int>(numbers.size()));
  } else if (type == TF_ATTR_FLOAT && is_list) {
    std::vector<float> numbers;
    if (!GetNumbers(env, value, &numbers)) return false;
    TF_SetAttrFloatList(description, key, numbers.data(), static_cast<int>(numbers.size()));
  } else if (type == TF_ATTR_SHAPE && is_list) {
    std::vector<int64_t> sizes;
    if (!GetNumbers(env, value, &sizes)) return false;
    TF_SetAttrShape(description, key, sizes.data(), static_cast<int>(sizes.size()));
  } else if (type == TF_ATTR_INT && napi_get_value_double(env, value, &number) == napi_ok) {
    TF_SetAttrInt(description, key, static_cast<int64_t>(number));
  } else if (type == TF_ATTR_FLOAT && napi_get_value_double(env, value, &number) == napi_ok) {
    TF_SetAttrFloat(description, key, static_cast<float>(number));
  } else if (type == TF_ATTR_TYPE && napi_get_value_double(env, value, &number) == napi_ok) {
    TF_SetAttrType(description, key, static_cast<TF_DataType>(static_cast<int>(number)));
  } else if (type == TF_ATTR_BOOL && napi_get_value_bool(env, value, &flag) == napi_ok) {
    TF_SetAttrBool(description, key, flag ? 1 : 0);
  } else {
    napi_throw_type_error(env, nullptr, ("the attribute " + name + " cannot be traced").c_str());
    return false;
  }
  return true;
}

bool GetTracedValues(napi_env env, Trace *trace, napi_value ids, std::vector<TF_Output> *values) {
  std::vector<int32_t> indices;
  if (!GetNumbers(env, ids, &indices)) return false;
  for (int32_t index : indices) {
    if (index < 0 || static_cast<size_t>(index) >= trace->values.size()) {
      napi_throw_range_error(env, nullptr, ("there is no traced value " + std::to_string(index)).c_str());
      return false;
    }
    values->push_back(trace->values[index]);
  }
  return true;
}

// beginTrace(): a trace, freed when it is garbage.
napi_value BeginTrace(napi_env env, napi_callback_info) {
  napi_value external;
  Trace *trace = new Trace();
  const auto finalize = [](napi_env, void *data, void *) { delete static_cast<Trace *>(data); };
  if (napi_create_external(env, trace, finalize, nullptr, &external) != napi_ok) {
    delete trace;
    napi_throw_error(env, nullptr, "beginTrace: Node could not make the trace");
    return nullptr;
  }
  return external;
}

// traceInput(trace, dtype, shape): {id, dtype, shape}[] of one value that comes from outside.
napi_value TraceInput(napi_env env, napi_callback_info info) {
  const char *usage = "traceInput takes a trace, a dtype and a shape";
  napi_value arguments[3];
  int32_t dtype;
  std::vector<int64_t> sizes;
  if (!GetArguments(env, info, usage, arguments)) return nullptr;
  Trace *trace = GetTrace(env, arguments[0]);
  if (!trace || !GetNumbers(env, arguments[2], &sizes)) return nullptr;
  if (napi_get_value_int32(env, arguments[1], &dtype) != napi_ok) {
    napi_throw_type_error(env, nullptr, usage);
    return nullptr;
  }
  TF_OperationDescription *description = NewOperation(trace, "Placeholder");
  TF_SetAttrType(description, "dtype", static_cast<TF_DataType>(dtype));
  TF_SetAttrShape(description, "shape", sizes.data(), static_cast<int>(sizes.size()));
  return FinishOperation(env, trace, description, "traceInput");
}

// traceConstant(trace, dtype, shape, bytes): {id, dtype, shape}[] of one constant of a dtype of fixed size.
napi_value TraceConstant(napi_env env, napi_callback_info info) {
  const char *usage = "traceConstant takes a trace, a dtype, a shape and the elements in a Uint8Array";
  napi_value arguments[4];
  int32_t dtype;
  std::vector<int64_t> sizes;
  const void *data;
  size_t length;
  if (!GetArguments(env, info, usage, arguments)) return nullptr;
  Trace *trace = GetTrace(env, arguments[0]);
  if (!trace || !GetNumbers(env, arguments[2], &sizes)) return nullptr;
  if (!GetBytes(env, arguments[3], usage, &data, &length)) return nullptr;
  size_t wanted = 0;
  if (napi_get_value_int32(env, arguments[1], &dtype) == napi_ok) {
    wanted = TF_DataTypeSize(static_cast<TF_DataType>(dtype));
    for (int64_t size : sizes) wanted *= size;
  }
  if (wanted != length) {
    napi_throw_type_error(env, nullptr, usage);
    return nullptr;
  }
  TF_Tensor *tensor = TF_AllocateTensor(static_cast<TF_DataType>(dtype), sizes.data(), static_cast<int>(sizes.size()), length);
  if (length > 0) memcpy(TF_TensorData(tensor), data, length);
  TF_OperationDescription *description = NewOperation(trace, "Const");
  TF_SetAttrType(description, "dtype", static_cast<TF_DataType>(dtype));
  TF_AutoStatus status;
  TF_SetAttrTensor(description, "value", tensor, status.status);
  TF_DeleteTensor(tensor);
  return FinishOperation(env, trace, description, "traceConstant");
}

// traceOp(trace, op, attributes, inputs): {id, dtype, shape}[] of what the op would give. An input is the id of a traced
// value, or an array of ids where the op takes a list.
napi_value TraceOp(napi_env env, napi_callback_info info) {
  const char *usage = "traceOp takes a trace, an op's name, its attributes and its inputs";
  napi_value arguments[4];
  std::string op;
  uint32_t attributes = 0, inputs = 0;
  if (!GetArguments(env, info, usage, arguments)) return nullptr;
  Trace *trace = GetTrace(env, arguments[0]);
  if (!trace || !GetText(env, arguments[1], usage, &op)) return nullptr;
  if (napi_get_array_length(env, arguments[2], &attributes) != napi_ok ||
      napi_get_array_length(env, arguments[3], &inputs) != napi_ok) {
    napi_throw_type_error(env, nullptr, usage);
    return nullptr;
  }
  TF_OperationDescription *description = NewOperation(trace, op);
  bool good = true;
  for (uint32_t i = 0; good && i < inputs; i++) {
    napi_value input, single;
    bool is_list = false;
    std::vector<TF_Output> values;
    napi_get_element(env, arguments[3], i, &input);
    napi_is_array(env, input, &is_list);
    if (!is_list) {
      napi_create_array(env, &single);
      napi_set_element(env, single, 0, input);
      input = single;
    }
    good = GetTracedValues(env, trace, input, &values);
    if (good && is_list) TF_AddInputList(description, values.data(), static_cast<int>(values.size()));
    else if (good) TF_AddInput(description, values[0]);
  }
  for (uint32_t i = 0; good && i < attributes; i++) {
    napi_value attribute;
    napi_get_element(env, arguments[2], i, &attribute);
    good = SetTracedAttribute(env, description, attribute);
  }
  if (!good) {
    // Only finishing frees a description; what comes of it is of no use.
    TF_AutoStatus status;
    TF_FinishOperation(description, status.status);
    return nullptr;
  }
  return FinishOperation(env, trace, description, op.c_str());
}

}  // namespace
}  // namespace tfnodejs

#endif  // PATHLAB_SHAPE_INFERENCE_H_
