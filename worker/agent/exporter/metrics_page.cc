#include "worker/agent/exporter/metrics_page.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace prefixmem::agent {

std::string metrics_page(const prometheus::Registry& registry) {
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

}  // namespace prefixmem::agent
