#include "client/render/table.h"

#include <gtest/gtest.h>

namespace prefixmem::client {
namespace {

TEST(Text, IsMeasuredInCharacters) {
  EXPECT_EQ(columns_of("aé█"), 3u);
  EXPECT_EQ(padded("é", 3, Align::kLeft), "é  ");
  EXPECT_EQ(padded("é", 3, Align::kRight), "  é");
  EXPECT_EQ(padded("long", 3, Align::kRight), "long");
}

TEST(Text, IsCutBetweenCharacters) {
  EXPECT_EQ(cut("grün", 4), "grün");
  EXPECT_EQ(cut("grünes", 4), "grü…");
  EXPECT_EQ(cut("grün", 1), "…");
  EXPECT_EQ(cut("grün", 0), "");
}

TEST(Text, LosesWhatSteersATerminal) {
  EXPECT_EQ(printable("a\x1b[31mb\r\n\tc\x7f"), "a [31mb   c");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "31mb"),
            "a 31mb")
      << "the CSI of eight bits";
  EXPECT_EQ(printable("\xc2\xa0é\xc2"), "\xc2\xa0é\xc2") << "other characters stay";
  EXPECT_EQ(printable("one\ntwo\n\n", true), "one\ntwo");
  EXPECT_EQ(printable("one\ntwo"), "one two");
  EXPECT_EQ(printable(" \n "), "");
}

TEST(Table, AlignsItsColumns) {
  Table table({{"name"}, {"loss", Align::kRight}, {"reason"}});
  EXPECT_TRUE(table.empty());
  table.add({"grün", "1.5", "x"});
  table.add({"b", "12.25", ""});
  EXPECT_EQ(table.text(),
            "name   loss  reason\n"
            "grün    1.5  x\n"
            "b     12.25  -\n");
}

TEST(Table, CutsLinesToTheTerminal) {
  Table table({{"name"}, {"reason"}});
  table.add({"a", "waits for 9 slots"});
  EXPECT_EQ(table.text(12), "name  reason\na     waits…\n");
}

TEST(Table, CellsAreLinesOfPlainText) {
  Table table({{"name"}});
  table.add({"a\n\x1b[2Jb"});
  EXPECT_EQ(table.text(), "name\na  [2Jb\n");
}

TEST(Fields, LeaveOutWhatIsEmpty) {
  EXPECT_EQ(fields({{"job", "j"}, {"much longer", ""}, {"state", "a\nb"}}),
            "job:    j\nstate:  a b\n");
}

}  // namespace
}  // namespace prefixmem::client
