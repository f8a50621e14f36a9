#include "coordinator/provision/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "common/files.h"
#include "common/spec/map_reader.h"

namespace prefixmem::provision {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostBytes = int64_t{1} << 20;
constexpr int kMostSlots = 4096;
constexpr int kMostAllocations = 10000;
constexpr int kMostSeconds = 7 * 86400;

int whole(spec::MapReader& reader, const char* key, int unless, int least, int most) {
  const auto value = reader.number(key);
  if (!value) return unless;
  if (*value < least || *value > most) {
    reader.fail(key, fmt::format("a whole number from {} to {}", least, most));
    return unless;
  }
  return static_cast<int>(*value);
}

Millis seconds(spec::MapReader& reader, const char* key, Millis unless, int least) {
  const auto value = static_cast<int>(unless / std::chrono::seconds(1));
  return std::chrono::seconds(whole(reader, key, value, least, kMostSeconds));
}

// A word that is no option would take the script's place; the others, which may be shortened, would
// have sbatch do something else than submit one allocation to the cluster that squeue tells of.
bool may_be_argument(std::string_view word) {
  if (!word.starts_with("--") || word.size() == 2) return false;
  constexpr std::array<std::string_view, 8> kOthers = {
      "--array", "--clusters", "--help", "--test-only", "--usage", "--version", "--wait", "--wrap"};
  const std::string_view name = word.substr(0, word.find('='));
  return std::none_of(kOthers.begin(), kOthers.end(),
                      [&](std::string_view other) { return other.starts_with(name); });
}

void read_limits(spec::MapReader& reader, scheduler::FleetLimits& limits) {
  limits.slots = whole(reader, "slots", 1, 1, kMostSlots);
  const std::string device = reader.text("device");
  limits.device = device == "cuda" ? Device::kCuda : Device::kCpu;
  if (!device.empty() && device != "cpu" && device != "cuda") reader.fail("device", "cpu or cuda");
  limits.most = whole(reader, "max", 1, 1, kMostAllocations);
  limits.least = whole(reader, "min", 0, 0, limits.most);
  limits.most_pending = whole(reader, "max_pending", limits.most, 1, kMostAllocations);
  limits.idle = seconds(reader, "idle_seconds", limits.idle, 0);
  limits.start = seconds(reader, "start_seconds", limits.start, 1);
  limits.backoff.first = seconds(reader, "backoff_seconds", limits.backoff.first, 1);
  limits.backoff.longest = std::max(
      limits.backoff.first, seconds(reader, "max_backoff_seconds", limits.backoff.longest, 1));
}

}  // namespace

Result<Config> parse_config(std::string_view yaml, const fs::path& folder) {
  PM_ASSIGN(const spec::Tree tree, spec::parse_tree(yaml));
  spec::MapReader reader(tree, "");
  Config config;
  if (reader.required_text("type") != "slurm") reader.fail("type", "slurm");
  config.script = folder / reader.required_text("script");
  if (access(config.script.c_str(), R_OK) != 0) {
    reader.fail("script", "a file that can be read, here " + config.script.string());
  }
  config.arguments = reader.texts("arguments");
  for (const std::string& word : config.arguments) {
    if (may_be_argument(word)) continue;
    return invalid_argument(fmt::format(
        "arguments holds \"{}\"; allowed: long options of sbatch, --name=value, that leave it "
        "submitting one job",
        word));
  }
  read_limits(reader, config.limits);
  config.poll = seconds(reader, "poll_seconds", config.poll, 1);
  PM_TRY(reader.finish());
  return config;
}

Result<Config> read_config(const fs::path& file) {
  const auto text = read_file(file, kMostBytes);
  if (!text.ok()) return text.status().with_context("--provisioner");
  auto config = parse_config(*text, fs::absolute(file).parent_path());
  if (!config.ok()) return config.status().with_context(file.string());
  return config;
}

}  // namespace prefixmem::provision
