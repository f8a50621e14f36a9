#include "common/spec/tree.h"

#include <gtest/gtest.h>

#include "common/spec/suggest.h"
#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

TEST(Tree, PrintsOnOneLine) {
  const std::string text =
      "{type: lora, r: 8, on: true, none: null, empty: {}, list: [a, [b, \"1\"]]}";
  EXPECT_EQ(print_flow(*parse_tree(text)), text);
}

TEST(Tree, PrintsInBlocks) {
  const std::string text =
      "a: 1\n"
      "b:\n"
      "  c: [x, y]\n"
      "  d:\n"
      "    - {e: 1}\n"
      "    - [2]\n"
      "f: {}\n";
  EXPECT_EQ(print_tree(*parse_tree(text)), text);
  EXPECT_EQ(print_tree(Tree::map()), "{}\n");
}

TEST(Tree, SetReplaces) {
  Tree map = Tree::map();
  map.set("a", Tree::plain("1"));
  map.set("b", Tree::plain("2"));
  map.set("a", Tree::text("3"));
  EXPECT_EQ(print_flow(map), "{a: \"3\", b: 2}");
  EXPECT_EQ(map.find("c"), nullptr);
}

TEST(Tree, KnowsTextFromNumbers) {
  const Tree list = *parse_tree("[1, '1', \"a\", b, ~, null, 'null']");
  ASSERT_EQ(list.items.size(), 7u);
  EXPECT_FALSE(list.items[0].quoted);
  EXPECT_TRUE(list.items[1].quoted);
  EXPECT_TRUE(list.items[2].quoted);
  EXPECT_FALSE(list.items[3].quoted);
  EXPECT_TRUE(list.items[4].is_null());
  EXPECT_TRUE(list.items[5].is_null());
  EXPECT_TRUE(list.items[6].is_scalar());
}

// Nothing of this may crash, hang or throw, whatever the answer.
TEST(Tree, SurvivesDamagedTexts) {
  const std::string good =
      "name: a\ndata: {train: \"x\\ty\", list: [1, 'two', {a: b}]}\ntext: |\n  one\n  two\n";
  uint32_t state = 1;
  size_t read = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = good;
    for (int k = 0; k < 3; ++k) {
      state = state * 1664525 + 1013904223;
      const size_t at = (state >> 8) % text.size();
      const char marks[] = "{}[]:,-#&*!|>'\"%@` \n\tab\\?~";
      text[at] = marks[(state >> 3) % (sizeof marks - 1)];
    }
    const auto tree = parse_tree(text);
    if (!tree.ok()) continue;
    ++read;
    const auto again = parse_tree(print_tree(*tree));
    ASSERT_TRUE(again.ok()) << text << "\n" << print_tree(*tree) << again.status().message();
    ASSERT_EQ(print_tree(*again), print_tree(*tree)) << text;
  }
  EXPECT_GT(read, 100u);
}

TEST(Utf8, KnowsWellFormedText) {
  for (const char* good :
       {"", "a", "é", "€", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "a\xFF"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

TEST(Utf8, ShortensBetweenCharacters) {
  EXPECT_EQ(shortened("aé", 3), "aé");
  EXPECT_EQ(shortened("aéb", 3), "aé…");
  EXPECT_EQ(shortened("aéb", 2), "a…");
  EXPECT_EQ(shortened("\x80\x80", 1), "…");
}

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("seed", "seed"), 0u);
  EXPECT_EQ(edit_distance("gird", "grid"), 1u);
}

TEST(Suggest, OffersOnlyWhatIsNear) {
  EXPECT_EQ(suggestion("sed", {"seed", "text"}), "did you mean seed?");
  EXPECT_EQ(suggestion("x", {"r"}), "allowed: r");
  EXPECT_EQ(suggestion("colour", {"r", "alpha"}), "allowed: r, alpha");
  EXPECT_EQ(suggestion("a", {}), "allowed: none");
}

}  // namespace
}  // namespace prefixmem::spec
