#include "client/render/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/unit/client/messages.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

json head(double map_change, double mass) {
  return {{"map_change", map_change},
          {"input_map_change", map_change / 2},
          {"output_change", 0.3},
          {"prefix_mass", mass}};
}

json spectrum(const std::vector<double>& eigenvalues) {
  return {{"size", 0.5},
          {"constant_share", nullptr},
          {"effective_rank", 1.5},
          {"values_for_90_percent", 2},
          {"eigenvalues", eigenvalues}};
}

// One layer of two heads with a prefix, whose term does not vary in the second.
json prefixed() {
  json term = {{"term", "prefix"}};
  term["heads"] = json::array({spectrum({4, 2, 0}), spectrum({0, 0, 0})});
  json layer = {{"output_change", 0.25},
                {"map_change_by_position", {0.1, 0.2}},
                {"prefix_mass_by_position", {0.4, 0.2}}};
  layer["heads"] = json::array({head(0.2, 0.1), head(0.4, 0.3)});
  layer["terms"] = json::array({term});
  json diagnosis = {{"method", "prefix_tuning"},
                    {"base_model", "/m"},
                    {"rows", 1},
                    {"tokens", 1200},
                    {"prefix_length", 4}};
  diagnosis["layers"] = json::array({layer});
  return diagnosis;
}

TEST(DiagnosisText, HasATableOfChangesAndOneOfTerms) {
  EXPECT_EQ(diagnosis_text(prefixed()),
            "prefix_tuning: 1 row, 1,200 tokens; means over heads and positions\n"
            "\n"
            "layer  map change  over the input  output change  prefix mass\n"
            "    0       30.0%           15.0%          25.0%        20.0%\n"
            "\n"
            "layer  term     size  constant  effective rank  values for 90 %  of\n"
            "    0  prefix  50.0%         -             1.5              2.0   3\n");
}

TEST(DiagnosisText, SaysWhyThereIsNoSpectrum) {
  json diagnosis = prefixed();
  diagnosis["method"] = "lora";
  diagnosis["prefix_length"] = 0;
  diagnosis["layers"][0]["terms"] = json::array();
  const std::string text = diagnosis_text(diagnosis);
  EXPECT_THAT(text, HasSubstr("Method lora adds no term to the attention's output"));
  EXPECT_THAT(text, Not(HasSubstr("prefix mass")));
  EXPECT_THAT(diagnosis_plots(diagnosis), SizeIs(1));
}

TEST(DiagnosisPlots, ShowChangesDecayAndMass) {
  const auto plots = diagnosis_plots(prefixed());
  ASSERT_THAT(plots, SizeIs(3));
  ASSERT_THAT(plots[0].lines, SizeIs(3));
  EXPECT_THAT(plots[0].lines[0].values, ElementsAre(testing::DoubleNear(0.3, 1e-12)));
  EXPECT_TRUE(plots[1].log_y);
  EXPECT_THAT(plots[1].lines[0].values, ElementsAre(1, 0.5, 0)) << "of the head that varies";
  EXPECT_THAT(plots[2].lines[0].values, ElementsAre(0.4, 0.2));
}

// The points of each line: its path's numbers.
std::vector<std::string> paths_of(const std::string& svg) {
  std::vector<std::string> paths;
  const std::string begin = "<path d=\"", end = "\" fill=\"none\" stroke=\"#",
                    last = "stroke-width";
  for (size_t at = svg.find(begin); at != svg.npos; at = svg.find(begin, at + 1)) {
    const std::string element = svg.substr(at, svg.find("/>", at) - at);
    if (element.find(end) == element.npos || element.find(last) == element.npos) continue;
    paths.push_back(element.substr(begin.size(), element.find(end) - begin.size()));
  }
  return paths;
}

TEST(LinePlot, DrawsOnAScaleFromZeroOrOfPowers) {
  LinePlot linear{"A & <B>", "x"};
  linear.lines = {{"l", {0, 2, 1}}};
  LinePlot powers = linear;
  powers.log_y = true;
  powers.first_x = 1;
  powers.lines = {{"l", {100, 1, 10}}};
  const std::string svg = svg_of({linear, powers});
  EXPECT_THAT(svg, HasSubstr("A &amp; &lt;B>"));
  EXPECT_THAT(svg, HasSubstr(">1e2<"));
  EXPECT_THAT(paths_of(svg), ElementsAre("M70.0 260.0L70.0 260.0L310.0 40.0L550.0 150.0",
                                         "M70.0 346.0L70.0 346.0L310.0 566.0L550.0 456.0"));
}

TEST(LinePlot, LeavesGaps) {
  LinePlot plot{"t", "x"};
  plot.lines = {{"gap", {1, std::nan(""), 1, 0.5}}, {"nothing", {}}};
  EXPECT_THAT(paths_of(svg_of({plot})),
              ElementsAre("M70.0 40.0L70.0 40.0M390.0 40.0L390.0 40.0L550.0 150.0", ""));
  plot.log_y = true;
  plot.lines = {{"none above 0", {0, -1}}};
  EXPECT_THAT(paths_of(svg_of({plot})), ElementsAre(""));
}

TEST(LinePlot, NamesSomeOfManyLines) {
  LinePlot plot{"t", "x"};
  for (int i = 0; i < 100; ++i) plot.lines.push_back({"layer " + std::to_string(i), {1, 2}});
  const std::string svg = svg_of({plot});
  EXPECT_THAT(paths_of(svg), SizeIs(100));
  EXPECT_THAT(svg, HasSubstr(">layer 0<"));
  EXPECT_THAT(svg, Not(HasSubstr(">layer 1<")));
  EXPECT_THAT(svg, HasSubstr(">layer 99<"));
}

TEST(DiagnoseCommand, WantsAnAdapterInTheStore) {
  Pmt pmt;
  pmt.service.jobs = {make_job("job-1", "banking", v1::JOB_STATE_RUNNING)};
  pmt.service.add_file("job-1", "metrics.jsonl", "metrics", "{}");
  const Outcome none = pmt.run({"diagnose", "banking"});
  EXPECT_EQ(none.code, 12);
  EXPECT_EQ(none.err, "pmt: job job-1 has no adapter in the store; it is running\n");
  EXPECT_EQ(pmt.run({"diagnose", "gone"}).code, 12);
  EXPECT_THAT(pmt.tree(), IsEmpty());
}

TEST(DiagnoseCommand, RefusesWhatDoesNotGoTogether) {
  Pmt pmt;
  EXPECT_EQ(pmt.run({"diagnose", "job-1", "--text", "a", "--spec", "job.yaml"}).code, 2);
  EXPECT_EQ(pmt.run({"diagnose", "job-1", "--rows", "0"}).code, 2);
  EXPECT_EQ(pmt.run({"diagnose"}).code, 2);
}

}  // namespace
}  // namespace prefixmem::client
