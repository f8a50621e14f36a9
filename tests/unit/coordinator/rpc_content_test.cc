// ContentService as a user sees it, and the fetch of workers.
#include <gmock/gmock.h>

#include <chrono>
#include <map>
#include <thread>

#include "common/content/content_name.h"
#include "common/content/folder_list.h"
#include "common/sha256.h"
#include "prefixmem/v1/content_service.grpc.pb.h"
#include "tests/unit/coordinator/served.h"

namespace prefixmem {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

class RpcContent : public ServedTest {
 protected:
  void SetUp() override {
    ServedTest::SetUp();
    content_ = v1::ContentService::NewStub(channel_);
  }

  static v1::ContentHeader header(const std::string& bytes, int64_t offset = 0) {
    v1::ContentHeader header;
    header.set_sha256(sha256_hex(bytes));
    header.set_bytes(static_cast<int64_t>(bytes.size()));
    header.set_offset(offset);
    return header;
  }
  grpc::Status upload(const v1::ContentHeader& header, const std::vector<std::string>& chunks) {
    const auto context = call();
    v1::UploadContentResponse response;
    return send_file(*content_->UploadContent(context.get(), &response), header, chunks);
  }
  grpc::Status upload(const std::string& bytes) { return upload(header(bytes), {bytes}); }

  // One that goes on until its writer is done.
  struct Upload {
    const std::unique_ptr<grpc::ClientContext> context = call();
    v1::UploadContentResponse response;
    std::unique_ptr<grpc::ClientWriter<v1::UploadContentRequest>> writer;
  };
  // Returns when the first of its bytes have come.
  void begin(Upload& upload, const std::string& bytes, const std::string& first) {
    upload.writer = content_->UploadContent(upload.context.get(), &upload.response);
    v1::UploadContentRequest request;
    *request.mutable_header() = header(bytes);
    ASSERT_TRUE(upload.writer->Write(request));
    request.set_chunk(first);
    ASSERT_TRUE(upload.writer->Write(request));
    const std::string there = "part " + std::to_string(first.size());
    await([&] { return text_of(state(bytes)) == there; }, "the upload did not begin");
  }

  template <class Condition>
  static void await(const Condition& condition, const char* otherwise) {
    const auto deadline = std::chrono::steady_clock::now() + TestWorker::kPatience;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << otherwise;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // calls are limited
    }
  }

  v1::ContentState state(const std::string& bytes) {
    v1::StatContentRequest request;
    request.add_sha256(sha256_hex(bytes));
    v1::StatContentResponse response;
    EXPECT_TRUE(content_->StatContent(call().get(), request, &response).ok());
    return response.contents_size() == 1 ? response.contents(0) : v1::ContentState();
  }
  std::string text_of(const v1::ContentState& state) {
    return (state.complete() ? "whole " : "part ") + std::to_string(state.received_bytes());
  }

  // The size that was told and the bytes that came.
  template <class Reader, class Message>
  static std::pair<int64_t, std::string> read(Reader& reader, Message message) {
    std::pair<int64_t, std::string> read{-1, ""};
    while (reader.Read(&message)) {
      if (message.has_chunk()) {
        read.second += message.chunk();
      } else {
        read.first = message.bytes();
      }
    }
    return read;
  }
  grpc::Status download(const std::string& sha256, int64_t offset, std::string* bytes = nullptr) {
    v1::DownloadContentRequest request;
    request.set_sha256(sha256);
    request.set_offset(offset);
    const auto context = call();
    const auto reader = content_->DownloadContent(context.get(), request);
    const auto [size, read_bytes] = read(*reader, v1::DownloadContentResponse());
    if (bytes != nullptr) *bytes = read_bytes;
    return reader->Finish();
  }
  grpc::Status submit_with(const std::string& rows) {
    v1::SubmitJobResponse response;
    return submit("{name: a, model: /m, data: {train: \"" + rows + "\"}, train: {max_steps: 2}}",
                  response);
  }

  std::unique_ptr<v1::ContentService::Stub> content_;
};

