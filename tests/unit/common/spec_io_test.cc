#include "common/spec/spec_io.h"

#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/unit/common/spec_example.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem {
namespace {

JobSpec parsed(const std::string& yaml) {
  auto spec = parse_job_spec(yaml);
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  return spec.ok() ? std::move(spec).value() : JobSpec();
}

TEST(ParseJobSpec, AbsentKeysTakeTheirDefaults) {
  const JobSpec spec = parsed(kMinimalSpec);
  EXPECT_EQ(spec.name, "a");
  EXPECT_TRUE(std::holds_alternative<PrefixMemoryMethod>(spec.method));
  EXPECT_EQ(spec.train.max_steps, 1);
  EXPECT_FALSE(spec.train.epochs);
  EXPECT_EQ(spec.train.global_batch_size, 8);
  EXPECT_EQ(spec.data.completion_template, " {label}");
  EXPECT_FALSE(spec.data.few_shot);
  EXPECT_FALSE(spec.sweep);
}

TEST(ParseJobSpec, ReadsEveryKindOfValue) {
  const JobSpec spec = parsed(
      "name: full\n"
      "model: /models/gemma\n"
      "method: {type: lora, r: 4, alpha: 2.5, target_modules: [q_proj, v_proj]}\n"
      "objective: sft\n"
      "data:\n"
      "  train: train.jsonl\n"
      "  eval: test.jsonl\n"
      "  format: text_label\n"
      "  template: |\n"
      "    {json: {\"text\": {text}}}\n"
      "  completion: \"=> {label}\"\n"
      "  few_shot: {per_class: 2, seed: 7}\n"
      "train: {epochs: 0.5, learning_rate: 3e-4, schedule: cosine, dtype: fp32}\n"
      "eval: {mode: label_likelihood, before: true}\n"
      "resources: {ranks: 2, device: cuda}\n"
      "priority: -3\n"
      "labels: {team: nlp, year: 2026}\n");
  const auto& lora = std::get<LoraMethod>(spec.method);
  EXPECT_EQ(lora.r, 4);
  EXPECT_EQ(lora.alpha, 2.5);
  EXPECT_EQ(lora.target_modules, (std::vector<std::string>{"q_proj", "v_proj"}));
  EXPECT_EQ(spec.data.format, DataFormat::kTextLabel);
  EXPECT_EQ(spec.data.prompt_template, "{json: {\"text\": {text}}}\n");
  EXPECT_EQ(spec.data.few_shot->per_class, 2);
  EXPECT_EQ(spec.train.epochs, 0.5);
  EXPECT_EQ(spec.train.learning_rate, 3e-4);
  EXPECT_EQ(spec.train.schedule, Schedule::kCosine);
  EXPECT_EQ(spec.train.dtype, Dtype::kFp32);
  EXPECT_EQ(spec.eval.mode, EvalMode::kLabelLikelihood);
  EXPECT_TRUE(spec.eval.before);
  EXPECT_EQ(spec.resources.device, Device::kCuda);
  EXPECT_EQ(spec.priority, -3);
  EXPECT_EQ(spec.labels.at("year"), "2026");
}

TEST(ParseJobSpec, JsonIsYaml) {
  const JobSpec spec = parsed(
      R"({"name": "j", "model": "/m", "method": {"type": "none"}, "labels": {"a\tb": "\u00e9\"\\"},)"
      R"( "train": {"learning_rate": 1E-3, "max_steps": null}})");
  EXPECT_TRUE(std::holds_alternative<NoMethod>(spec.method));
  EXPECT_EQ(spec.labels.at("a\tb"), "é\"\\");
  EXPECT_EQ(spec.train.learning_rate, 1e-3);
}

TEST(ParseJobSpec, AUnionMayStandAsItsType) {
  EXPECT_EQ(to_yaml(parsed(kMinimalSpec + "method: lora\nobjective: sft\n")),
            to_yaml(parsed(kMinimalSpec + "method: {type: lora}\nobjective: {type: sft}\n")));
}

TEST(ToYaml, TextThatLooksLikeSomethingElseStaysText) {
  JobSpec spec = parsed(kMinimalSpec);
  for (const char* text :
       {"",     " ",    "null",     "~",    "true",   "12",          "-",  "---", "...",
        "- a",  "a: b", "#c",       "a #b", "{text}", "'",           "\"", "\\",  "\t",
        "\r\n", "é",    "\x01\x7f", "@",    "&x",     "*x",          "!t", "%d",  "1e3",
        ".inf", "a,b",  "[",        "yes",  "0x1f",   "\xEF\xBB\xBF"}) {
    spec.labels["key"] = text;
    spec.labels[std::string("k") + text] = "v";
    spec.data.completion_template = text;
    const JobSpec back = parsed(to_yaml(spec));
    EXPECT_EQ(back.labels, spec.labels) << to_yaml(spec);
    EXPECT_EQ(back.data.completion_template, text);
  }
}

TEST(ToYaml, IsCanonical) {
  const std::string yaml = to_yaml(parsed(kMinimalSpec));
  EXPECT_EQ(to_yaml(parsed(yaml)), yaml);
  EXPECT_NE(yaml.find("\n  learning_rate: 0.001\n"), std::string::npos);
  EXPECT_NE(yaml.find("\n  type: prefix_memory\n"), std::string::npos);
}

TEST(LoadJobSpec, NamesTheFile) {
  const TempFolder folder;
  const auto file = folder.path() / "job.yaml";
  EXPECT_EQ(load_job_spec(file).status().message(),
            "job spec: opening " + file.string() + ": No such file or directory");
  ASSERT_TRUE(write_file_atomic(file, "nam: x\n").ok());
  EXPECT_EQ(load_job_spec(file).status().message(),
            file.string() + ": nam is not a key; did you mean name?");
  ASSERT_TRUE(write_file_atomic(file, kMinimalSpec).ok());
  EXPECT_TRUE(load_job_spec(file).ok());
}

}  // namespace
}  // namespace prefixmem
