#include <torch/torch.h>

#include "worker/trainer/eval/evaluate.h"

namespace prefixmem::trainer {
namespace {

std::string trimmed(const std::string& text) {
  const char* blanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// Greedy continuation of a prompt, up to eos (not included) or max_new_tokens.
std::vector<int32_t> continue_greedily(const EvalContext& context,
                                       const std::vector<int32_t>& prompt) {
  const auto cache = context.model.new_cache();
  torch::Tensor hidden = context.model.extend(*cache, prompt, context.adapter);
  std::vector<int32_t> ids;
  while (static_cast<int64_t>(ids.size()) < context.spec.max_new_tokens) {
    const auto id = static_cast<int32_t>(context.model.logits(hidden).argmax(-1).item<int64_t>());
    if (id == context.codec.eos_id()) break;
    ids.push_back(id);
    if (static_cast<int64_t>(ids.size()) < context.spec.max_new_tokens) {
      hidden = context.model.extend(*cache, {id}, context.adapter);
    }
  }
  return ids;
}

}  // namespace

Result<Tally> score_generation(const EvalContext& context, int64_t row) {
  const Example& example = context.examples[row];
  const std::vector<int32_t> prompt(example.ids.begin(),
                                    example.ids.begin() + example.prompt_tokens);
  PM_ASSIGN(const std::string text, context.codec.decode(continue_greedily(context, prompt)));
  return Tally{trimmed(text) == trimmed(example.completion) ? 1.0 : 0.0, 1.0};
}

}  // namespace prefixmem::trainer
