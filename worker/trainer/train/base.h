// What the trials of a bank share on a rank: the gang, its voice, the frozen model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/event/event.h"
#include "common/spec/job_spec.h"
#include "worker/trainer/collective/collective.h"
#include "worker/trainer/data/dataset.h"
#include "worker/trainer/model/transformer.h"
#include "worker/trainer/train/agent_requests.h"
#include "worker/trainer/train/agreement.h"
#include "worker/trainer/train/event_sink.h"

namespace prefixmem::trainer {

struct Base {
  AgentRequests requests;             // outlives the sink, which writes to it
  std::unique_ptr<EventSink> sink;    // outlives the gang, which may have to report to it
  std::unique_ptr<Collective> ranks;  // behind `gang` where they share layers; null otherwise
  std::unique_ptr<Collective> gang;
  std::unique_ptr<TextCodec> codec;
  std::unique_ptr<Transformer> model;
  std::filesystem::path cache;  // of encoded rows; empty: none
  int64_t memory = 0;           // bytes for all ranks on this host; 0: as many as are free
  JobSpec spec;  // of the trial that model and threads were chosen by; its ranks are the gang's
  Agreement agreement;

  bool leads() const { return gang->rank() == 0; }
  // Rank 0 speaks for the gang.
  Status emit(const TrialEvent& event) const { return leads() ? sink->emit(event) : Status(); }
  Status agree(const Status& mine) { return agreement.agree(*gang, mine); }

  // Golden-probe logits of the model without an adapter; computed at the first call, which comes
  // before the model itself is trained. Rank 0.
  const torch::Tensor& probe();

  // Bytes of a rank for what trials that are loaded train, as long as each keeps what its note
  // returned.
  std::shared_ptr<const int64_t> note_trained(int64_t bytes);
  int64_t trained() const;

  // The rows of a spec, whose model is the base's; read and encoded once for specs that want the
  // same ones. As load_dataset.
  Result<std::shared_ptr<const Dataset>> dataset(const JobSpec& spec, const Positions& positions);

 private:
  torch::Tensor probe_;
  std::vector<std::weak_ptr<const int64_t>> trained_;
  std::map<std::string, std::weak_ptr<const Dataset>> datasets_;
};

// Reads what spec.model names and sets the number of threads. Collective.
Status load_base(Base& base, const JobSpec& spec);

// INVALID_ARGUMENT where a spec asks for another base than the one that is loaded.
Status check_base(const Base& base, const JobSpec& spec);

}  // namespace prefixmem::trainer
