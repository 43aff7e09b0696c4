// Runs the signatures of a SavedModel with TensorFlow's C++ loader, the one TensorFlow Serving uses
// (LoadSavedModel and Session::Run), with no Python anywhere. Built and driven by the tests.
//
//   saved_model_loader DIRECTORY < requests > answers
//
// A request is a line "SIGNATURE INPUT RANK SIZE ..." and then the values as raw float32. The answer
// is a line "error CODE MESSAGE", or "ok COUNT" and for each output a line "NAME RANK SIZE ..." and
// then the values as raw float32 (booleans as 0 and 1).

#include <iostream>
#include <string>
#include <unordered_set>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/public/session.h"

using tensorflow::DT_BOOL;
using tensorflow::DT_FLOAT;
using tensorflow::Tensor;

namespace {

void WriteTensor(const std::string& name, const Tensor& tensor) {
  std::cout << name << ' ' << tensor.dims();
  for (int i = 0; i < tensor.dims(); ++i) std::cout << ' ' << tensor.dim_size(i);
  std::cout << '\n';
  std::vector<float> values(tensor.NumElements());
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    values[i] = tensor.dtype() == DT_BOOL ? static_cast<float>(tensor.flat<bool>()(i))
                                          : tensor.flat<float>()(i);
  }
  std::cout.write(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

void Answer(const tensorflow::SavedModelBundle& bundle, const std::string& signature,
            const std::string& input, const Tensor& tensor) {
  const auto& definition = bundle.GetSignatures().at(signature);
  std::vector<std::string> names, tensor_names;
  for (const auto& output : definition.outputs()) {
    names.push_back(output.first);
    tensor_names.push_back(output.second.name());
  }
  std::vector<Tensor> outputs;
  const auto status = bundle.session->Run({{definition.inputs().at(input).name(), tensor}},
                                          tensor_names, {}, &outputs);
  if (!status.ok()) {
    std::string message(status.message());
    for (char& letter : message) letter = letter == '\n' ? ' ' : letter;
    std::cout << "error " << static_cast<int>(status.code()) << ' ' << message << '\n';
    return;
  }
  std::cout << "ok " << names.size() << '\n';
  for (size_t i = 0; i < names.size(); ++i) WriteTensor(names[i], outputs[i]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: saved_model_loader DIRECTORY\n";
    return 2;
  }
  tensorflow::SavedModelBundle bundle;
  const auto status = tensorflow::LoadSavedModel(
      tensorflow::SessionOptions(), tensorflow::RunOptions(), argv[1],
      std::unordered_set<std::string>{"serve"}, &bundle);
  if (!status.ok()) {
    std::cerr << status.ToString() << '\n';
    return 1;
  }
  std::string signature, input;
  int rank;
  while (std::cin >> signature >> input >> rank) {
    tensorflow::TensorShape shape;
    for (int i = 0; i < rank; ++i) {
      int64_t size;
      std::cin >> size;
      shape.AddDim(size);
    }
    std::cin.get();  // the end of the line
    Tensor tensor(DT_FLOAT, shape);
    auto values = tensor.flat<float>();
    std::cin.read(reinterpret_cast<char*>(values.data()), values.size() * sizeof(float));
    Answer(bundle, signature, input, tensor);
  }
  std::cout.flush();
  return 0;
}
