#include "common/spec/job_spec.h"

namespace prefixmem {

std::string method_name(const MethodSpec& method) {
  const auto* combined = std::get_if<CombinedMethod>(&method);
  if (combined == nullptr) {
    return std::visit([](const auto& one) { return std::string(one.kType); }, method);
  }
  std::string name;
  for (const AdapterMethod& part : combined->methods) {
    name += name.empty() ? "" : "+";
    name += std::visit([](const auto& one) { return one.kType; }, part);
  }
  return name;
}

}  // namespace prefixmem
