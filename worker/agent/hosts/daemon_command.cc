#include "worker/agent/hosts/daemon_command.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <set>
#include <string_view>

#include "common/spec/utf8.h"

namespace prefixmem::agent {
namespace {

using Check = bool (*)(std::string_view);

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool has_only(std::string_view value, std::initializer_list<std::string_view> characters) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [&](char one) {
    return std::any_of(characters.begin(), characters.end(), [&](std::string_view some) {
      return some.find(one) != std::string_view::npos;
    });
  });
}

bool is_number(std::string_view value) { return value.size() <= 20 && has_only(value, {kDigits}); }
bool is_list(std::string_view value) { return has_only(value, {kLetters, kDigits, "^_,-"}); }
bool is_networks(std::string_view value) { return has_only(value, {kLetters, kDigits, "_.,:/-"}); }
bool is_hosts(std::string_view value) {
  return has_only(value, {kLetters, kDigits, "_.,:@()*[]-"});
}
// "26279936.0;tcp://10.0.0.1:60993;tcp6://[fd00::2]:57841"
bool is_address(std::string_view value) {
  const size_t name = value.find(';');
  if (name == std::string_view::npos || !has_only(value.substr(0, name), {kDigits, "."})) {
    return false;
  }
  for (size_t at = name; at < value.size();) {
    const size_t end = std::min(value.find(';', at + 1), value.size());
    std::string_view part = value.substr(at + 1, end - at - 1);
    const size_t scheme = part.find("://");
    if (scheme == std::string_view::npos) return false;
    const std::string_view network = part.substr(0, scheme);
    if (network != "tcp" && network != "tcp6") return false;
    if (!has_only(part.substr(scheme + 3), {kDigits, "abcdef.:,[]"})) return false;
    at = end;
  }
  return true;
}

// Of Open MPI 4.1's parameters those that mpirun gives its daemon by itself, those that this agent
// gives mpirun, and those that say which networks to use.
const std::map<std::string_view, Check>& allowed_values() {
  static const std::map<std::string_view, Check> kAllowed = {
      {"btl", is_list},
      {"btl_tcp_if_exclude", is_networks},
      {"btl_tcp_if_include", is_networks},
      {"ess", [](std::string_view value) { return value == "env"; }},
      {"ess_base_jobid", is_number},
      {"ess_base_num_procs", is_number},
      {"ess_base_vpid", is_number},
      {"hwloc_base_binding_policy", is_list},
      {"mpi_yield_when_idle", is_number},
      {"oob_tcp_if_exclude", is_networks},
      {"oob_tcp_if_include", is_networks},
      {"oob_tcp_keepalive_intvl", is_number},
      {"oob_tcp_keepalive_probes", is_number},
      {"oob_tcp_keepalive_time", is_number},
      {"orte_hnp_uri", is_address},
      {"orte_leave_session_attached", is_number},
      {"orte_node_regex", is_hosts},
      {"plm", [](std::string_view value) { return value == "rsh"; }},
      {"plm_rsh_no_tree_spawn", is_number},
      {"pmix", is_list}};
  return kAllowed;
}

// Those that name a program or a folder of the head's host.
const std::set<std::string>& left_out() {
  static const std::set<std::string> kLeftOut = {"plm_rsh_agent", "orte_tmpdir_base"};
  return kLeftOut;
}

std::string unquoted(std::string word) {
  const size_t begin = word.find_first_not_of(' ');
  word.erase(0, begin == std::string::npos ? word.size() : begin);
  if (word.size() >= 2 && word.front() == '"' && word.back() == '"') {
    return word.substr(1, word.size() - 2);
  }
  return word;
}

Status refused(const std::string& what, const std::string& allowed) {
  return invalid_argument("the MPI daemon's command line has " + spec::shortened(what, 200) +
                          "; allowed: " + allowed);
}

}  // namespace

std::string mpi_name(size_t host) {
  return host == 0 ? "localhost" : "pmt-member" + std::to_string(host);
}

std::string mpi_name_variable(size_t host) { return "PMIX_HOSTNAME=" + mpi_name(host); }

Result<std::vector<std::string>> daemon_arguments(const std::vector<std::string>& shell_words) {
  std::vector<std::string> words;
  for (const std::string& word : shell_words) words.push_back(unquoted(word));
  if (words.empty() || words.front() != "orted") {
    return failed_precondition("mpirun wants \"" +
                               spec::shortened(words.empty() ? "" : words.front(), 200) +
                               "\" started on another host; allowed: orted, as Open MPI 4.1 "
                               "without a prefix asks for it");
  }
  words.erase(words.begin());
  return words;
}

Result<std::vector<std::string>> daemon_command(const std::filesystem::path& orted,
                                                const std::vector<std::string>& arguments,
                                                const std::filesystem::path& run) {
  std::vector<std::string> command = {orted.string()};
  for (size_t i = 0; i < arguments.size(); i += 3) {
    const std::string& word = arguments[i];
    if ((word != "-mca" && word != "--mca") || i + 2 >= arguments.size()) {
      return refused("\"" + word + "\"", "-mca KEY VALUE");
    }
    const std::string& key = arguments[i + 1];
    const std::string& value = arguments[i + 2];
    if (left_out().contains(key)) continue;
    const auto allowed = allowed_values().find(key);
    if (allowed == allowed_values().end()) {
      std::string keys;
      for (const auto& [name, check] : allowed_values()) {
        keys += (keys.empty() ? "" : ", ") + std::string(name);
      }
      return refused("the parameter " + key, keys);
    }
    if (!allowed->second(value)) {
      return refused(key + " \"" + value + "\"", "a value of that parameter's kind");
    }
    command.insert(command.end(), {"-mca", key, value});
  }
  command.insert(command.end(), {"-mca", "orte_tmpdir_base", run.string()});
  return command;
}

}  // namespace prefixmem::agent
