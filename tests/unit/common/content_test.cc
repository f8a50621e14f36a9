#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/content/content_name.h"
#include "common/content/folder_list.h"
#include "common/content/job_name.h"
#include "common/content/model_name.h"
#include "common/content/root_name.h"
#include "common/sha256.h"
#include "tests/unit/common/temp_folder.h"

namespace prefixmem {
namespace {

namespace fs = std::filesystem;

const std::string kDigest = sha256_hex("abc");

TEST(ContentName, IsReadAndWritten) {
  const ContentName file{kDigest, "rows of März.csv"};
  EXPECT_EQ(to_string(file), "content://" + kDigest + "/rows of März.csv");
  EXPECT_EQ(*parse_content_name(to_string(file)), file);
  const ContentName folder{kDigest, "adapter", true};
  EXPECT_EQ(to_string(folder), "content://" + kDigest + "/adapter/");
  EXPECT_EQ(*parse_content_name(to_string(folder)), folder);
}

TEST(ContentName, RefusesWhatIsNone) {
  for (const std::string& bad :
       {std::string("/data/train.jsonl"), "content://" + kDigest, "content://" + kDigest + "/",
        "content://" + kDigest + "//", "content://" + kDigest + "/..",
        "content://" + kDigest + "/./", "content://" + kDigest + "/a/b",
        "content://" + kDigest.substr(1) + "/a", "content://" + kDigest + "0/a",
        "content://" + kDigest + "/a\nb", "content://" + kDigest + "/\xff",
        "content://" + kDigest + "/" + std::string(256, 'x')}) {
    const Status status = parse_content_name(bad).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << bad;
    EXPECT_NE(status.message().find("allowed: content://SHA256/NAME"), status.message().npos);
  }
}

TEST(JobName, IsAnIdOrAName) {
  EXPECT_EQ(*parse_job_name("job://job-0123456789abcdef"), (JobName{"job-0123456789abcdef"}));
  EXPECT_EQ(*parse_job_name("job://first.try-2"), (JobName{"first.try-2"}));
  EXPECT_EQ(*parse_job_name("job://first/best"), (JobName{"first", true}));
  for (const char* bad : {"/adapter", "job://", "job://a/b", "job://A", "job://..", "job:///best",
                          "job://a/best/", "job://a/best/best"}) {
    const Status status = parse_job_name(bad).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << bad;
    EXPECT_NE(status.message().find("names no job; allowed: job://JOB"), std::string::npos);
  }
}

TEST(RootName, IsAPathBelowARoot) {
  EXPECT_EQ(*parse_root_name("root://models/m/config.json"), (RootName{"models", "m/config.json"}));
  EXPECT_EQ(*parse_root_name("root://models/m/"), (RootName{"models", "m"}));
  EXPECT_EQ(*parse_root_name("root://gemma-3_1.b"), (RootName{"gemma-3_1.b", ""}));
}

TEST(RootName, RefusesWhatIsNoneOrClimbsOut) {
  for (const std::string& bad :
       {std::string("/models/m"), std::string("root://"), std::string("root:///etc/passwd"),
        std::string("root://../etc"), std::string("root://models/.."),
        std::string("root://models/../secret"), std::string("root://models/m/../../secret"),
        std::string("root://models//etc/passwd"), std::string("root://models/./m"),
        std::string("root://a b/m"), "root://" + std::string(65, 'a') + "/m"}) {
    const Status status = parse_root_name(bad).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << bad;
    EXPECT_NE(status.message().find("allowed: root://NAME/PATH"), status.message().npos) << bad;
  }
}

TEST(ModelName, IsAWordBehindItsScheme) {
  EXPECT_EQ(*parse_model_name("models://qwen2.5-0.5b"), "qwen2.5-0.5b");
  for (const char* bad : {"models://", "models://a/b", "models://..", "models://.a", "models://a b",
                          "/models/a", "model://a"}) {
    EXPECT_EQ(parse_model_name(bad).status().code(), Code::kInvalidArgument) << bad;
  }
}

TEST(ModelName, AModelHasAConfigurationAndWeights) {
  const ContentName folder{kDigest, "m", true};
  const auto why = [&](const std::vector<std::string>& paths) {
    FolderList files;
    for (const std::string& path : paths) files.push_back({path, 1, kDigest});
    return check_model_folder(folder, files).message();
  };
  EXPECT_EQ(why({"config.json", "model.safetensors"}), "");
  EXPECT_EQ(why({"config.json", "model.safetensors.index.json"}), "");
  EXPECT_EQ(why({"m.gguf"}), "");
  EXPECT_NE(why({"model.safetensors"}).find("it has no config.json"), std::string::npos);
  EXPECT_NE(why({"below/config.json", "model.safetensors"}).find("no config.json"),
            std::string::npos);
  EXPECT_NE(why({"config.json"}).find("it has no weights"), std::string::npos);
  EXPECT_NE(why({"config.json", "a.gguf", "b.gguf"}).find("it has no weights"), std::string::npos);
  EXPECT_TRUE(check_model_file({kDigest, "m.gguf"}).ok());
  EXPECT_EQ(check_model_file({kDigest, "m.bin"}).code(), Code::kInvalidArgument);
}

TEST(FolderList, IsTheSameForTheSameFiles) {
  const FolderFile a{"a.json", 3, kDigest}, b{"b/c.bin", 0, sha256_hex("")};
  EXPECT_EQ(print_folder_list({a, b}), print_folder_list({b, a}));
  EXPECT_EQ(*parse_folder_list(print_folder_list({b, a})), (FolderList{a, b}));
}

TEST(FolderList, RefusesPathsThatLeaveTheFolder) {
  for (const char* path : {"", ".", "..", "../a", "/a", "a/../../b", "a//b", "a/", "a/./b"}) {
    const auto list = parse_folder_list(print_folder_list({{path, 3, kDigest}}));
    EXPECT_EQ(list.status().code(), Code::kInvalidArgument) << path;
  }
}

TEST(FolderList, RefusesPathsThatCannotBeTogether) {
  const FolderFile a{"a", 3, kDigest}, below{"a/b", 3, kDigest};
  EXPECT_EQ(parse_folder_list(print_folder_list({a, a})).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(parse_folder_list(print_folder_list({a, below})).status().code(),
            Code::kInvalidArgument);
}

TEST(FolderList, RefusesWhatIsNone) {
  for (const char* text : {"", "{", "[]", "{\"files\": []}", "{\"files\": [{}]}", "{\"files\": 3}",
                           R"({"files": [{"path": "a", "bytes": -1, "sha256": "x"}]})",
                           R"({"files": [{"path": "a", "bytes": 1, "sha256": "x"}]})"}) {
    EXPECT_EQ(parse_folder_list(text).status().code(), Code::kInvalidArgument) << text;
  }
}

TEST(FilesBelow, FollowsLinksAndIsSorted) {
  const TempFolder folder;
  fs::create_directories(folder.path() / "m" / "b");
  std::ofstream(folder.path() / "blob") << "weights";
  std::ofstream(folder.path() / "m" / "b" / "x") << "x";
  fs::create_symlink("../blob", folder.path() / "m" / "a");
  EXPECT_EQ(*files_below(folder.path() / "m"), (std::vector<std::string>{"a", "b/x"}));
}

TEST(FilesBelow, AnEmptyFolderAndOneThatIsNotThereAreRefused) {
  const TempFolder folder;
  EXPECT_EQ(files_below(folder.path()).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(files_below(folder.path() / "none").status().code(), Code::kNotFound);
}

}  // namespace
}  // namespace prefixmem
