// tokenizer_probe FOLDER: answers the JSON list of questions on its input with a JSON list.
//   {"encode": text, "special": bool}         {"ids": […]}
//   {"decode": [id, …], "special": bool}      {"text": …}   special: keep special tokens
//   {"chat": [message, …], "prompt": bool}    {"text": …}
//   {"eos": null}                             {"ids": [id]}
// What fails is answered with {"error": …}.
#include <iostream>
#include <nlohmann/json.hpp>

#include "worker/trainer/tokenizer/tokenizer.h"

namespace prefixmem::trainer {
namespace {

using json = nlohmann::ordered_json;  // templates may print objects

template <typename T>
json answer(const char* key, const Result<T>& result) {
  if (!result.ok()) return {{"error", result.status().to_string()}};
  return {{key, *result}};
}

json ask(const Tokenizer& tokenizer, const json& question) {
  if (question.contains("encode")) {
    return answer("ids",
                  tokenizer.encode(question["encode"].get<std::string>(), question["special"]));
  }
  if (question.contains("decode")) {
    const auto ids = question["decode"].get<std::vector<int32_t>>();
    return answer("text", tokenizer.decode(ids, !question["special"].get<bool>()));
  }
  if (question.contains("chat")) {
    return answer("text", tokenizer.render_chat(question["chat"].dump(), question["prompt"]));
  }
  return {{"ids", {tokenizer.eos_id()}}};
}

int run(const std::filesystem::path& folder) {
  const auto tokenizer = Tokenizer::load(folder);
  if (!tokenizer.ok()) {
    std::cerr << tokenizer.status().to_string() << "\n";
    return exit_code(tokenizer.status());
  }
  json answers = json::array();
  for (const json& question : json::parse(std::cin)) answers.push_back(ask(**tokenizer, question));
  std::cout << answers.dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace prefixmem::trainer

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tokenizer_probe FOLDER < QUESTIONS\n";
    return 2;
  }
  return prefixmem::trainer::run(argv[1]);
}