TEST_F(RpcContent, GoesInAndComesOutTheSame) {
  std::string bytes(3'000'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761U >> 24);
  const auto sent = upload(header(bytes), {bytes.substr(0, 1'000'000), bytes.substr(1'000'000)});
  ASSERT_TRUE(sent.ok()) << sent.error_message();
  EXPECT_EQ(text_of(state(bytes)), "whole 3000000");
  std::string received;
  ASSERT_TRUE(download(sha256_hex(bytes), 0, &received).ok());
  EXPECT_TRUE(received == bytes);
  ASSERT_TRUE(download(sha256_hex(bytes), 2'999'990, &received).ok());
  EXPECT_EQ(received, bytes.substr(2'999'990));

  v1::FetchContentRequest fetch;
  fetch.set_sha256(sha256_hex(bytes));
  const auto context = call();
  const auto reader = workers_->FetchContent(context.get(), fetch);
  const auto [size, fetched] = read(*reader, v1::FetchContentResponse());
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(size, 3'000'000);
  EXPECT_TRUE(fetched == bytes);
}

TEST_F(RpcContent, AnEmptyFileIsAFile) {
  ASSERT_TRUE(upload(header(""), {}).ok());
  EXPECT_EQ(text_of(state("")), "whole 0");
  std::string received = "x";
  EXPECT_TRUE(download(sha256_hex(""), 0, &received).ok());
  EXPECT_EQ(received, "");
}

TEST_F(RpcContent, ABrokenUploadGoesOnWhereItStopped) {
  const std::string bytes = "some rows of text";
  EXPECT_EQ(text_of(state(bytes)), "part 0");
  const auto broken = upload(header(bytes), {"some rows"});
  EXPECT_EQ(broken.error_code(), StatusCode::DATA_LOSS);
  EXPECT_THAT(broken.error_message(), HasSubstr("ended after 9 of the announced 17 bytes"));
  EXPECT_EQ(text_of(state(bytes)), "part 9");
  EXPECT_EQ(download(sha256_hex(bytes), 0).error_code(), StatusCode::NOT_FOUND)
      << "nothing half-stored can be seen";
  EXPECT_TRUE(upload(header(bytes, 9), {" of text"}).ok());
  EXPECT_EQ(text_of(state(bytes)), "whole 17");
}

TEST_F(RpcContent, ARestartedCoordinatorGoesOnToo) {
  const std::string bytes = "some rows of text";
  EXPECT_FALSE(upload(header(bytes), {"some rows"}).ok());
  service_.reset();
  SetUp();
  EXPECT_EQ(text_of(state(bytes)), "part 9");
  EXPECT_TRUE(upload(header(bytes, 9), {" of text"}).ok());
  service_.reset();
  SetUp();
  EXPECT_EQ(text_of(state(bytes)), "whole 17") << "no artifact names it, yet it stays";
}

TEST_F(RpcContent, OffsetsThatAreNotThereAreRefused) {
  const std::string bytes = "some rows";
  const auto status = upload(header(bytes, 4), {" rows"});
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("of which 0 bytes are there"));
  EXPECT_FALSE(upload(header(bytes), {"some ro"}).ok());
  EXPECT_TRUE(upload(header(bytes), {bytes}).ok()) << "0 begins anew";
}

TEST_F(RpcContent, DamagedUploadsLeaveNothing) {
  auto wrong = header("abc");
  wrong.set_sha256(sha256_hex("abd"));
  const auto other = upload(wrong, {"abc"});
  EXPECT_EQ(other.error_code(), StatusCode::DATA_LOSS);
  EXPECT_EQ(other.error_message(), "content of 3 bytes has sha256 " + sha256_hex("abc") +
                                       ", announced was " + sha256_hex("abd"));
  EXPECT_EQ(text_of(state("abd")), "part 0");
  const auto longer = upload(header("abc"), {"ab", "cd"});
  EXPECT_EQ(longer.error_code(), StatusCode::DATA_LOSS);
  EXPECT_EQ(longer.error_message(),
            "content " + sha256_hex("abc") + " has more than the announced 3 bytes");
  EXPECT_EQ(text_of(state("abc")), "part 0");
  EXPECT_TRUE(std::filesystem::is_empty(options_.data_dir / "blobs" / "unfinished"));
}

