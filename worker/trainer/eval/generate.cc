#include <torch/types.h>

#include <algorithm>

#include "worker/trainer/data/common_prefixes.h"
#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/eval/math_answer.h"

namespace prefixmem::trainer {
namespace {

using Ids = std::vector<int32_t>;

std::string trimmed(const std::string& text) {
  const char* blanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// The beginning of the first of these texts; all of it where there is none.
size_t end_of_answer(const std::string& text, const std::vector<std::string>& stop) {
  size_t end = text.size();
  for (const std::string& one : stop) end = std::min(end, text.find(one));
  return end;
}

bool is_right(Metric metric, const std::string& text, const std::string& answer) {
  if (metric == Metric::kMathAnswer) return same_math_answer(text, answer);
  return trimmed(text) == trimmed(answer);
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

// Whether nothing that a row could still say would count.
Result<bool> is_done(const EvalContext& context, const Growth& row) {
  const EvalSpec& spec = context.spec;
  if (static_cast<int64_t>(row.ids.size()) >= spec.max_new_tokens) return true;
  if (spec.stop.empty()) return false;
  PM_ASSIGN(const std::string text, context.codec.decode(row.ids));
  return end_of_answer(text, spec.stop) < text.size();
}

// Greedy continuations, each up to eos (not included), a stop text or max_new_tokens; cut short by
// a stop of the evaluation.
Result<std::vector<Growth>> continue_greedily(const EvalContext& context,
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
      PM_ASSIGN(const bool done, is_done(context, *open[i]));
      if (!done) going_on.push_back(open[i]);
    }
    open = std::move(going_on);
  }
  return rows;
}

}  // namespace

Result<Tally> score_generation(const EvalContext& context, const std::vector<int64_t>& rows) {
  std::vector<TokenSpan> prompts;
  for (const int64_t row : rows) prompts.push_back(context.examples[row].prompt());
  PM_ASSIGN(const auto grown, continue_greedily(context, prompts));
  Tally tally = empty_tally(metric_of(context.spec), 0);
  for (size_t i = 0; i < rows.size(); ++i) {
    PM_ASSIGN(std::string text, context.codec.decode(grown[i].ids));
    text.resize(end_of_answer(text, context.spec.stop));
    tally[0] += is_right(metric_of(context.spec), text, context.examples[rows[i]].answer) ? 1 : 0;
    tally[1] += 1;
  }
  return tally;
}

}  // namespace prefixmem::trainer
