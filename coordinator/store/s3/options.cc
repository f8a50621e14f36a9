#include "coordinator/store/s3/options.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>

namespace prefixmem::store::s3 {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr size_t kLongestPrefix = 512;

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
}

// A name, as that of a bucket or one between the slashes of a prefix.
bool is_name(std::string_view text) {
  if (text.empty() || text == "." || text == "..") return false;
  for (const char c : text) {
    if (!is_plain(c)) return false;
  }
  return true;
}

Status refusal(const std::string& text) {
  return invalid_argument("--blobs is " + text +
                          "; allowed: s3://BUCKET or s3://BUCKET/PREFIX, of letters, digits, '-', "
                          "'_', '.' and in PREFIX '/'");
}

// With a slash at its end; none: it is no prefix.
Result<std::string> parse_prefix(std::string_view rest, const std::string& text) {
  std::string prefix;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  while (!rest.empty()) {
    const size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (!is_name(name)) return refusal(text);
    prefix.append(name).append("/");
    if (slash == rest.npos) break;
    rest.remove_prefix(slash + 1);
    if (rest.empty()) return refusal(text);
  }
  if (prefix.size() > kLongestPrefix) return refusal(text);
  return prefix;
}

Status check_endpoint(const std::string& endpoint) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!endpoint.starts_with(scheme)) continue;
    const std::string_view rest = std::string_view(endpoint).substr(scheme.size());
    if (!rest.empty() && rest.find_first_of("/?#@ ") == rest.npos) return {};
  }
  return invalid_argument("--s3-endpoint is " + endpoint +
                          "; allowed: https://HOST[:PORT] or http://HOST[:PORT]");
}

Result<std::string> required(const Environment& environment, const char* name) {
  std::string value = environment(name);
  if (!value.empty()) return value;
  return failed_precondition(
      fmt::format("{} is not set in the environment; --blobs s3://… needs AWS_ACCESS_KEY_ID and "
                  "AWS_SECRET_ACCESS_KEY",
                  name));
}

}  // namespace

std::string variable_of_process(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  return value == nullptr ? "" : value;
}

Result<Options> read_options(const Flags& flags, const Environment& environment) {
  if (!flags.blobs.starts_with(kScheme)) return refusal(flags.blobs);
  const std::string rest = flags.blobs.substr(kScheme.size());
  const size_t slash = rest.find('/');
  Options options;
  options.bucket = rest.substr(0, slash);
  if (!is_name(options.bucket)) return refusal(flags.blobs);
  if (slash != rest.npos) {
    PM_ASSIGN(options.prefix, parse_prefix(rest.substr(slash + 1), flags.blobs));
  }
  if (!flags.region.empty()) options.region = flags.region;
  if (!is_name(options.region)) {
    return invalid_argument("--s3-region is " + options.region + "; allowed: a name, us-east-1");
  }
  options.endpoint = flags.endpoint;
  if (options.endpoint.empty())
    options.endpoint = "https://s3." + options.region + ".amazonaws.com";
  if (options.endpoint.ends_with('/') && !options.endpoint.ends_with("//"))
    options.endpoint.pop_back();
  PM_TRY(check_endpoint(options.endpoint));
  PM_ASSIGN(options.credentials.access_key, required(environment, "AWS_ACCESS_KEY_ID"));
  PM_ASSIGN(options.credentials.secret_key, required(environment, "AWS_SECRET_ACCESS_KEY"));
  options.credentials.session_token = environment("AWS_SESSION_TOKEN");
  options.ca_file = environment("AWS_CA_BUNDLE");
  return options;
}

}  // namespace prefixmem::store::s3
