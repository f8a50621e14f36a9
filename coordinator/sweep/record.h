// The jobs of a sweep, and what each of its searches sees of them.
#pragma once

#include <cstddef>
#include <vector>

#include "coordinator/sweep/history.h"
#include "coordinator/sweep/plan.h"

namespace prefixmem::sweep {

// A job of a sweep.
struct Run {
  int number = 1;     // from 1, in the order begun
  Place place = {};   // combination and seed
  int candidate = 1;  // of its search: the setting that it tries, from 1
  int member = 0;     // of pbt, from 1
  int parent = 0;     // of pbt: number of the run whose checkpoint it goes on from; 0: of none
  bool test = false;  // whether it tests the setting found
  Setting setting = {};
  TrialState state = TrialState::kOpen;
  std::vector<Report> reports = {};  // by step
  std::vector<double> rungs = {};
  int64_t tokens = 0;
  int ranks = 1;
};

// A search sees a setting as one trial. Its score is the mean over its jobs that have finished, by
// combination: the mean over seeds first. It is open until all of its jobs have ended; with none
// finished it is stopped or failed. Where trials are stopped early, its first job alone is judged
// and stands for it until it has ended: the others begin once that one has finished and are never
// stopped, so that a mean is over whole runs, and a setting that is stopped costs one job.
class Record {
 public:
  // Puts in a job, or what has become of it. The first of each number is the next one begun.
  void put(const SweepPlan& plan, Run run);
  // What a job has trained on so far.
  void count_tokens(int number, int64_t tokens);

  const std::vector<Run>& runs() const { return runs_; }
  // Of a search, as an index into the plan's.
  const History& history(size_t search) const;
  // Jobs that try candidate `number`, as indices of runs, in the order of Search::tried.
  const std::vector<size_t>& tries(size_t search, int number) const;
  // Those that test what the search has found, in the order of Search::tested.
  const std::vector<size_t>& tests(size_t search) const;

  double seconds = 0;  // since the submission

 private:
  struct Searched {
    History history;
    std::vector<std::vector<size_t>> tries;  // by candidate
    std::vector<size_t> tests;
  };

  void summarize(const SweepPlan& plan, size_t search, int candidate);

  std::vector<Run> runs_;
  std::vector<Searched> searched_;
};

// Candidate with the best score of a search, from 1; none where none has finished. The earliest of
// equal ones.
std::optional<int> best_candidate(const Plan& plan, const History& history);

}  // namespace prefixmem::sweep
