// The update that a gang makes: who sums which gradients, who holds which state, and the step.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/spec/job_spec.h"
#include "worker/trainer/adapters/adapter.h"
#include "worker/trainer/collective/collective.h"

namespace prefixmem::trainer {

// What there is to keep of each parameter.
enum class State { kValue, kFirstMoment, kSecondMoment };

// AdamW over a list of parameters. Collective: every rank makes the same calls in the same order;
// a failure is that of the gang. Within a step, in this order: zero_gradients, after_backward once
// a round, sum_gradients, clip_gradients, step.
class Optimizer {
 public:
  // `parameters` and `gang` must outlive this.
  Optimizer(std::vector<Parameter>& parameters, Collective& gang)
      : parameters_(parameters), gang_(gang) {}
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  virtual void zero_gradients() = 0;
  // Ends a round: a rank that has a micro-batch left has run its backward pass before, the others
  // have not.
  virtual Status after_backward() = 0;
  // From here on the gradients are the sum over all rounds and ranks.
  virtual Status sum_gradients() = 0;
  // Scales them down to `max_norm` where their global norm is larger (0: never), as
  // torch.nn.utils.clip_grad_norm_ does. Returns the norm before.
  virtual Result<double> clip_gradients(double max_norm) = 0;
  // Updates every Parameter::value.
  virtual Status step(double learning_rate) = 0;

  virtual int64_t steps() const = 0;
  virtual void set_steps(int64_t steps) = 0;

  // A whole state of parameter `index`, flat fp32 on the CPU: on rank 0, undefined elsewhere.
  virtual Result<torch::Tensor> gather(State state, size_t index) = 0;
  // Puts it back. Rank 0 gives `whole`, contiguous; the others' is not looked at.
  Status scatter(State state, size_t index, const torch::Tensor& whole);

  // Bytes that this rank holds in fp32 for the update: gradients, moments, and values that are not
  // the model's own.
  virtual int64_t state_bytes() const = 0;
  // Time of this step spent waiting for and talking to other ranks.
  double communication_seconds() const { return communication_seconds_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }

 protected:
  // Takes what this rank keeps of `values` (flat, fp32, on the CPU), which stand at `begin` in the
  // list of all parameters' values.
  virtual void place(State state, int64_t begin, const torch::Tensor& values) = 0;

  // Runs a collective, adding to communication_seconds().
  Status timed(const std::function<Status()>& collective);
  void start_clock() { communication_seconds_ = 0; }

  std::vector<Parameter>& parameters_;
  Collective& gang_;

 private:
  double communication_seconds_ = 0;
};

// Of a parameter, its first value's index in the list of all values.
std::vector<int64_t> flat_begins(const std::vector<Parameter>& parameters);

// Whether a job gives the same bits on any number of ranks: under train.deterministic, unless the
// model itself is trained, whose gradients are summed as they come (gradient_reducer.h).
bool bits_of_any_ranks(const TrainSpec& spec, const Adapter& adapter);

// Replicated for an adapter, sharded where it trains the model's own weights.
std::unique_ptr<Optimizer> make_optimizer(Adapter& adapter, const TrainSpec& spec,
                                          Collective& gang);

}  // namespace prefixmem::trainer
