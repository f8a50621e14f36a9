#include "worker/trainer/tokenizer/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem::trainer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = Table::Cell::Kind;

const std::vector<Table::Column> kColumns = {{"label"}, {"text"}, {"prompt", false}};

// "number: cell|cell|…" of each row; "-" is a null.
Result<std::vector<std::string>> rows_of(Table& table) {
  std::vector<std::string> rows;
  Table::Row row;
  while (true) {
    PM_ASSIGN(const bool more, table.next(row));
    if (!more) return rows;
    std::string line = std::to_string(row.number) + ": ";
    for (const auto& cell : row.cells) {
      line += cell.kind == Kind::kNull ? "-" : std::string(cell.value);
      line += '|';
    }
    rows.push_back(line);
  }
}

Result<std::vector<std::string>> parsed(const std::string& text, Table::Format format) {
  PM_ASSIGN(const auto table, Table::parse(text, "t.csv", format, kColumns));
  return rows_of(*table);
}

TEST(Table, GivesTheColumnsAskedForInTheirOrder) {
  const auto rows = parsed("id,text,label\n1,\"a, b\",0\n\n2,,\"é\n\"", Table::Format::kCsv);
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_THAT(*rows, ElementsAre("2: 0|a, b|-|", "4: é\n||-|"));
}

TEST(Table, TsvIsPartedByTabs) {
  const auto rows = parsed("text\tlabel\na, b\t0\n", Table::Format::kTsv);
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_THAT(*rows, ElementsAre("2: 0|a, b|-|"));
}

TEST(Table, ReadsFiles) {
  const TempFolder folder;
  const auto file = folder.path() / "rows.csv";
  ASSERT_TRUE(write_file_atomic(file, "label,text\n0,a\n").ok());
  const auto table = Table::open(file, Table::Format::kCsv, kColumns);
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_THAT(*rows_of(**table), ElementsAre("2: 0|a|-|"));
  const Status missing =
      Table::open(folder.path() / "none", Table::Format::kCsv, kColumns).status();
  EXPECT_EQ(missing.code(), Code::kInvalidArgument);
  EXPECT_THAT(missing.message(), HasSubstr((folder.path() / "none").string()));
}

TEST(Table, NamesWhatIsWrong) {
  const Status column = parsed("text\na\n", Table::Format::kCsv).status();
  EXPECT_EQ(column.code(), Code::kInvalidArgument);
  EXPECT_EQ(column.message(), "t.csv has no column \"label\"; it has: text");
  const Status row = parsed("text,label\na,0\nb\n", Table::Format::kCsv).status();
  EXPECT_EQ(row.code(), Code::kInvalidArgument);
  EXPECT_THAT(row.message(), HasSubstr("t.csv line 3 has 1 fields; allowed: 2"));
}

TEST(Table, TellsADamagedFileApart) {
  for (const std::string content : {"", "PAR1", "PAR1 and no more PAR1"}) {
    const Status status = parsed(content, Table::Format::kParquet).status();
    EXPECT_EQ(status.code(), Code::kDataLoss) << status.message();
    EXPECT_THAT(status.message(), HasSubstr("t.csv is damaged"));
  }
}

}  // namespace
}  // namespace prefixmem::trainer
