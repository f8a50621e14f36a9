#include "coordinator/sweep/pareto.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "coordinator/sweep/plan.h"

namespace prefixmem::sweep {
namespace {

// Losses of a point.
struct Losses {
  std::string trained_on;
  double inside = 0;
  double outside = 0;
};

bool dominates(const Losses& a, const Losses& b) {
  return a.trained_on == b.trained_on && a.inside <= b.inside && a.outside <= b.outside &&
         (a.inside < b.inside || a.outside < b.outside);
}

}  // namespace

std::vector<ParetoPoint> pareto_points(const std::vector<Outcome>& outcomes) {
  // Scores by what they were tested on, of each model that was trained.
  using Model = std::tuple<std::string, std::string, Setting>;
  std::map<Model, std::map<std::string, std::vector<double>>> models;
  std::map<std::string, GoalSpec> goals;  // by what is tested on
  std::vector<Model> order;
  for (const Outcome& one : outcomes) {
    if (!one.counts() || one.trained_on.empty()) continue;
    const Model model(one.method, one.trained_on, one.chosen);
    if (!models.contains(model)) order.push_back(model);
    models[model][one.tested_on].push_back(*one.score);
    goals[one.tested_on] = one.goal;
  }
  std::vector<ParetoPoint> points;
  std::vector<Losses> losses;
  for (const Model& model : order) {
    const auto& [method, trained_on, setting] = model;
    ParetoPoint point{.method = method, .trained_on = trained_on, .setting = setting};
    std::vector<double> outside;
    bool inside = false;
    double outside_loss = 0;
    for (const auto& [tested_on, scores] : models[model]) {
      const double mean = *spread(scores).mean;
      if (tested_on == trained_on) {
        point.inside = mean;
        inside = true;
      } else {
        outside.push_back(mean);
        outside_loss += loss(goals[tested_on], mean);
      }
    }
    if (!inside || outside.empty()) continue;
    point.outside = *spread(outside).mean;
    losses.push_back({trained_on, loss(goals[trained_on], point.inside),
                      outside_loss / static_cast<double>(outside.size())});
    points.push_back(std::move(point));
  }
  for (size_t i = 0; i < points.size(); ++i) {
    points[i].on_front = std::none_of(losses.begin(), losses.end(), [&](const Losses& other) {
      return dominates(other, losses[i]);
    });
  }
  return points;
}

}  // namespace prefixmem::sweep
