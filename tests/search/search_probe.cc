// search_probe SPEC: a search without jobs. Reads a question a line, answers each with a JSON line:
//   {"ask": {}}                                         {"number": 1, "setting": {path: YAML}}
//   {"report": {"number": 1, "step": 2, "value": 0.5}}  {"stop": true, "reason": "…"}
//   {"finish": {"number": 1}}                           {}
// A number that is no number is null.
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/spec/spec_io.h"
#include "coordinator/sweep/halving.h"
#include "coordinator/sweep/samplers.h"

namespace prefixmem::sweep {
namespace {

using Json = nlohmann::json;

class Probe {
 public:
  explicit Probe(Plan plan) : plan_(std::move(plan)) {}

  Json answer(const Json& question) {
    if (question.contains("ask")) return ask();
    if (question.contains("report")) return report(question["report"]);
    trial(question["finish"]).state = TrialState::kFinished;
    return Json::object();
  }

 private:
  Trial& trial(const Json& named) { return history_.trials.at(named["number"].get<size_t>() - 1); }

  Json ask() {
    Trial next{.number = static_cast<int>(history_.trials.size()) + 1};
    next.setting = next_setting(plan_, history_, next.number).value();
    history_.trials.push_back(next);
    return {{"number", next.number}, {"setting", next.setting}};
  }

  Json report(const Json& report) {
    Trial& reported = trial(report);
    const Json& value = report["value"];
    reported.reports.push_back(
        {report["step"].get<int64_t>(), value.is_null() ? std::nan("") : value.get<double>()});
    Verdict verdict = judge(plan_, history_, static_cast<size_t>(reported.number) - 1);
    reported.rungs = std::move(verdict.rungs);
    if (verdict.stop) reported.state = TrialState::kStopped;
    return {{"stop", verdict.stop}, {"reason", verdict.reason}};
  }

  const Plan plan_;
  History history_;
};

int run(const std::string& file) {
  const auto spec = load_job_spec(file);
  auto plan = spec.ok() ? plan_of(*spec) : Result<SweepPlan>(spec.status());
  if (!plan.ok()) {
    std::cerr << plan.status().to_string() << "\n";
    return exit_code(plan.status());
  }
  Probe probe(std::move(plan->searches.front().plan));
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << probe.answer(Json::parse(line)).dump() << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace prefixmem::sweep

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: search_probe SPEC\n";
    return 2;
  }
  return prefixmem::sweep::run(argv[1]);
}
