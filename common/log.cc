#include "common/log.h"

#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <memory>
#include <utility>

namespace prefixmem {
namespace {

using Level = std::pair<std::string_view, spdlog::level::level_enum>;
constexpr std::array<Level, 6> kLevels = {{{"trace", spdlog::level::trace},
                                           {"debug", spdlog::level::debug},
                                           {"info", spdlog::level::info},
                                           {"warning", spdlog::level::warn},
                                           {"error", spdlog::level::err},
                                           {"off", spdlog::level::off}}};

}  // namespace

Status set_up_log(std::string_view program, std::string_view level) {
  for (const auto& [name, value] : kLevels) {
    if (name != level) continue;
    auto logger = std::make_shared<spdlog::logger>(
        std::string(program), std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-7l %n: %v", spdlog::pattern_time_type::utc);
    logger->set_level(value);
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
    return {};
  }
  return invalid_argument("log level is " + std::string(level) +
                          "; allowed: trace, debug, info, warning, error, off");
}

}  // namespace prefixmem
