#include <algorithm>
#include <iterator>
#include <set>

#include "common/spec/keys.h"
#include "common/spec/spec_io.h"
#include "common/spec/suggest.h"

namespace prefixmem {
namespace {

using spec::KeyInfo;

// "default 8", "required"; empty for maps of keys.
std::string fallback_text(const KeyInfo& key, const std::string& before) {
  if (!key.required.empty()) return key.required;
  if (key.section && key.fallback.empty()) return "";
  return before + (key.optional ? "none" : key.fallback);
}

// One key in full.
std::string describe_key(const KeyInfo& key) {
  std::string text = key.path;
  if (!key.union_type.empty()) text += " (type " + key.union_type + ")";
  text += "\n  " + key.doc + "\n  allowed: " + key.allowed + "\n";
  const std::string fallback = fallback_text(key, "default: ");
  return text + (fallback.empty() ? "" : "  " + fallback + "\n");
}

// One key as a line of its section's list.
std::string list_key(const KeyInfo& key, size_t width) {
  std::string text = "  " + key.path + std::string(width - key.path.size() + 2, ' ');
  if (!key.union_type.empty()) text += "[" + key.union_type + "] ";
  text += key.allowed;
  const std::string fallback = fallback_text(key, "default ");
  return text + (fallback.empty() ? "" : "; " + fallback) + "\n";
}

std::string list_keys(const std::vector<KeyInfo>& keys) {
  size_t width = 0;
  for (const KeyInfo& key : keys) width = std::max(width, key.path.size());
  std::string text;
  for (const KeyInfo& key : keys) text += list_key(key, width);
  return text;
}

std::string escape_cell(std::string text) {
  for (size_t i = text.find('|'); i != text.npos; i = text.find('|', i + 2)) text.insert(i, "\\");
  return text;
}

std::string code_cell(const std::string& text) {
  return text.empty() ? "" : "`" + escape_cell(text) + "`";
}

std::string markdown_row(const KeyInfo& key) {
  const std::string of = key.union_type.empty() ? "" : " (" + key.union_type + ")";
  return "| `" + key.path + "`" + of + " | " + escape_cell(key.allowed) + " | " +
         (!key.required.empty() ? key.required
          : key.optional        ? "none"
                                : code_cell(key.fallback)) +
         " | " + escape_cell(key.doc) + " |\n";
}

constexpr std::string_view kHead = R"(# The job spec

This page is generated from the schema (`common/spec/schema.h`). The test `job_spec_doc_test` compares
the two; with PREFIXMEM_UPDATE_DOCS=1 in its environment it writes the page anew.

A job spec is one YAML document (JSON is YAML too) of at most 1 MiB; the API takes it as text or as the message
`prefixmem.v1.JobSpec`, whose fields have the same names and meanings. A key that is not listed here
is refused, never ignored. Anchors, aliases, tags and keys given twice are refused as well.

```yaml
name: banking-lora
model: /models/gemma3-270m
method: {type: lora, r: 8}
data:
  train: train.jsonl
  eval: test.jsonl
  format: text_label
  template: "Message: {text}\nIntent:"
  completion: " {label}"
  few_shot: {per_class: 1}
train: {max_steps: 100, learning_rate: 1e-3}
eval: {mode: label_likelihood, before: true}
resources: {ranks: 2}
```

`method` and `objective` are unions: `type` chooses the alternative and with it the other keys. Where
all of those are to be the defaults, the type alone will do: `method: lora`. Several adapter methods train
together as a list: `method: [prefix_memory, {type: lora, r: 4}]` is short for `type: combined` with `methods`.

## Keys

| Key | Allowed | Default | Meaning |
|---|---|---|---|
)";

constexpr std::string_view kTail = R"(
Paths of files and folders may also be `content://SHA256/NAME` (a folder with a slash at the end): files that the
coordinator keeps. `pmt submit` makes these of the local files that a spec names. `root://NAME/PATH` is what lies below a
folder that each worker has been given under that name, `models://NAME` a model that the coordinator keeps, `hf://ORG/NAME@COMMIT` one of
the Hugging Face Hub where workers may fetch it, `job://JOB` what a job has trained, `job://JOB/best` that of its best
evaluation ([content.md](content.md)).

## Rules across keys

- `model` is required, and `data.train` unless the method is `none`.
- Exactly one of `train.max_steps` and `train.epochs` is given; under method `none` neither.
- `data.few_shot`, `data.labels`, `data.label_words` and `eval.mode: label_likelihood` need `data.format: text_label`.
  `data.template`, for text_label and prompt_completion, contains `{text}`; `data.completion`, for text_label,
  contains `{label}`.
- `eval.metric` is one of its mode's: label_likelihood accuracy or macro_f1; generate exact_match or math_answer; loss
  and preference their own. `eval.stop` goes with generate.
- Under `eval.split: validation` there is `data.validation` or `data.holdout`; `eval.data` is of test rows, so it is not
  read then.
- With `eval.data` the rules on held-out rows are on its format, not on data's; under `eval.mode: loss` both or
  neither are preference.
- The objectives `dpo` and `simpo` and `eval.mode: preference` need `data.format: preference`, and that format
  one of these objectives. `label_smoothing` is for the loss `sigmoid`.
- `data.columns` names fields of the format: prompt, completion, answer; text, label; messages; prompt, chosen,
  rejected.
- prefix_memory: `feature_dim` and `feature_lr_ratio` are for the map `mlp`, `query` is for the scope `head`.
- prefix_tuning: `encoder_hidden_size` is for `prefix_projection`, with which `init_weights` is `random`;
  `init_text` goes with `init_weights: text`.
- combined: at least two methods, each once.
- `train.continue_from` goes with a method that trains; training ends behind the checkpoint's step.

## Sweeps

The trials of a `sweep` are each entry of `trials` (or one empty entry) combined with every combination of the
`grid`, in that order; the grid's keys are sorted and the last one changes fastest. At most 10,000.
A trial is the spec without `sweep` and with the given values put in at their dotted paths: a block
before its keys, `type` before the keys beside it (another type drops them). `null` takes an optional key
away, e.g. `train.max_steps: null` beside `train.epochs: 3`. Each trial is checked as a spec of its own,
so what every trial gives need not be in the spec itself.

A trial is named `<name>-<number>`, from 1, unless it gives a `name`; it gets the label
`sweep.<path>` for each value given.

```yaml
sweep:
  trials:
    - {name: base, method: none, train.max_steps: null}
    - {name: lora, method: {type: lora, r: 8}}
    - {name: prefix-memory, method: prefix_memory, train.learning_rate: 1e-2}
```

With `seeds` (a list, or how many) each of them is a trial for every seed, which becomes `train.seed` and, where
`data.few_shot` samples rows, `data.few_shot.seed`; method `none`, which no seed changes, has one. `pmt results SWEEP`
shows the mean and the sample standard deviation over seeds.

## Searches

With `space`, trials are not all made at once: each is chosen when a place is free, from what the others have
reported. A trial's score is its last evaluation of `goal.metric`.

Each combination of `grid` and `trials` has a search of its own in `space`, with a `budget.trials` of its own: with
`method` in `trials` and `benchmark` in `grid` the best setting is found for each method on each benchmark. `tune_on`
names values of an axis on which one search for the whole axis tries its settings.

```yaml
train: {max_steps: 81, eval_every: 1}
sweep:
  search: {type: asha, reduction_factor: 3}
  space:
    method: [lora, prefix_memory]
    method.r: {type: int, low: 2, high: 64, log: true, when: {method: [lora]}}
    train.learning_rate: {type: log_uniform, low: 1e-5, high: 1e-1}
  budget: {trials: 200}
```

- A trial leaves a key whose `when` it does not meet as the spec has it. Keys that `when` names are choices of the space, or
  of `grid` and `trials`. A combination for which no key is left has one setting.
- A setting is tried with each of `seeds`, and with `tune_on` on each of its values; its score is the mean over the trials
  that have finished, of the means over seeds where there are several values. All of them must then have a score.
- With `test` a search compares settings by validation rows (`eval.split: validation`): `data.validation`, or
  `data.holdout`, a part of the training rows that nobody trains on. When it has ended, its best setting is trained anew
  with each of `test.seeds`, on every combination, and scored on the test rows. Without `test` the scores that are
  shown are those that settings were chosen by, which makes them look better than they are.
- Searches take turns: the next setting is of the one that has tried the fewest. What was begun is finished first.
- `grid` needs choices and whole numbers. `tpe` ranks finished trials by their score, stopped ones behind them.
- Under `asha` and `hyperband` a trial that comes to a rung is stopped unless its value is among the best
  1/`reduction_factor` of those that have come there so far; none is paused. They need `train.eval_every`. A stopped
  trial's job is cancelled, with the rung and the value as its reason. Of several trials of a setting the first is
  judged; the others begin when it has finished and are never stopped, so that a mean is over whole trials.
- Under `pbt` (population based training) each of `budget.trials` members trains for `interval` steps, in a trial of its
  own; when all have ended, the worst `quantile` of them and whoever has no score take over from the best
  `quantile`: weights, AdamW's moments and step (`train.continue_from`), and a setting near theirs. The others go on from
  themselves. The next trials train for `interval` steps more, up to `train.max_steps`, which is needed, with the schedule
  constant: what the members' settings do over the steps is the schedule. The space has keys alone that each step
  asks for anew: `learning_rate` and its ratios, `warmup_steps`, `weight_decay`, `max_grad_norm`, a LoRA's `dropout`, the
  numbers of the objective. Of `seeds` there is at most one, and no `test`. Which member takes over from whom follows from the scores and the seed alone, whatever ended first.
  `pmt results` counts each member's newest trial. Every interval loads the model anew.
- `budget.tokens`, `budget.seconds`, `budget.devices` and `max_concurrent` bound the whole sweep, `budget.trials` each search.
- A search ends with its budget, with a grid's last setting, or when ten trials in a row have failed.
- The same spec, seed and results in the same order give the same trials. What was chosen is stored before it runs: a
  coordinator that is killed goes on where it was.
)";

