// The schema: every key of a job spec with its meaning and limits, once.
//
// describe(v, s) shows each key of struct s to a visitor: v.field(key, member, doc, limit). The
// default of a key is the member's value in a struct made anew. Reader, writer and `explain` are
// such visitors; nothing else in the project knows the keys. Members of type optional are keys that
// may be absent, variants are unions with a tag key `type` (or the tag alone: `method: lora`).
#pragma once

#include "common/spec/duration.h"
#include "common/spec/job_spec.h"
#include "common/spec/limit.h"

namespace prefixmem::spec {

template <class V>
void describe(V& v, PrefixMemoryMethod& s) {
  v.field("feature_map", s.feature_map,
          "The map phi that is applied to each query; elu is the paper's main choice, mlp is "
          "ReLU(W x + b) with W and b trained.");
  v.field("feature_dim", s.feature_dim, "Rows of W under mlp; 0: as many as its input is wide.",
          between(0, PrefixMemoryMethod::kMostFeatures));
  v.field("query", s.query, "Which query phi sees: the one after or before rotary embedding.");
  v.field("scope", s.scope,
          "head: one M for each query head, on its query; hidden: one M a layer, on the attention "
          "block's input, added after o_proj.");
  v.field("layers", s.layers, "Which layers have an M: all, or numbers from 0 and ranges (0-11).");
  v.field("feature_lr_ratio", s.feature_lr_ratio,
          "Learning rate of W and b over train.learning_rate.", at_least(0));
  v.field("init", s.init, "Adapter folder to start from.");
}

template <class V>
void describe(V& v, PrefixTuningMethod& s) {
  v.field("num_virtual_tokens", s.num_virtual_tokens, "Length of the prefix.",
          between(1, PrefixTuningMethod::kMostTokens));
  v.field("prefix_projection", s.prefix_projection,
          "Train an embedding and an MLP that makes keys and values of it.");
  v.field("encoder_hidden_size", s.encoder_hidden_size,
          "Inner width of that MLP; 0: the model's hidden_size.", between(0, 65536));
  v.field("init_weights", s.init_weights,
          "random: as PEFT; zero; text: the keys and values that the base computes for init_text.");
  v.field("init_text", s.init_text, "Text of at least num_virtual_tokens tokens, for text.");
  v.field("init", s.init, "Adapter folder to start from, ours or PEFT's.");
}

template <class V>
void describe(V& v, LoraMethod& s) {
  v.field("r", s.r, "Rank of the update.", between(1, LoraMethod::kHighestRank));
  v.field("alpha", s.alpha, "The update is scaled by alpha / r.", above(0));
  v.field("target_modules", s.target_modules,
          "Linear layers that get an update, by name (q_proj, down_proj, …), by a regular "
          "expression for the whole module name (.*layers\\.[0-3]\\..*), or all-linear: every one "
          "but lm_head.");
  v.field("dropout", s.dropout, "Of the update's input, in training.",
          Limit{.least = 0, .below = 1});
  v.field("bias", s.bias,
          "Which of the base's biases are trained too: none, those of the target modules, or all.");
  v.field("use_rslora", s.use_rslora, "Scale by alpha / sqrt(r) instead.");
  v.field("use_dora", s.use_dora, "Train the weights' norms apart from their direction.");
  v.field("loraplus_lr_ratio", s.loraplus_lr_ratio, "Learning rate of B over that of A.", above(0));
  v.field("init_weights", s.init_weights, "Of A; B begins at zero.");
  v.field("init", s.init, "Adapter folder to start from, ours or PEFT's.");
}

template <class V>
void describe(V&, FullMethod&) {}

template <class V>
void describe(V& v, CombinedMethod& s) {
  v.field("methods", s.methods, "Adapter methods that train together, each at most once.");
}

template <class V>
void describe(V&, NoMethod&) {}

template <class V>
void describe(V&, SftObjective&) {}

template <class V>
void describe(V& v, DpoObjective& s) {
  v.field("beta", s.beta, "How strongly the model is held to the reference.", above(0));
  v.field("label_smoothing", s.label_smoothing,
          "Probability that chosen and rejected are swapped; for the sigmoid loss.",
          Limit{.least = 0, .below = 0.5});
  v.field("loss", s.loss, "sigmoid: DPO's own; ipo: squared distance to 1 / (2 beta).");
}

template <class V>
void describe(V& v, SimpoObjective& s) {
  v.field("beta", s.beta, "Scale of the margin of mean log-probabilities.", above(0));
  v.field("gamma", s.gamma, "Target margin, subtracted after scaling.", at_least(0));
}

template <class V>
void describe(V& v, FewShotSpec& s) {
  v.field("per_class", s.per_class, "Rows of each label.", at_least(1));
  v.field("seed", s.seed, "Chooses the rows.", at_least(0));
}

template <class V>
void describe(V& v, HoldoutSpec& s) {
  v.field("rows", s.rows, "At most so many rows: each label keeps few_shot.per_class for training.",
          at_least(1));
  v.field("seed", s.seed, "Chooses the rows.", at_least(0));
}

template <class V>
void describe(V& v, DataSpec& s) {
  v.field("train", s.train,
          "File of training rows, by its ending JSONL (any other), .csv, .tsv or .parquet.",
          required("unless method is none"));
  v.field("validation", s.validation,
          "File of validation rows, likewise: those that settings are chosen by (eval.split), so "
          "that the test rows of data.eval stay unseen.");
  v.field("holdout", s.holdout,
          "Where there is no file of validation rows: a seeded sample of data.train that nobody "
          "trains on, whatever the few-shot sample.");
  v.field("eval", s.eval, "File of held-out rows, likewise; empty: no evaluation.");
  v.field("format", s.format,
          "What a row holds: {prompt, completion, answer}, {text, label}, {messages} for the "
          "model's chat template, or {prompt, chosen, rejected}. Of completion and answer one will "
          "do; a generated text is compared with the answer. In a template strftime_now gives 26 "
          "July 2024, to which Llama 3's falls back: what a job trains on does not depend on the "
          "day.");
  v.field(
      "template", s.prompt_template,
      "The prompt, with {text} replaced by the row's text and {labels} by the list of labels "
      "(text_label), or with {text} replaced by the row's prompt (prompt_completion). Other braces "
      "stand for themselves. Where absent: \"{text}\\n\" of text_label, the prompt as it is "
      "otherwise.");
  v.field("completion", s.completion_template,
          "text_label: the completion, with {label} replaced by the row's label.");
  v.field("columns", s.columns,
          "Names of fields in the file, where they differ: {text: sentence} reads text from the "
          "column sentence.");
  v.field("labels", s.labels,
          "text_label: all labels there are, in the order in which {labels} lists them; empty: "
          "those of the training rows as they come. A label of another row is an error, but for "
          "held-out rows under eval.mode generate.");
  v.field("label_words", s.label_words,
          "text_label: words that stand for a label in {label} and {labels}; a label without any "
          "stands for itself.");
  v.field("few_shot", s.few_shot,
          "text_label: train on a seeded sample with equally many rows of each label.");
  v.field("max_tokens", s.max_tokens,
          "Longest row, in tokens; 0: the model's max_position_embeddings.", at_least(0));
  v.field(
      "overflow", s.overflow,
      "What becomes of a longer row: it is an error, left out, or cut at the prompt's beginning "
      "or the completion's end. Always counted and reported.");
}

template <class V>
void describe(V& v, TrainSpec& s) {
  v.field("max_steps", s.max_steps, "Optimizer steps.",
          required("unless epochs is given or method is none", at_least(1)));
  v.field("epochs", s.epochs, "Passes over the training rows; a part of a step counts as one.",
          required("unless max_steps is given or method is none", above(0)));
  v.field("global_batch_size", s.global_batch_size, "Rows of one step, over all ranks.",
          at_least(1));
  v.field(
      "micro_batch_tokens", s.micro_batch_tokens,
      "Most tokens that one forward and backward pass holds on a rank; a longer row goes alone. "
      "Trials in one gang share passes of at most the largest value among them. Changes memory and "
      "speed, not the result beyond rounding.",
      at_least(1));
  v.field("learning_rate", s.learning_rate, "AdamW's, at the end of the warm-up.", above(0));
  v.field("schedule", s.schedule,
          "How the learning rate goes on after the warm-up: it stays, or falls on a line or half a "
          "cosine that reaches 0 after the last step.");
  v.field("warmup_steps", s.warmup_steps,
          "Steps in which the learning rate rises from 0 on a line.", at_least(0));
  v.field("max_grad_norm", s.max_grad_norm, "Norm that gradients are clipped to; 0: off.",
          at_least(0));
  v.field("weight_decay", s.weight_decay, "AdamW's, of every trained value but a LoRA's biases.",
          at_least(0));
  v.field("dtype", s.dtype, "Of the frozen base. Adapters and optimizer state are fp32 always.");
  v.field("seed", s.seed, "Order of rows and initial adapter weights.", at_least(0));
  v.field("eval_every", s.eval_every, "Steps between evaluations; 0: only at the end.",
          at_least(0));
  v.field("checkpoint_every", s.checkpoint_every, "Steps between checkpoints; 0: only at the end.",
          at_least(0));
  v.field("deterministic", s.deterministic,
          "Whether losses and adapter must be the same to the bit, not only up to rounding, on "
          "any number of ranks and of a trial that shares its gang (resources.bank) as alone: rows "
          "are then computed in shapes of their own and gradients summed exactly, which is slower. "
          "Also refuses to resume on another kind of machine, with other threads, or, of method "
          "full, on another number of ranks.");
  v.field("output", s.output,
          "What the job leaves in the store besides metrics and scores: all, its adapter and last "
          "checkpoint; adapter; none, where only the score counts. Of method full a checkpoint has "
          "12 bytes a weight.");
  v.field("activation_checkpointing", s.activation_checkpointing,
          "on: backward computes each layer again in place of keeping what it has computed, which "
          "takes a fraction of the memory and about 40 % more time; auto: of as many layers as the "
          "memory that is there asks for. The result is the same to the bit. Trials that share a "
          "pass all have it where one does. Where absent: off.");
  v.field(
      "continue_from", s.continue_from,
      "A checkpoint to go on from: values, AdamW's moments and the step, so that the first step "
      "here is the one behind it; job://JOB is the newest of that job. max_steps, warmup and "
      "schedule count from step 1 on. The two specs may differ in what follows from the step "
      "alone: learning_rate, its ratios, schedule, warmup_steps, max_steps, epochs, "
      "weight_decay, max_grad_norm, micro_batch_tokens, a LoRA's dropout, the numbers of the "
      "objective, and what may differ when a job is resumed.");
  v.field("keep_checkpoints", s.keep_checkpoints,
          "How many of its newest checkpoints are kept, also once it has succeeded. Where absent "
          "two, so that there is one before a damaged one, and one of a job that has succeeded.",
          between(1, 1000));
  v.field("keep_best", s.keep_best,
          "Whether the adapter of the best evaluation so far is kept as well, as "
          "best_adapter/step-STEP beside adapter, which is that of the last step. Evaluations "
          "before the first step do not count; of equal ones the first is the best. Needs "
          "eval_every. Of method full it is a whole model.");
}

template <class V>
void describe(V& v, EvalSpec& s) {
  v.field(
      "mode", s.mode,
      "label_likelihood: accuracy of the likeliest label (format text_label); generate: exact "
      "match of a greedy answer; loss: mean loss of a label token (of a pair, for preferences); "
      "preference: share of pairs whose chosen answer is likelier than the rejected one.");
  v.field("metric", s.metric,
          "What is reported of it. label_likelihood: accuracy, or macro_f1, the mean over the "
          "labels that occur of the harmonic mean of precision and recall; generate: exact_match "
          "of the whole text but for blanks around it, or math_answer, the same number or formula "
          "in \\boxed{} or behind \"####\" or \"the answer is\". Where absent: accuracy, "
          "exact_match, loss or preference_accuracy, by the mode.");
  v.field("split", s.split,
          "Which held-out rows are scored: test, those of data.eval (or eval.data); validation, "
          "those of data.validation or data.holdout.");
  v.field("max_rows", s.max_rows, "Rows of a seeded sample; 0: all.", at_least(0));
  v.field("seed", s.seed, "Chooses the sample.", at_least(0));
  v.field("before", s.before, "Evaluate before the first step as well.");
  v.field("length_normalized", s.length_normalized,
          "label_likelihood, preference: compare means, not sums, of the tokens' "
          "log-probabilities.");
  v.field("max_new_tokens", s.max_new_tokens, "generate: longest answer, in tokens.", at_least(1));
  v.field("stop", s.stop, "generate: an answer ends before the first of these texts in it.");
  v.field("diagnosis_rows", s.diagnosis_rows,
          "When an adapter is trained, its attention is compared with the base's on so many "
          "held-out rows, a sample by seed, as `pmt diagnose` does; adapter/diagnosis.json keeps "
          "it, of which the page of a sweep draws the spectra. Where absent they are not compared.",
          between(1, 1000));
  v.field("benchmark", s.benchmark,
          "Name of a benchmark to test a model on that was tuned on other rows; `pmt submit` fills "
          "in its rows and metric, as with the job's benchmark.");
  v.field("data", s.data,
          "Test rows that are read in another way than the training rows: the keys of data but "
          "train, few_shot, validation and holdout, with `eval` the file. Then data.eval is not "
          "read.");
}

template <class V>
void describe(V& v, ResourcesSpec& s) {
  v.field("ranks", s.ranks, "Processes that train together; the job starts when all of them fit.",
          between(1, 1024));
  v.field(
      "min_ranks", s.min_ranks,
      "Fewest ranks that will do, where they are fewer than resources.ranks: the job starts as "
      "soon as so many fit, with as many as there are, goes on with fewer where workers are lost, "
      "and grows where slots stay free (docs/scheduling.md). Its rows and steps are the same on "
      "any number; to the bit under train.deterministic. It has a gang of its own.",
      between(1, 1024));
  v.field("device", s.device, "auto: cuda where the worker has a GPU, otherwise cpu.");
  v.field("threads", s.threads,
          "Of a rank, inside an operation; 0: the worker's --threads-per-rank, which is its cores "
          "divided by its slots, or without a worker the host's cores divided by its ranks.",
          between(0, 4096));
  v.field("bank", s.bank,
          "auto: trials of one sweep that train adapters and share the model, train.dtype, "
          "resources and priority may train in one gang, at most the coordinator's --bank-limit, "
          "which loads the model once; never: the job has a gang of its own.");
  v.field("shard_base", s.shard_base,
          "Of the base's layers each rank keeps one part in resources.ranks and gathers a layer "
          "from the others while it computes the one before, for models that no rank has room for. "
          "Embeddings, lm_head and norms stay whole. The result is the same to the bit. Not with "
          "method full (docs/memory.md).");
  v.field(
      "time_limit", s.time_limit,
      "Longest time that the job may hold its slots, all attempts together. When it is over the "
      "job writes a checkpoint and fails with RESOURCE_EXHAUSTED. Where absent it runs as long "
      "as it takes.",
      duration_text());
}

inline constexpr const char* kWhen =
    "Other keys of the space, the grid or the trials, each with a list of values: the key is set "
    "only where each of them has one of its values. A block stands for its type: {method: "
    "[lora]}.";

template <class V>
void describe(V& v, ChoiceDomain& s) {
  v.field("values", s.values, "The values, of any kind; the list alone will do.");
  v.field("when", s.when, kWhen);
}

template <class V>
void describe(V& v, UniformDomain& s) {
  v.field("low", s.low, "Least value.");
  v.field("high", s.high, "Greatest value.");
  v.field("when", s.when, kWhen);
}

template <class V>
void describe(V& v, LogUniformDomain& s) {
  v.field("low", s.low, "Least value; every factor between low and high is equally likely.",
          above(0));
  v.field("high", s.high, "Greatest value.", above(0));
  v.field("when", s.when, kWhen);
}

template <class V>
void describe(V& v, IntDomain& s) {
  v.field("low", s.low, "Least whole number.");
  v.field("high", s.high, "Greatest whole number, included.");
  v.field("log", s.log, "Whether factors, not differences, are equally likely; low is above 0.");
  v.field("when", s.when, kWhen);
}

template <class V>
void describe(V&, GridSearch&) {}

template <class V>
void describe(V&, RandomSearch&) {}

template <class V>
void describe(V& v, TpeSearch& s) {
  v.field("startup_trials", s.startup_trials,
          "Trials with a result before the model is used; those before are random.", at_least(1));
  v.field("candidates", s.candidates, "Settings drawn, of which the most promising is tried.",
          between(1, 10000));
}

inline constexpr const char* kSampler = "How settings are chosen.";
inline constexpr const char* kMinSteps =
    "Steps of the first rung: the first evaluation at or after it counts there.";
inline constexpr const char* kReductionFactor =
    "Of the trials that come to a rung the best one in so many goes on; the next rung has as many "
    "times the steps.";

template <class V>
void describe(V& v, AshaSearch& s) {
  v.field("sampler", s.sampler, kSampler);
  v.field("min_steps", s.min_steps, kMinSteps, between(1, 1e12));
  v.field("reduction_factor", s.reduction_factor, kReductionFactor, between(2, 1000));
}

template <class V>
void describe(V& v, HyperbandSearch& s) {
  v.field("sampler", s.sampler, kSampler);
  v.field("min_steps", s.min_steps, kMinSteps, between(1, 1e12));
  v.field("max_steps", s.max_steps,
          "Steps of a whole trial; with min_steps it says how many brackets there are.",
          between(1, 1e12));
  v.field("reduction_factor", s.reduction_factor, kReductionFactor, between(2, 1000));
}

template <class V>
void describe(V& v, PbtSearch& s) {
  v.field("interval", s.interval,
          "Steps between two looks: after so many the worst members take over from the best.",
          between(1, 1e12));
  v.field("quantile", s.quantile,
          "Share of the members that take over, and of those that are taken over from; at least "
          "one each.",
          Limit{.above = 0, .most = 0.5});
  v.field("resample_probability", s.resample_probability,
          "How likely a member that takes over draws a key of the space anew; otherwise a number "
          "is multiplied by 1.2 or 0.8, and of a choice the value before or after it is taken.",
          between(0, 1));
}

template <class V>
void describe(V& v, GoalSpec& s) {
  v.field("metric", s.metric, "What eval.mode reports: accuracy, exact_match, loss, ….",
          required());
  v.field("mode", s.mode, "Whether more or less of it is better.");
}

template <class V>
void describe(V& v, BudgetSpec& s) {
  v.field("trials", s.trials, "Most settings of each search; of pbt its members.",
          between(1, 10000));
  v.field("tokens", s.tokens,
          "Tokens of all trials together; when they are spent, trials that run are stopped; 0: no "
          "bound.",
          at_least(0));
  v.field("seconds", s.seconds,
          "Time since the submission; when it is over, trials that run are stopped; 0: no bound.",
          at_least(0));
  v.field("devices", s.devices, "Most ranks at once, of all trials together; 0: no bound.",
          at_least(0));
}

template <class V>
void describe(V& v, TestSpec& s) {
  v.field("seeds", s.seeds, "Seeds of what is tested, as sweep.seeds.");
}

template <class V>
void describe(V& v, SweepSpec& s) {
  v.field(
      "grid", s.grid,
      "Dotted path of a key to a list of values; every combination is a trial. A whole block may "
      "be a value: method: [{type: lora, r: 8}, none].");
  v.field(
      "trials", s.trials,
      "A list of maps from dotted path to value: trials given one by one. Each is combined with "
      "the whole grid.");
  v.field("seeds", s.seeds,
          "Every setting is tried with each of these as train.seed and, where rows are sampled, as "
          "data.few_shot.seed; each is a trial of its own. Method none is tried with the first.");
  v.field("search", s.search,
          "How trials are chosen from space: grid takes every combination in turn; random draws; "
          "tpe draws near the better ones; asha draws and stops the worse trials early, in rungs; "
          "hyperband does so with several first rungs; pbt (population based training) trains "
          "all of budget.trials members and has the worst go on from the best, with settings near "
          "theirs.");
  v.field("space", s.space,
          "Dotted path of a key to where its value is looked for. Each combination of grid and "
          "trials has a search of its own.");
  v.field("tune_on", s.tune_on,
          "Axis of the grid to some of its values: one search serves all values of the axis and "
          "tries its settings on these, by the mean of their scores, e.g. {benchmark: [banking77, "
          "bbh/navigate]}.");
  v.field("test", s.test,
          "Then a search compares its settings by validation rows (eval.split), and the best of "
          "each is trained anew and scored on the test rows.");
  v.field("goal", s.goal,
          "What makes a trial good, by its last evaluation; unless given, what its eval reports, "
          "the most of it (of a loss, the least).");
  v.field("budget", s.budget, "Bounds of a search.");
  v.field(
      "max_concurrent", s.max_concurrent,
      "Most trials of a sweep with space that wait or run at once, of all its searches together.",
      between(1, 10000));
  v.field(
      "seed", s.seed,
      "Of the choices from space, in each search; the same seed and results give the same trials.",
      at_least(0));
}

template <class V>
void describe(V& v, JobSpec& s) {
  v.field("name", s.name, "Of the job, for people; need not be unique.", required("", name_text()));
  v.field(
      "model", s.model,
      "Hugging Face folder or GGUF file of the base model, as the worker sees it. A "
      "GGUF file needs tokenizer.json and tokenizer_config.json beside it: the vocabulary that it "
      "holds itself is not read.",
      required());
  v.field("benchmark", s.benchmark,
          "Name of a benchmark of the registry. `pmt submit` puts its data, objective and eval "
          "beneath the keys given here, so that what is stored is whole; for everyone else it is a "
          "name in tables.");
  v.field("method", s.method, "Which parameters are trained.");
  v.field("objective", s.objective, "What the loss is.");
  v.field("data", s.data, "Where rows come from and how they become prompts and completions.");
  v.field("train", s.train, "The optimisation.");
  v.field("eval", s.eval, "How held-out rows are scored.");
  v.field("resources", s.resources, "What the job needs to run.");
  v.field(
      "priority", s.priority,
      "Jobs of higher priority start first; equal ones in the order submitted, but a trial may "
      "start early in the gang of an earlier one of its sweep, and a short job ahead of one that "
      "it does not delay. Where slots are lacking, jobs of lower priority that run write a "
      "checkpoint and go back into the queue.",
      between(-1000, 1000));
  v.field("after", s.after,
          "Ids or names of jobs that are there already and must succeed before this one starts; "
          "where one of them fails or is cancelled, so is this one. Stored as ids.");
  v.field("labels", s.labels, "Text for finding jobs by; `pmt list --label key=value`.");
  v.field(
      "sweep", s.sweep,
      "Makes one job of each trial, named <name>-<number from 1>, with a label sweep.<path> for "
      "each value given: all at once (grid, trials), or as a search goes on (space).");
}

}  // namespace prefixmem::spec
