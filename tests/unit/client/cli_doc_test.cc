// docs/cli.md names every command and every option that the program has, and no others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "common/files.h"
#include "tests/unit/client/pmt_runner.h"

namespace prefixmem::client {
namespace {

using Names = std::set<std::string>;

Names all_matches(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  Names names;
  for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end;
       ++match) {
    names.insert((*match)[1]);
  }
  return names;
}

std::string page() {
  const auto text = read_file(CLI_PAGE);
  EXPECT_TRUE(text.ok()) << text.status().message();
  return text.ok() ? *text : "";
}

// From the heading up to the next one.
std::string section(const std::string& page, const std::string& heading) {
  const size_t begin = page.find("\n" + heading + "\n");
  if (begin == page.npos) return "";
  const size_t text = begin + heading.size() + 2;
  return page.substr(text, page.find("\n#", text) - text);
}

// The options at the beginning of a help's lines, e.g. "-f" and "--follow".
Names options_of(const std::string& help) {
  Names options;
  for (const std::string& line : all_matches(help, "\n +(-[^ \n]*)")) {
    for (const std::string& name : all_matches(line, "(--?[a-z][a-z0-9-]*)")) options.insert(name);
  }
  return options;
}

Names documented_options(const std::string& section) {
  return all_matches(section, "`(--?[a-z][a-z0-9-]*)[ `]");
}

Names commands_of(const std::string& help) {
  const size_t begin = help.find("Subcommands:");
  EXPECT_NE(begin, help.npos);
  return all_matches(help.substr(begin), "\n  ([a-z]+) ");
}

// Of a command and of those below it, `help` asked for aside.
Names options_of(Pmt& pmt, std::vector<std::string> command) {
  command.emplace_back("--help");
  const std::string help = pmt.run_as_is(command).out;
  command.pop_back();
  Names options = options_of(help);
  for (const char* asked : {"-h", "--help"}) EXPECT_EQ(options.erase(asked), 1u) << help;
  if (help.find("Subcommands:") == help.npos) return options;
  for (const std::string& below : commands_of(help)) {
    auto longer = command;
    longer.push_back(below);
    options.merge(options_of(pmt, longer));
  }
  return options;
}

TEST(CliPage, NamesEveryCommand) {
  Pmt pmt;
  const Names commands = commands_of(pmt.run_as_is({"--help"}).out);
  EXPECT_EQ(commands.size(), 24U);
  EXPECT_EQ(all_matches(page(), "\n### ([a-z]+)\n"), commands);
  EXPECT_EQ(all_matches(section(page(), "## Output"), "\n\\| ([a-z]+) \\|"), commands);
}

TEST(CliPage, NamesTheOptionsOfEveryCommand) {
  Pmt pmt;
  const std::string text = page();
  for (const std::string& command : commands_of(pmt.run_as_is({"--help"}).out)) {
    EXPECT_EQ(documented_options(section(text, "### " + command)), options_of(pmt, {command}))
        << command;
  }
}

TEST(CliPage, NamesTheCommonOptions) {
  Pmt pmt;
  const Names options = options_of(pmt.run_as_is({"--help"}).out);
  EXPECT_EQ(documented_options(section(page(), "## Options of every command")), options);
}

}  // namespace
}  // namespace prefixmem::client
