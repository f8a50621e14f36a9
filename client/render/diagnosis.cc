#include "client/render/diagnosis.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "client/render/numbers.h"
#include "client/render/table.h"

namespace prefixmem::client {
namespace {

using nlohmann::json;

double number(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

double mean_over(const json& heads, const char* key) {
  double sum = 0;
  for (const json& head : heads) sum += number(head.at(key));
  return sum / static_cast<double>(heads.size());
}

bool has_prefix(const json& diagnosis) { return diagnosis.at("prefix_length").get<int64_t>() > 0; }

std::string heading(const json& diagnosis) {
  const auto counted = [&](const char* key, const std::string& what) {
    const auto count = diagnosis.at(key).get<int64_t>();
    return whole(count) + " " + what + (count == 1 ? "" : "s");
  };
  return fmt::format("{}: {}, {}; means over heads and positions\n",
                     diagnosis.at("method").get<std::string>(), counted("rows", "row"),
                     counted("tokens", "token"));
}

Table change_table(const json& diagnosis) {
  std::vector<Column> columns = {{"layer", Align::kRight},
                                 {"map change", Align::kRight},
                                 {"over the input", Align::kRight},
                                 {"output change", Align::kRight}};
  if (has_prefix(diagnosis)) columns.push_back({"prefix mass", Align::kRight});
  Table table(columns);
  size_t number_of = 0;
  for (const json& layer : diagnosis.at("layers")) {
    const json& heads = layer.at("heads");
    std::vector<std::string> cells = {
        std::to_string(number_of++), percent(mean_over(heads, "map_change")),
        percent(mean_over(heads, "input_map_change")), percent(number(layer.at("output_change")))};
    if (has_prefix(diagnosis)) cells.push_back(percent(mean_over(heads, "prefix_mass")));
    table.add(std::move(cells));
  }
  return table;
}

Table term_table(const json& diagnosis) {
  Table table({{"layer", Align::kRight},
               {"term"},
               {"size", Align::kRight},
               {"constant", Align::kRight},
               {"effective rank", Align::kRight},
               {"values for 90 %", Align::kRight},
               {"of", Align::kRight}});
  size_t number_of = 0;
  for (const json& layer : diagnosis.at("layers")) {
    for (const json& term : layer.at("terms")) {
      const json& heads = term.at("heads");
      table.add({std::to_string(number_of), term.at("term").get<std::string>(),
                 percent(mean_over(heads, "size")), percent(mean_over(heads, "constant_share")),
                 fmt::format("{:.1f}", mean_over(heads, "effective_rank")),
                 fmt::format("{:.1f}", mean_over(heads, "values_for_90_percent")),
                 std::to_string(heads.at(0).at("eigenvalues").size())});
    }
    ++number_of;
  }
  return table;
}

// Each head's eigenvalues over its largest, and of those the mean over heads.
std::vector<double> decay(const json& heads) {
  std::vector<double> sums(heads.at(0).at("eigenvalues").size());
  double varying = 0;
  for (const json& head : heads) {
    const auto values = head.at("eigenvalues").get<std::vector<double>>();
    if (values.front() <= 0) continue;
    ++varying;
    for (size_t i = 0; i < values.size(); ++i) sums[i] += values[i] / values.front();
  }
  for (double& sum : sums) sum /= varying;
  return sums;
}

LinePlot change_plot(const json& diagnosis) {
  Line map{"map", {}}, input{"map, input", {}}, output{"output", {}};
  for (const json& layer : diagnosis.at("layers")) {
    map.values.push_back(mean_over(layer.at("heads"), "map_change"));
    input.values.push_back(mean_over(layer.at("heads"), "input_map_change"));
    output.values.push_back(number(layer.at("output_change")));
  }
  LinePlot plot{"Change of attention", "layer"};
  plot.lines = {std::move(map), std::move(input), std::move(output)};
  return plot;
}

}  // namespace

std::string diagnosis_text(const json& diagnosis) {
  std::string text = heading(diagnosis) + "\n" + change_table(diagnosis).text() + "\n";
  const Table terms = term_table(diagnosis);
  if (!terms.empty()) return text + terms.text();
  return text + "Method " + diagnosis.at("method").get<std::string>() +
         " adds no term to the attention's output, so there is no spectrum.\n";
}

std::vector<LinePlot> diagnosis_plots(const json& diagnosis) {
  std::map<std::string, LinePlot> decays;
  LinePlot mass{"Prefix mass", "position"};
  size_t number_of = 0;
  for (const json& layer : diagnosis.at("layers")) {
    const std::string name = "layer " + std::to_string(number_of++);
    for (const json& term : layer.at("terms")) {
      const auto kind = term.at("term").get<std::string>();
      LinePlot& plot = decays[kind];
      plot.title = "Eigenvalues of the term " + kind + ", over the largest";
      plot.x_label = "index";
      plot.first_x = 1;
      plot.log_y = true;
      plot.lines.push_back({name, decay(term.at("heads"))});
    }
    if (!has_prefix(diagnosis)) continue;
    mass.lines.push_back({name, layer.at("prefix_mass_by_position").get<std::vector<double>>()});
  }
  std::vector<LinePlot> plots = {change_plot(diagnosis)};
  for (auto& [kind, plot] : decays) plots.push_back(std::move(plot));
  if (!mass.lines.empty()) plots.push_back(std::move(mass));
  return plots;
}

}  // namespace prefixmem::client
