// A tokenizer for tests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "worker/trainer/data/encode.h"

namespace prefixmem::trainer {

// One token a byte; 1 is the begin and 2 the end of a text.
class ByteCodec : public TextCodec {
 public:
  Result<std::vector<int32_t>> encode(std::string_view text, bool add_special) const override {
    std::vector<int32_t> ids;
    if (add_special) ids.push_back(1);
    for (const char c : text) ids.push_back(c == '$' ? 2 : static_cast<unsigned char>(c));
    return ids;
  }
  Result<std::string> decode(const std::vector<int32_t>& ids) const override {
    return std::string(ids.begin(), ids.end());
  }
  Result<std::string> render_chat(const std::string& messages, bool prompt) const override {
    std::string out;
    for (const auto& m : nlohmann::json::parse(messages)) {
      const std::string role = m["role"], content = m["content"];
      out += role.substr(0, 1) + ":" + content + end_of_turn;
    }
    return out + (prompt ? "a:" : "");
  }
  int32_t eos_id() const override { return 2; }
  std::string end_of_turn = "$";
};

}  // namespace prefixmem::trainer
