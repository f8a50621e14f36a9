#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/spec/keys.h"
#include "common/spec/spec_io.h"

namespace prefixmem {
namespace {

TEST(Explain, OneKey) {
  EXPECT_EQ(*explain("train.learning_rate"),
            "train.learning_rate\n"
            "  AdamW's, at the end of the warm-up.\n"
            "  allowed: a number above 0\n"
            "  default: 0.001\n");
  EXPECT_EQ(*explain("method.alpha"),
            "method.alpha (type lora)\n"
            "  The update is scaled by alpha / r.\n"
            "  allowed: a number above 0\n"
            "  default: 16\n");
}

TEST(Explain, ASectionListsItsKeys) {
  EXPECT_EQ(*explain("data.few_shot"),
            "data.few_shot\n"
            "  text_label: train on a seeded sample with equally many rows of each label.\n"
            "  allowed: a map of keys\n"
            "  data.few_shot.per_class  a whole number of at least 1; default 1\n"
            "  data.few_shot.seed       a whole number of at least 0; default 0\n");
}

TEST(Explain, WithoutAPathEveryKeyIsThere) {
  const std::string all = *explain("");
  for (const auto& key : spec::schema_keys()) {
    EXPECT_NE(all.find("  " + key.path + " "), std::string::npos) << key.path;
    EXPECT_FALSE(key.doc.empty()) << key.path;
    EXPECT_TRUE(explain(key.path).ok()) << key.path;
  }
}

TEST(Explain, SuggestsAKey) {
  EXPECT_EQ(explain("train.learning_rat").status().message(),
            "train.learning_rat is not a key; did you mean train.learning_rate?");
  EXPECT_EQ(explain("train.lr").status().message(),
            "train.lr is not a key; did you mean train.learning_rate?");
  EXPECT_EQ(explain("train.batch_size").status().message(),
            "train.batch_size is not a key; did you mean train.global_batch_size?");
}

TEST(Explain, NamesTheOnlyKeyOfThatNameInASection) {
  EXPECT_EQ(explain("epochs").status().message(),
            "epochs is not a key; did you mean train.epochs?");
}

TEST(Explain, NamesTheKeyOfAValue) {
  EXPECT_EQ(explain("lora").status().message(),
            "lora is not a key; it is a value of method, method.methods");
  EXPECT_EQ(explain("cosine").status().message(),
            "cosine is not a key; it is a value of train.schedule");
}

TEST(Explain, SaysWhatIsRequired) {
  EXPECT_THAT(*explain("model"), testing::EndsWith("\n  allowed: text\n  required\n"));
  EXPECT_THAT(*explain("data"), testing::HasSubstr("text; required unless method is none\n"));
}

TEST(Explain, NamesTheKeysOfTheSectionWhereNoneIsNear) {
  EXPECT_EQ(explain("data.few_shot.what_is_this").status().message(),
            "data.few_shot.what_is_this is not a key; allowed: data.few_shot.per_class, "
            "data.few_shot.seed");
  EXPECT_EQ(explain("WRONG.KEY").status().message(),
            "WRONG.KEY is not a key; allowed: after, benchmark, data, eval, labels, method, model, "
            "name, objective, priority, resources, sweep, train");
}

}  // namespace
}  // namespace prefixmem