// The keys that have `word` among their values: "method" for lora.
std::string keys_with_value(std::string_view word, const std::vector<KeyInfo>& keys) {
  const std::string listed = ", " + std::string(word) + ",";
  std::set<std::string_view> found;
  for (const KeyInfo& key : keys) {
    if ((", " + key.allowed + ",").find(listed) != std::string::npos) found.insert(key.path);
  }
  std::string text;
  for (const std::string_view path : found) text += (text.empty() ? "" : ", ") + std::string(path);
  return text;
}

// Of what is no key: those that have it as a value, the key that is nearest, or those of the
// section that it begins with.
std::string what_is_meant(std::string_view path, const std::vector<KeyInfo>& keys) {
  const std::string owners = keys_with_value(path, keys);
  if (!owners.empty()) return "it is a value of " + owners;
  std::set<std::string_view> paths;  // a key of several methods is there for each
  for (const KeyInfo& key : keys) paths.insert(key.path);
  const std::vector<std::string_view> all(paths.begin(), paths.end());
  const std::string ending = "." + std::string(path);
  std::vector<std::string_view> below;  // keys of that name in a section
  std::copy_if(all.begin(), all.end(), std::back_inserter(below),
               [&](std::string_view key) { return key.ends_with(ending); });
  if (below.size() == 1) return "did you mean " + std::string(below.front()) + "?";
  if (!spec::nearest(path, all).empty()) return spec::suggestion(path, all);
  std::string section(path);
  std::vector<std::string_view> names;  // of its keys
  do {
    if (section.ends_with('.')) section.pop_back();
    const size_t dot = section.rfind('.');
    section.erase(dot == std::string::npos ? 0 : dot + 1);  // "train." or ""
    for (std::string_view key : all) {
      if (!key.starts_with(section)) continue;
      key.remove_prefix(section.size());
      if (key.find('.') == std::string_view::npos) names.push_back(key);
    }
  } while (names.empty());
  const std::string_view near = spec::nearest(path.substr(section.size()), names);
  if (!near.empty()) return "did you mean " + section + std::string(near) + "?";
  std::vector<std::string> whole;
  for (const std::string_view name : names) whole.push_back(section + std::string(name));
  return spec::suggestion(path, {whole.begin(), whole.end()});
}

}  // namespace

Result<std::string> explain(std::string_view path) {
  const auto keys = spec::schema_keys();
  if (path.empty()) return list_keys(keys);
  std::string text;
  std::vector<KeyInfo> below;
  for (const KeyInfo& key : keys) {
    if (key.path == path) text += describe_key(key);
    if (key.path.starts_with(std::string(path) + ".")) below.push_back(key);
  }
  if (!text.empty()) return text + list_keys(below);
  return invalid_argument(std::string(path) + " is not a key; " + what_is_meant(path, keys));
}

std::string job_spec_markdown() {
  std::string text(kHead);
  for (const KeyInfo& key : spec::schema_keys()) text += markdown_row(key);
  return text + std::string(kTail);
}

}  // namespace prefixmem
