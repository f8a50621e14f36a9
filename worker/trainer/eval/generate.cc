#include <torch/types.h>

#include <algorithm>

#include "worker/trainer/data/common_prefixes.h"
#include "worker/trainer/eval/evaluate.h"

namespace prefixmem::trainer {
namespace {

using Ids = std::vector<int32_t>;

std::string trimmed(const std::string& text) {
  const char* blanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// A row as it grows.
struct Growth {
  std::shared_ptr<RowCache> cache;
  Ids unread;  // tokens that the cache lacks
  Ids ids;     // generated so far
};

// What all prompts begin with, less a token of the shortest, so that each has one left to read.
int64_t common_tokens(const std::vector<TokenSpan>& prompts) {
  const CommonPrefixes sequences(prompts, kMinShared);
  const int64_t last = sequences.size() - 1;
  const int64_t shortest = sequences.length(sequences.at(0));
  return last == 0 ? 0 : std::max<int64_t>(0, std::min(sequences.shared(0, last), shortest - 1));
}

std::vector<Growth> start(const EvalContext& context, const std::vector<TokenSpan>& prompts) {
  const int64_t common = common_tokens(prompts);
  const auto begun = context.model.new_cache();
  if (common > 0) {
    const TokenSpan tokens = prompts.front().first(common);
    context.model.extend(*begun, {tokens.begin(), tokens.end()}, context.adapter);
  }
  std::vector<Growth> rows;
  for (const TokenSpan& prompt : prompts) {
    rows.push_back({common > 0 ? context.model.copy(*begun) : context.model.new_cache(),
                    {prompt.begin() + common, prompt.end()},
                    {}});
  }
  return rows;
}

// The likeliest next token of each row.
std::vector<int64_t> next_tokens(const EvalContext& context, const std::vector<Growth*>& rows) {
  std::vector<RowCache*> caches;
  std::vector<Ids> tokens;
  for (Growth* row : rows) {
    caches.push_back(row->cache.get());
    tokens.push_back(std::move(row->unread));
  }
  const torch::Tensor hidden = context.model.extend_rows(caches, tokens, context.adapter);
  const torch::Tensor best = context.model.logits(hidden).argmax(-1).cpu();
  return {best.data_ptr<int64_t>(), best.data_ptr<int64_t>() + best.numel()};
}

// Greedy continuations, each up to eos (not included) or max_new_tokens; cut short by a stop.
std::vector<Growth> continue_greedily(const EvalContext& context,
                                      const std::vector<TokenSpan>& prompts) {
  std::vector<Growth> rows = start(context, prompts);
  std::vector<Growth*> open;
  for (Growth& row : rows) open.push_back(&row);
  while (!open.empty() && !context.should_stop()) {
    const auto next = next_tokens(context, open);
    std::vector<Growth*> going_on;
    for (size_t i = 0; i < open.size(); ++i) {
      const auto id = static_cast<int32_t>(next[i]);
      if (id == context.codec.eos_id()) continue;
      open[i]->ids.push_back(id);
      open[i]->unread = {id};
      const bool full = static_cast<int64_t>(open[i]->ids.size()) >= context.spec.max_new_tokens;
      if (!full) going_on.push_back(open[i]);
    }
    open = std::move(going_on);
  }
  return rows;
}

}  // namespace

Result<Tally> score_generation(const EvalContext& context, const std::vector<int64_t>& rows) {
  std::vector<TokenSpan> prompts;
  for (const int64_t row : rows) prompts.push_back(context.examples[row].prompt());
  const auto grown = continue_greedily(context, prompts);
  Tally tally;
  for (size_t i = 0; i < rows.size(); ++i) {
    PM_ASSIGN(const std::string text, context.codec.decode(grown[i].ids));
    tally.value += trimmed(text) == trimmed(context.examples[rows[i]].completion) ? 1 : 0;
    tally.weight += 1;
  }
  return tally;
}

}  // namespace prefixmem::trainer
