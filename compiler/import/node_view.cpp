#include "compiler/import/node_view.h"

#include <utility>

namespace xrun::compiler {

namespace {
const std::string kAbsent;
}  // namespace

std::string NodeName(const onnx::NodeProto& node) {
  if (!node.name().empty()) return node.name();
  for (const std::string& output : node.output()) {
    if (!output.empty()) return output;
  }
  return node.op_type();
}

const std::string& NodeView::input(int i) const { return i < proto_.input_size() ? proto_.input(i) : kAbsent; }
const std::string& NodeView::output(int i) const { return i < proto_.output_size() ? proto_.output(i) : kAbsent; }

bool NodeView::Has(const std::string& attribute) const {
  asked_.insert(attribute);
  for (const auto& a : proto_.attribute()) {
    if (a.name() == attribute) return true;
  }
  return false;
}

const onnx::AttributeProto* NodeView::Find(const std::string& attribute, int type) const {
  asked_.insert(attribute);
  for (const auto& a : proto_.attribute()) {
    if (a.name() != attribute) continue;
    // Exporters before IR 2 left the type out; everything since sets it.
    if (a.type() == type) return &a;
    if (!wrong_) wrong_ = Fail("attribute '" + attribute + "' has the wrong type");
    return nullptr;
  }
  return nullptr;
}

int64_t NodeView::Int(const std::string& attribute, int64_t otherwise) const {
  const auto* a = Find(attribute, onnx::AttributeProto::INT);
  return a != nullptr ? a->i() : otherwise;
}

float NodeView::Float(const std::string& attribute, float otherwise) const {
  const auto* a = Find(attribute, onnx::AttributeProto::FLOAT);
  return a != nullptr ? a->f() : otherwise;
}

std::string NodeView::String(const std::string& attribute, const std::string& otherwise) const {
  const auto* a = Find(attribute, onnx::AttributeProto::STRING);
  return a != nullptr ? a->s() : otherwise;
}

std::vector<int64_t> NodeView::Ints(const std::string& attribute, const std::vector<int64_t>& otherwise) const {
  const auto* a = Find(attribute, onnx::AttributeProto::INTS);
  return a != nullptr ? std::vector<int64_t>(a->ints().begin(), a->ints().end()) : otherwise;
}

std::vector<float> NodeView::Floats(const std::string& attribute) const {
  const auto* a = Find(attribute, onnx::AttributeProto::FLOATS);
  return a != nullptr ? std::vector<float>(a->floats().begin(), a->floats().end()) : std::vector<float>{};
}

const onnx::TensorProto* NodeView::Tensor(const std::string& attribute) const {
  const auto* a = Find(attribute, onnx::AttributeProto::TENSOR);
  return a != nullptr ? &a->t() : nullptr;
}

Status NodeView::CheckTypes() const {
  if (wrong_) return *wrong_;
  return {};
}

Status NodeView::CheckAllRead() const {
  std::set<std::string> seen;
  for (const auto& a : proto_.attribute()) {
    if (!seen.insert(a.name()).second) return Fail("attribute '" + a.name() + "' is given twice");
    if (asked_.count(a.name()) == 0) {
      return Fail("attribute '" + a.name() + "' is not one of version " + std::to_string(since_) + " of the operator");
    }
  }
  return {};
}

Failure NodeView::Fail(const std::string& what, const std::string& hint) const {
  return Failure{"node '" + name_ + "' (" + op() + "): " + what, hint};
}

Failure NodeView::Fail(Failure failure) const { return Fail(failure.message, failure.hint); }

}  // namespace xrun::compiler
