// Each way in which a spec can be wrong, and the sentence it gets, word for word.
#include <gtest/gtest.h>

#include "common/spec/spec_io.h"

namespace prefixmem {
namespace {

struct Case {
  std::string yaml;
  std::string message;
};

void expect_refused(const std::vector<Case>& cases) {
  for (const auto& [yaml, message] : cases) {
    const Status status = parse_job_spec(yaml).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << yaml;
    EXPECT_EQ(status.message(), message) << yaml;
  }
}

const std::string kName = "1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit";

const std::string kTypes = "prefix_memory, prefix_tuning, lora, full, combined, none";

TEST(BadSpec, UnknownKeys) {
  expect_refused({
      {"train: {learning_rat: 1}", "train.learning_rat is not a key; did you mean learning_rate?"},
      {"nam: a", "nam is not a key; did you mean name?"},
      {"train: {lr: 1}", "train.lr is not a key; did you mean learning_rate?"},
      {"train: {batch_size: 1}", "train.batch_size is not a key; did you mean global_batch_size?"},
      {"data: {x: 1}",
       "data.x is not a key; allowed: train, validation, holdout, eval, format, template, "
       "completion, columns, labels, "
       "label_words, few_shot, max_tokens, overflow"},
      {"method: {type: lora, rank: 8}",
       "method.rank is not a key of lora; allowed: type, r, alpha, target_modules, dropout, bias, "
       "use_rslora, use_dora, loraplus_lr_ratio, init_weights, init"},
      {"method: {type: prefix_memory, r: 8}",
       "method.r is not a key of prefix_memory; allowed: type, feature_map, feature_dim, query, "
       "scope, layers, feature_lr_ratio, init"},
      {"method: {type: none, r: 8}", "method.r is not a key of none; allowed: type"},
      {"data: {few_shot: {per_clas: 1}}",
       "data.few_shot.per_clas is not a key; did you mean per_class?"},
      {"sweep: {gird: {}}", "sweep.gird is not a key; did you mean grid?"},
      {"<<: {name: a}",
       "<< is not a key; allowed: name, model, benchmark, method, objective, data, train, eval, "
       "resources, priority, after, labels, sweep"},
      {"train: {learning_rat: 1, seed: -1}",
       "train.learning_rat is not a key; did you mean learning_rate?"},
  });
}

TEST(BadSpec, WrongTypes) {
  expect_refused({
      {"", "the spec is empty; allowed: a map of keys"},
      {"[1]", "the spec is a list; allowed: a map of keys"},
      {"hello", "the spec is hello; allowed: a map of keys"},
      {"train: 3", "train is 3; allowed: a map of keys"},
      {"train: [1]", "train is a list; allowed: a map of keys"},
      {"train:", "train is empty; allowed: a map of keys"},
      {"name: [a]", "name is a list; allowed: " + kName},
      {"name: null", "name is empty; allowed: " + kName},
      {"model: {a: b}", "model is a map; allowed: text"},
      {"train: {max_steps: 1.5}", "train.max_steps is 1.5; allowed: a whole number of at least 1"},
      {"train: {max_steps: ten}", "train.max_steps is ten; allowed: a whole number of at least 1"},
      {"train: {max_steps: \"10\"}",
       "train.max_steps is \"10\"; allowed: a whole number of at least 1"},
      {"train: {max_steps: 99999999999999999999}",
       "train.max_steps is 99999999999999999999; allowed: a whole number of at least 1"},
      {"train: {max_steps: 0x10}",
       "train.max_steps is 0x10; allowed: a whole number of at least 1"},
      {"train: {learning_rate: .nan}", "train.learning_rate is .nan; allowed: a number above 0"},
      {"train: {learning_rate: inf}", "train.learning_rate is inf; allowed: a number above 0"},
      {"train: {learning_rate: 1e999}", "train.learning_rate is 1e999; allowed: a number above 0"},
      {"train: {learning_rate: 1e-3x}", "train.learning_rate is 1e-3x; allowed: a number above 0"},
      {"eval: {before: yes}", "eval.before is yes; allowed: true or false"},
      {"eval: {before: \"true\"}", "eval.before is \"true\"; allowed: true or false"},
      {"labels: [a]", "labels is a list; allowed: a map of text to text"},
      {"labels: {a: {b: c}}", "labels.a is a map; allowed: text"},
      {"method: {type: lora, target_modules: {q: v}}",
       "method.target_modules is a map; allowed: a list of text, or one text alone"},
      {"method: {type: lora, target_modules: [q, [v]]}",
       "method.target_modules[1] is a list; allowed: text"},
      {"method: [lora, full]",
       "method.methods[1] is full; allowed: prefix_memory, prefix_tuning, lora"},
      {"method: {type: combined, methods: lora}",
       "method.methods is lora; allowed: a list of prefix_memory, prefix_tuning, lora"},
      {"objective: [sft]", "objective is a list; allowed: sft, dpo, simpo"},
      {"method: {r: 8}", "method.type is missing; allowed: " + kTypes},
      {"method: lorra", "method is lorra; allowed: " + kTypes},
      {"method: {type: lorra}", "method.type is lorra; allowed: " + kTypes},
      {"objective: ppo", "objective is ppo; allowed: sft, dpo, simpo"},
      {"sweep: []", "sweep is a list; allowed: a map of keys"},
      {"sweep: {grid: []}",
       "sweep.grid is a list; allowed: a map of dotted paths to lists of values"},
      {"sweep: {grid: {train.seed: 3}}",
       "sweep.grid.train.seed is 3; allowed: a list of at least one value"},
      {"sweep: {grid: {train.seed: []}}",
       "sweep.grid.train.seed is a list; allowed: a list of at least one value"},
      {"sweep: {trials: {}}",
       "sweep.trials is a map; allowed: a list of maps of dotted paths to values"},
      {"sweep: {trials: [a]}", "sweep.trials[0] is a; allowed: a map of dotted paths to values"},
  });
}

TEST(BadSpec, TimeLimits) {
  const std::string allowed = "; allowed: a time such as 90s, 45m, 1h30m or 2d, from 1s to 366d";
  std::vector<Case> cases;
  for (const char* text : {"3600", "1.5h", "-1h", "0s", "367d", "1m1h", "1h1h", "h", "1w",
                           "99999999999999999999s", "4294967295d"}) {
    cases.push_back({"resources: {time_limit: " + std::string(text) + "}",
                     "resources.time_limit is " + std::string(text) + allowed});
  }
  cases.push_back({"resources: {time_limit: ''}", "resources.time_limit is \"\"" + allowed});
  expect_refused(cases);
}

TEST(BadSpec, OutOfRange) {
  expect_refused({
      {"name: Bad Name", "name is \"Bad Name\"; allowed: " + kName},
      {"name: -a", "name is -a; allowed: " + kName},
      {"name: " + std::string(64, 'a'), "name is " + std::string(64, 'a') + "; allowed: " + kName},
      {"name: " + std::string(100, 'A'),
       "name is \"" + std::string(80, 'A') + "…\"; allowed: " + kName},
      {"train: {learning_rate: -1}", "train.learning_rate is -1; allowed: a number above 0"},
      {"train: {learning_rate: 0}", "train.learning_rate is 0; allowed: a number above 0"},
      {"train: {max_steps: 0}", "train.max_steps is 0; allowed: a whole number of at least 1"},
      {"train: {epochs: 0}", "train.epochs is 0; allowed: a number above 0"},
      {"train: {global_batch_size: 0}",
       "train.global_batch_size is 0; allowed: a whole number of at least 1"},
      {"train: {micro_batch_tokens: 0}",
       "train.micro_batch_tokens is 0; allowed: a whole number of at least 1"},
      {"train: {warmup_steps: -1}",
       "train.warmup_steps is -1; allowed: a whole number of at least 0"},
      {"train: {max_grad_norm: -0.5}",
       "train.max_grad_norm is -0.5; allowed: a number of at least 0"},
      {"train: {schedule: step}", "train.schedule is step; allowed: constant, linear, cosine"},
      {"train: {dtype: fp16}", "train.dtype is fp16; allowed: bf16, fp32"},
      {"data: {format: csv}",
       "data.format is csv; allowed: prompt_completion, text_label, messages, preference"},
      {"data: {few_shot: {per_class: 0}}",
       "data.few_shot.per_class is 0; allowed: a whole number of at least 1"},
      {"data: {overflow: cut}",
       "data.overflow is cut; allowed: error, drop, truncate_left, truncate_right"},
      {"eval: {mode: f1}",
       "eval.mode is f1; allowed: label_likelihood, generate, loss, preference"},
      {"eval: {max_new_tokens: 0}",
       "eval.max_new_tokens is 0; allowed: a whole number of at least 1"},
      {"resources: {ranks: 0}",
       "resources.ranks is 0; allowed: a whole number of at least 1 and at most 1024"},
      {"resources: {ranks: 1025}",
       "resources.ranks is 1025; allowed: a whole number of at least 1 and at most 1024"},
      {"resources: {device: tpu}", "resources.device is tpu; allowed: auto, cpu, cuda"},
      {"method: {type: lora, r: 0}",
       "method.r is 0; allowed: a whole number of at least 1 and at most 4096"},
      {"method: {type: lora, alpha: 0}", "method.alpha is 0; allowed: a number above 0"},
      {"method: {type: prefix_memory, feature_map: relu}",
       "method.feature_map is relu; allowed: elu, elu_plus_one, gelu, mlp"},
      {"method: {type: lora, dropout: 1}",
       "method.dropout is 1; allowed: a number of at least 0 and below 1"},
      {"method: {type: prefix_tuning, num_virtual_tokens: 0}",
       "method.num_virtual_tokens is 0; allowed: a whole number of at least 1 and at most 4096"},
      {"objective: {type: dpo, beta: 0}", "objective.beta is 0; allowed: a number above 0"},
      {"priority: 5000",
       "priority is 5000; allowed: a whole number of at least -1000 and at most 1000"},
  });
}

TEST(BadSpec, RulesAcrossKeys) {
  const std::string head = "name: a\nmodel: /m\n";
  const std::string data = head + "data: {train: t}\n";
  const std::string full = data + "train: {max_steps: 1}\n";
  const std::string labels = head + "train: {max_steps: 1}\n";
  expect_refused({
      {"{}", "name is missing; required: " + kName},
      {"name: a", "model is missing; required: a Hugging Face folder or a GGUF file"},
      {data, "train.max_steps is missing; required: exactly one of max_steps and epochs"},
      {full + "resources: {ranks: 2, min_ranks: 3}",
       "resources.min_ranks is 3; allowed: at most resources.ranks (2)"},
      {data + "method: full\ntrain: {max_steps: 1, deterministic: true}\n"
              "resources: {ranks: 2, min_ranks: 1}",
       "resources.min_ranks is 1 with method full under train.deterministic; allowed: "
       "resources.ranks, for a whole model gives the same bits on the same number of ranks alone"},
      {full + "method: full\nresources: {ranks: 2, shard_base: true}",
       "resources.shard_base is true with method full; allowed: with methods that leave the base "
       "as "
       "it is"},
      {data + "train: {max_steps: 1, epochs: 1}",
       "train.max_steps and train.epochs are both given; allowed: exactly one of them, the other "
       "null"},
      {head + "method: none\ntrain: {max_steps: 1}",
       "train.max_steps is given; allowed under method none: neither max_steps nor epochs"},
      {head + "method: none\ntrain: {epochs: 1}",
       "train.epochs is given; allowed under method none: neither max_steps nor epochs"},
      {head + "method: none\ntrain: {keep_best: true, eval_every: 1}",
       "train.keep_best is true; allowed: with a method other than none"},
      {data + "train: {max_steps: 1, keep_best: true}",
       "train.keep_best is true with train.eval_every 0; required: a number of steps"},
      {data + "train: {max_steps: 1, keep_best: true, eval_every: 1, output: none}",
       "train.keep_best is true with train.output none; allowed: with all or adapter"},
      {data + "train: {max_steps: 1, keep_checkpoints: 0}",
       "train.keep_checkpoints is 0; allowed: a whole number of at least 1 and at most 1000"},
      {head + "train: {epochs: 1}", "data.train is missing; required: a file of training rows"},
      {head + "train: {epochs: 1}\nbenchmark: gsm8k",
       "data.train is missing; required: a file of training rows (pmt submit fills in that of "
       "benchmark \"gsm8k\")"},
      {full + "eval: {mode: label_likelihood}",
       "eval.mode is label_likelihood with data.format prompt_completion; allowed: only with "
       "text_label"},
      {labels + "data: {train: t, format: messages, few_shot: {}}",
       "data.few_shot is given with data.format messages; allowed: only with text_label"},
      {labels + "data: {train: t, format: text_label, template: \"{txt}\"}",
       "data.template is \"{txt}\"; allowed: text that contains {text}"},
      {labels + "data: {train: t, format: text_label, completion: x}",
       "data.completion is \"x\"; allowed: text that contains {label}"},
      {full + "method: {type: lora, target_modules: []}",
       "method.target_modules is empty; allowed: at least one name"},
      {full + "method: {type: lora, target_modules: [\"\"]}",
       "method.target_modules holds an empty name; allowed: names of modules"},
  });
}

TEST(BadSpec, RulesAmongTheKeysOfAMethod) {
  const std::string head = "name: a\nmodel: /m\ndata: {train: t}\ntrain: {max_steps: 1}\n";
  const std::string memory = head + "method: {type: prefix_memory, ";
  const std::string prefix = head + "method: {type: prefix_tuning, ";
  const std::string layers = "; allowed: all alone, or numbers from 0 and ranges such as 0-11";
  expect_refused({
      {memory + "feature_dim: 4}",
       "method.feature_dim is 4; allowed: only with method.feature_map mlp"},
      {memory + "feature_lr_ratio: 2}",
       "method.feature_lr_ratio is 2; allowed: only with method.feature_map mlp"},
      {memory + "scope: hidden, query: pre_rope}",
       "method.query is pre_rope; allowed: only with method.scope head"},
      {memory + "layers: []}", "method.layers: the list is empty" + layers},
      {memory + "layers: [3-1]}", "method.layers: \"3-1\" is no layer" + layers},
      {memory + "layers: [all, 1]}", "method.layers: \"all\" is no layer" + layers},
      {memory + "layers: [-1]}", "method.layers: \"-1\" is no layer" + layers},
      {prefix + "encoder_hidden_size: 8}",
       "method.encoder_hidden_size is 8; allowed: only with method.prefix_projection true"},
      {prefix + "init_weights: zero, prefix_projection: true}",
       "method.init_weights is zero; allowed: only with method.prefix_projection false"},
      {prefix + "init_weights: text}",
       "method.init_text is missing; required with method.init_weights text"},
      {prefix + "init_text: hello}",
       "method.init_text is given; allowed: only with method.init_weights text"},
      {head + "method: [lora]", "method.methods has 1 entries; allowed: at least 2"},
      {head + "method: [lora, {type: lora, r: 2}]",
       "method.methods has lora twice; allowed: each method once"},
      {head + "method: [prefix_memory, {type: lora, target_modules: []}]",
       "method.methods[1].target_modules is empty; allowed: at least one name"},
  });
}

TEST(BadSpec, RulesOfObjectivesAndFormats) {
  const std::string head = "name: a\nmodel: /m\ntrain: {max_steps: 1}\n";
  const std::string pairs = head + "data: {train: t, format: preference}\n";
  expect_refused({
      {head + "data: {train: t}\nobjective: dpo",
       "objective is dpo with data.format prompt_completion; allowed: only with preference"},
      {pairs,
       "objective is sft with data.format preference; allowed: dpo, simpo (or another "
       "format)"},
      {pairs + "objective: {type: dpo, loss: ipo, label_smoothing: 0.1}",
       "objective.label_smoothing is 0.1; allowed: only with objective.loss sigmoid"},
      {pairs + "objective: dpo\neval: {mode: generate}",
       "eval.mode is generate with data.format preference; allowed: preference, loss"},
      {head + "data: {train: t}\neval: {mode: preference}",
       "eval.mode is preference with data.format prompt_completion; allowed: only with "
       "preference"},
      {head + "data: {train: t, label_words: {a: b}}",
       "data.label_words is given with data.format prompt_completion; allowed: only with "
       "text_label"},
      {head + "data: {train: t, columns: {text: sentence}}",
       "data.columns names the field \"text\"; allowed: prompt, completion, answer "
       "(data.format prompt_completion)"},
      {head + "data: {train: t, labels: [a]}",
       "data.labels is given with data.format prompt_completion; allowed: only with text_label"},
      {head + "data: {train: t, format: text_label, labels: [a, b, a]}",
       "data.labels names \"a\" twice; allowed: each label once"},
      {head + "data: {train: t, format: messages, template: \"{text}\"}",
       "data.template is given with data.format messages; allowed: only with text_label, "
       "prompt_completion"},
      {head + "data: {train: t, template: x}",
       "data.template is \"x\"; allowed: text that contains {text}"},
  });
}

TEST(BadSpec, RulesOfEvaluations) {
  const std::string head = "name: a\nmodel: /m\ntrain: {max_steps: 1}\ndata: {train: t}\n";
  const std::string other = head + "eval: {data: {eval: e, format: ";
  expect_refused({
      {head + "eval: {metric: f1}",
       "eval.metric is f1; allowed: accuracy, macro_f1, exact_match, math_answer, loss, "
       "preference_accuracy"},
      {head + "eval: {mode: loss, metric: macro_f1}",
       "eval.metric is macro_f1 with eval.mode loss; allowed: only with label_likelihood"},
      {head + "eval: {stop: x}",
       "eval.stop is given with eval.mode loss; allowed: only with "
       "generate"},
      {head + "eval: {mode: generate, stop: [\"\"]}",
       "eval.stop has an empty text; allowed: texts of at least one character"},
      {head + "eval: {data: {}}", "eval.data.eval is missing; required: a file of held-out rows"},
      {head + "eval: {data: {eval: e, train: t}}",
       "eval.data.train is given; allowed: keys of held-out rows"},
      {other + "text_label, few_shot: {}}}",
       "eval.data.few_shot is given; allowed: keys of held-out rows"},
      {head + "eval: {split: validation}",
       "eval.split is validation without validation rows; required: data.validation or "
       "data.holdout"},
      {other + "text_label, completion: x}}",
       "eval.data.completion is \"x\"; allowed: text that contains {label}"},
      {other + "messages}, mode: label_likelihood}",
       "eval.mode is label_likelihood with eval.data.format messages; allowed: only with "
       "text_label"},
      {other + "preference}}",
       "eval.mode is loss with eval.data.format preference and data.format prompt_completion; "
       "allowed: both preference, or neither"},
  });
}

TEST(BadSpec, TextThatIsNoYamlOfOurs) {
  expect_refused({
      {"a: b: c", "line 1, column 5: illegal map value"},
      {"name: a\nname: b", "line 2, column 1: key name is given twice"},
      {"train: {seed: 1, seed: 1}", "line 1, column 18: key seed is given twice"},
      {"name: &x a", "line 1, column 7: anchors (&name) are not allowed"},
      {"name: !!str a", "line 1, column 7: tags (tag:yaml.org,2002:str) are not allowed"},
      {"? [a]\n: b", "line 1, column 3: a key is a list or a map; allowed: text"},
      {"~: b", "line 1, column 1: a key is empty; allowed: text"},
      {"name: a\n---\nname: b", "the text holds more than one YAML document; allowed: one"},
      {std::string("name: \0", 7), "the text holds a zero byte; allowed: UTF-8 text"},
      {"name: \xC0\xAF", "the text is no valid UTF-8; allowed: UTF-8 text"},
      {std::string(1048577, ' '), "the text is 1048577 bytes long; allowed: at most 1048576"},
  });
}

// gRPC carries a status in headers of at most 8 KiB.
TEST(BadSpec, SentencesStayShort) {
  const std::string word(100000, 'y');
  const std::string head = "name: a\nmodel: /m\nmethod: none\n";
  for (const std::string& yaml :
       {word + ": 1", "train: {" + word + ": 1}", "train: {dtype: " + word + "}", "name: " + word,
        "labels: {" + word + ": [1]}", "sweep: {grid: {" + word + ": 1}}",
        head + "sweep: {grid: {" + word + ": [1]}}",
        head + "sweep: {grid: {train." + word + ": [1]}}",
        head + "sweep: {grid: {train.seed." + word + ": [1]}}",
        head + "sweep: {grid: {data.." + word + ": [1]}}",
        head + "sweep: {grid: {a: [1]}, trials: [{" + word + ": 1}]}",
        head + "sweep: {grid: {" + word + ": [1]}, trials: [{" + word + ": 1}]}",
        head + "data: {format: text_label, template: " + word + "}"}) {
    const Status status = parse_job_spec(yaml).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << yaml.substr(0, 100);
    EXPECT_LT(status.message().size(), 1200u) << yaml.substr(0, 100);
  }
}

TEST(BadSpec, HostileNestingIsRefused) {
  std::string flow, block;
  for (int i = 0; i < 100000; ++i) flow += '[';
  for (int i = 0; i < 300; ++i) block += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  for (int i = 0; i < 200000; ++i) flow += ']';
  EXPECT_EQ(parse_job_spec(flow).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(parse_job_spec(block).status().message(),
            "line 33, column 33: nesting is too deep; allowed: at most 32 levels");
  EXPECT_EQ(parse_job_spec("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]").status().code(),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace prefixmem