TEST_F(RpcContent, WhatIsThereIsNotTakenAgain) {
  ASSERT_TRUE(upload("abc").ok());
  EXPECT_TRUE(upload(header("abc"), {}).ok()) << "answered before a byte has come";
}

TEST_F(RpcContent, OneUploadOfAContentAtATime) {
  const std::string bytes = "some rows";
  Upload first;
  begin(first, bytes, "some");
  const grpc::Status second = upload(header(bytes), {"some"});
  EXPECT_EQ(second.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(second.error_message(), HasSubstr("is being uploaded by another call"));
  first.context->TryCancel();
  EXPECT_FALSE(first.writer->Finish().ok());
}

// An hour passes when it is told to; content that nothing names goes after one.
class RpcContentSweep : public RpcContent {
 protected:
  void SetUp() override {
    clock_ = &hours_;
    options_.keep_content_hours = 1;
    RpcContent::SetUp();
  }
  void TearDown() override { service_.reset(); }

  FakeClock hours_;
};

TEST_F(RpcContentSweep, TakesNothingOfAnUploadUnderWay) {
  const std::string bytes = "some rows";
  Upload under_way;
  begin(under_way, bytes, "some");
  const auto part = options_.data_dir / "blobs" / "unfinished" / (sha256_hex(bytes) + ".part");
  std::filesystem::last_write_time(
      part, std::filesystem::file_time_type::clock::now() - std::chrono::hours(25));
  // When the second has gone, the sweep that took the first is over.
  for (const char* unused : {"first", "second"}) {
    ASSERT_TRUE(upload(unused).ok());
    hours_.advance(std::chrono::hours(2));
    await([&] { return !download(sha256_hex(unused), 0).ok(); }, "nothing was swept");
  }
  EXPECT_EQ(text_of(state(bytes)), "part 4");
  v1::UploadContentRequest request;
  request.set_chunk(" rows");
  EXPECT_TRUE(under_way.writer->Write(request));
  under_way.writer->WritesDone();
  const auto sent = under_way.writer->Finish();
  EXPECT_TRUE(sent.ok()) << sent.error_message();
  std::string received;
  EXPECT_TRUE(download(sha256_hex(bytes), 0, &received).ok());
  EXPECT_EQ(received, bytes);
}

TEST_F(RpcContent, HeadersAreChecked) {
  auto bad = header("abc");
  bad.set_sha256("../../etc/passwd");
  EXPECT_EQ(upload(bad, {}).error_code(), StatusCode::INVALID_ARGUMENT);
  bad = header("abc");
  bad.set_bytes(-1);
  EXPECT_EQ(upload(bad, {}).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(upload(header("abc", 4), {}).error_code(), StatusCode::INVALID_ARGUMENT);
  const auto context = call();
  v1::UploadContentResponse response;
  const auto writer = content_->UploadContent(context.get(), &response);
  v1::UploadContentRequest request;
  request.set_chunk("abc");
  writer->Write(request);
  EXPECT_EQ(writer->Finish().error_code(), StatusCode::FAILED_PRECONDITION);
  v1::StatContentRequest stat;
  stat.add_sha256("x");
  v1::StatContentResponse states;
  EXPECT_EQ(content_->StatContent(call().get(), stat, &states).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

TEST_F(RpcContent, ContentThatDoesNotFitOnTheDiskIsRefusedAtOnce) {
  auto huge = header("abc");
  huge.set_bytes(int64_t{1} << 60);
  const auto status = upload(huge, {"abc"});
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("do not fit on the coordinator's disk"));
}

TEST_F(RpcContent, ContentBeyondTheQuotaIsRefusedAtOnce) {
  v1::SetTenantRequest request;
  request.set_tenant("default");
  request.mutable_quota()->set_stored_bytes(5);
  v1::Tenant tenant;
  ASSERT_TRUE(jobs_->SetTenant(call().get(), request, &tenant).ok());
  ASSERT_TRUE(upload("abc").ok());
  EXPECT_TRUE(upload("abc").ok()) << "it is there";
  const auto status = upload("defg");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(
      status.error_message(),
      "tenant default has 3 bytes stored or on their way and would send 4 more; allowed: 5 in "
      "all");
  EXPECT_EQ(text_of(state("defg")), "part 0");
}

TEST_F(RpcContent, DownloadsOfWhatIsNotThereAreRefused) {
  EXPECT_EQ(download(sha256_hex("abc"), 0).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(download("abc", 0).error_code(), StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(upload("abc").ok());
  EXPECT_EQ(download(sha256_hex("abc"), 4).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(download(sha256_hex("abc"), -1).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(RpcContent, ASpecNeedsItsContent) {
  const std::string name = to_string({sha256_hex("rows"), "train.jsonl"});
  const auto status = submit_with(name);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("data.train: train.jsonl: sha256 "));
  ASSERT_TRUE(upload("rows").ok());
  EXPECT_TRUE(submit_with(name).ok());
  EXPECT_EQ(submit_with("content://x").error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(RpcContent, NamesOfAnotherKindAreRefused) {
  EXPECT_TRUE(submit_with("root://data/rows.jsonl").ok());
  const auto climbs = submit_with("root://data/../rows.jsonl");
  EXPECT_EQ(climbs.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(climbs.error_message(), HasSubstr("data.train: \"root://data/../rows.jsonl\" does"));
  const auto unknown = submit_with("s3://bucket/rows.jsonl");
  EXPECT_EQ(unknown.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(unknown.error_message(), HasSubstr("data.train: it is \"s3://bucket/rows.jsonl\""));
}

TEST_F(RpcContent, ASpecNeedsAllFilesOfItsFolders) {
  const std::string list =
      print_folder_list({{"a", 1, sha256_hex("a")}, {"b", 1, sha256_hex("b")}});
  const std::string yaml = "{name: a, model: /m, method: {type: lora, init: \"" +
                           to_string({sha256_hex(list), "adapter", true}) +
                           "\"}, data: {train: /t}, train: {max_steps: 2}}";
  v1::SubmitJobResponse response;
  ASSERT_TRUE(upload("a").ok());
  ASSERT_TRUE(upload(list).ok());
  const auto status = submit(yaml, response);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("its file b of 1 bytes"));
  ASSERT_TRUE(upload("b").ok());
  EXPECT_TRUE(submit(yaml, response).ok());
}

TEST_F(RpcContent, AFolderIsAListOfFiles) {
  ASSERT_TRUE(upload("no list").ok());
  const auto status = submit_with(to_string({sha256_hex("no list"), "f", true}));
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("the list of a folder's files cannot be read"));
}

TEST_F(RpcContent, AFileOfAJobIsContentWithoutBeingSent) {
  submit_one();
  TestWorker worker(channel_);
  worker.register_as("w");
  v1::UploadHeader artifact;
  *artifact.mutable_id() = worker.assignment().id();
  artifact.mutable_artifact()->set_path("adapter/weights");
  artifact.mutable_artifact()->set_kind("adapter");
  artifact.mutable_artifact()->set_bytes(3);
  artifact.mutable_artifact()->set_sha256(sha256_hex("abc"));
  const auto context = call();
  v1::UploadArtifactResponse response;
  const auto writer = workers_->UploadArtifact(context.get(), &response);
  ASSERT_TRUE(send_file(*writer, artifact, {"abc"}).ok());
  EXPECT_EQ(text_of(state("abc")), "part 0");
  EXPECT_TRUE(upload(header("abc"), {}).ok());
  EXPECT_EQ(text_of(state("abc")), "whole 3");
}

// Names of models.
class RpcModels : public RpcContent {
 protected:
  // A folder in the store, of files by path; its name in specs.
  std::string folder(const std::map<std::string, std::string>& files, const std::string& name) {
    FolderList list;
    for (const auto& [path, bytes] : files) {
      EXPECT_TRUE(upload(bytes).ok());
      list.push_back({path, static_cast<int64_t>(bytes.size()), sha256_hex(bytes)});
    }
    const std::string text = print_folder_list(list);
    EXPECT_TRUE(upload(text).ok());
    return to_string({sha256_hex(text), name, true});
  }
  std::string model_folder() {
    return folder({{"config.json", "{}"}, {"model.safetensors", "weights"}}, "tiny");
  }
  grpc::Status add(const std::string& name, const std::string& content) {
    v1::AddModelRequest request;
    request.set_name(name);
    request.set_content(content);
    return content_->AddModel(call().get(), request, &model_);
  }
  grpc::Status get(const std::string& name) {
    v1::GetModelRequest request;
    request.set_name(name);
    return content_->GetModel(call().get(), request, &model_);
  }
  grpc::Status remove(const std::string& name) {
    v1::RemoveModelRequest request;
    request.set_name(name);
    return content_->RemoveModel(call().get(), request, &model_);
  }
  std::vector<std::string> names() {
    v1::ListModelsResponse listed;
    EXPECT_TRUE(content_->ListModels(call().get(), {}, &listed).ok());
    std::vector<std::string> names;
    for (const v1::Model& model : listed.models()) names.push_back(model.name());
    return names;
  }
  grpc::Status submit_with_model(const std::string& model, v1::SubmitJobResponse& response) {
    return submit("{name: a, model: \"" + model + "\", data: {train: /t}, train: {max_steps: 2}}",
                  response);
  }

  v1::Model model_;  // of the last answer
};

TEST_F(RpcModels, AreAddedListedShownAndRemoved) {
  const std::string content = model_folder();
  ASSERT_TRUE(add("tiny", content).ok());
  EXPECT_EQ(model_.bytes(), 9);
  EXPECT_EQ(model_.files(), 2);
  ASSERT_TRUE(add("tiny", content).ok()) << "the same again";
  ASSERT_TRUE(add("alias", content).ok());
  service_.reset();
  SetUp();
  EXPECT_THAT(names(), testing::ElementsAre("alias", "tiny"));
  ASSERT_TRUE(get("tiny").ok());
  ASSERT_EQ(model_.file_size(), 2);
  EXPECT_EQ(model_.file(1).path(), "model.safetensors");
  EXPECT_EQ(model_.file(1).sha256(), sha256_hex("weights"));
  EXPECT_TRUE(remove("alias").ok());
  EXPECT_THAT(names(), testing::ElementsAre("tiny"));
  EXPECT_EQ(remove("alias").error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(get("alias").error_code(), StatusCode::NOT_FOUND);
}

TEST_F(RpcModels, WhatIsNoneIsRefused) {
  EXPECT_EQ(add("a/b", model_folder()).error_code(), StatusCode::INVALID_ARGUMENT);
  const auto rows = add("rows", folder({{"a.jsonl", "rows"}}, "rows"));
  EXPECT_EQ(rows.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(rows.error_message(), HasSubstr("it has no config.json"));
  const auto away = add("away", to_string({sha256_hex("away"), "m.gguf"}));
  EXPECT_EQ(away.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(add("path", "/models/m").error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(names(), testing::IsEmpty());
}

TEST_F(RpcModels, ANameIsNotTakenFromAnother) {
  ASSERT_TRUE(add("tiny", model_folder()).ok());
  const auto other = add("tiny", folder({{"m.gguf", "GGUF"}}, "tiny"));
  EXPECT_EQ(other.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(other.error_message(), HasSubstr("model tiny is there with other content"));
}

TEST_F(RpcModels, AJobKeepsTheContentThatItWasSubmittedWith) {
  v1::SubmitJobResponse response;
  const auto unknown = submit_with_model("models://tiny", response);
  EXPECT_EQ(unknown.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(unknown.error_message(), "model: there is no model tiny");
  EXPECT_EQ(submit_with_model("models://a/b", response).error_code(), StatusCode::INVALID_ARGUMENT);
  const std::string content = model_folder();
  ASSERT_TRUE(add("tiny", content).ok());
  ASSERT_TRUE(submit_with_model("models://tiny", response).ok());
  ASSERT_TRUE(remove("tiny").ok());
  EXPECT_EQ(job(response.jobs(0).id()).spec().model(), content);
}

TEST_F(RpcModels, OfTheHubIsTakenByItsCommitAlone) {
  v1::SubmitJobResponse response;
  const std::string pinned = "hf://org/tiny@0123456789abcdef0123456789abcdef01234567";
  ASSERT_TRUE(submit_with_model(pinned, response).ok());
  EXPECT_EQ(job(response.jobs(0).id()).spec().model(), pinned);
  const auto branch = submit_with_model("hf://org/tiny", response);
  EXPECT_EQ(branch.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(branch.error_message(),
              HasSubstr("model: \"hf://org/tiny\" may mean other weights tomorrow; allowed: "
                        "hf://ORG/NAME@COMMIT"));
  EXPECT_THAT(submit_with_model("hf://tiny", response).error_message(),
              HasSubstr("model: \"hf://tiny\" names no model of the Hub"));
}

TEST_F(RpcModels, ARepeatedSubmissionNeedsNoNameAnyMore) {
  v1::SubmitJobRequest request;
  request.set_yaml("{name: a, model: \"models://tiny\", data: {train: /t}, train: {max_steps: 2}}");
  request.set_idempotency_key("key");
  v1::SubmitJobResponse first, again;
  EXPECT_EQ(jobs_->SubmitJob(call().get(), request, &first).error_code(), StatusCode::NOT_FOUND);
  ASSERT_TRUE(add("tiny", model_folder()).ok());
  ASSERT_TRUE(jobs_->SubmitJob(call().get(), request, &first).ok());
  ASSERT_TRUE(remove("tiny").ok());
  ASSERT_TRUE(jobs_->SubmitJob(call().get(), request, &again).ok());
  EXPECT_EQ(again.jobs(0).id(), first.jobs(0).id());
  request.set_idempotency_key("another");
  EXPECT_EQ(jobs_->SubmitJob(call().get(), request, &again).error_code(), StatusCode::NOT_FOUND);
}

constexpr const char* kConfig = R"({"model_type": "llama", "hidden_size": 2048,
  "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
  "vocab_size": 128256, "hidden_act": "silu", "num_key_value_heads": 8, "rms_norm_eps": 1e-5,
  "max_position_embeddings": 8192, "rope_theta": 500000.0, "tie_word_embeddings": true})";

TEST_F(RpcModels, OfAFolderThatIsKeptTheMemoryOfAJobIsPredicted) {
  ASSERT_TRUE(
      add("big", folder({{"config.json", kConfig}, {"model.safetensors", "weights"}}, "big")).ok());
  v1::CheckJobRequest request;
  request.set_yaml("{name: j, model: \"models://big\", data: {train: /t}, train: {max_steps: 2}}");
  v1::CheckJobResponse response;
  ASSERT_TRUE(jobs_->CheckJob(call().get(), request, &response).ok());
  EXPECT_TRUE(response.memory().empty()) << "it was not asked for";
  request.set_memory(true);
  ASSERT_TRUE(jobs_->CheckJob(call().get(), request, &response).ok());
  ASSERT_EQ(response.memory_size(), 1);
  EXPECT_EQ(response.memory(0).method(), "prefix_memory");
  EXPECT_EQ(response.memory(0).estimate().weights(), 2471628800) << "2 bytes each of 1.24e9";
  EXPECT_GT(response.memory(0).estimate().total(), response.memory(0).checkpointed().total());
  request.set_yaml("{name: j, model: /m, data: {train: /t}, train: {max_steps: 2}}");
  ASSERT_TRUE(jobs_->CheckJob(call().get(), request, &response).ok());
  EXPECT_TRUE(response.memory().empty()) << "which workers alone can read";
}

}  // namespace
}  // namespace prefixmem
