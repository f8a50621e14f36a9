#include "coordinator/store/s3/s3_blobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <future>
#include <thread>

#include "common/fd.h"
#include "common/files.h"
#include "common/sha256.h"
#include "tests/unit/common/temp_folder.h"
#include "tests/unit/coordinator/s3_server.h"

namespace prefixmem::store::s3 {
namespace {

const std::string kText = "the quick brown fox";
const std::string kTextDigest = sha256_hex(kText);

// Nearly incompressible, each place another.
std::string long_content(size_t bytes) {
  std::string content;
  for (size_t i = 0; content.size() < bytes; ++i) content += sha256_hex(std::to_string(i));
  content.resize(bytes);
  return content;
}

Status bring(Blobs& blobs, const std::string& content) {
  PM_ASSIGN(const auto writer, blobs.begin());
  PM_TRY(writer->write(content));
  return writer->finish(sha256_hex(content));
}

std::string all_of(BlobReader& reader) {
  std::string content;
  for (;;) {
    const auto piece = reader.read(size_t{1} << 20);
    EXPECT_TRUE(piece.ok()) << piece.status().message();
    if (!piece.ok() || piece->empty()) return content;
    EXPECT_LE(piece->size(), size_t{1} << 20);
    content += *piece;
  }
}

// Against a real server.
class S3BlobsTest : public testing::Test {
 protected:
  std::unique_ptr<Blobs> open(S3Blobs::Owner owner = S3Blobs::Owner::kSame) {
    auto opened = S3Blobs::open(options_, folder_.path(), owner);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return std::move(opened).value();
  }
  std::string refusal() const {
    return S3Blobs::open(options_, folder_.path()).status().to_string();
  }

  const TempFolder folder_;
  Options options_ = S3Server::shared().fresh_options();
};

TEST_F(S3BlobsTest, LieAsInAFolder) {
  const auto blobs = open();
  ASSERT_TRUE(bring(*blobs, kText).ok());
  const auto listed = Client(options_).list(options_.prefix);
  ASSERT_TRUE(listed.ok());
  const std::string key = options_.prefix + kTextDigest.substr(0, 2) + "/" + kTextDigest;
  ASSERT_TRUE(listed->contains(key));
  EXPECT_EQ(listed->at(key), static_cast<int64_t>(kText.size()));
  EXPECT_EQ(*Client(options_).size(key), static_cast<int64_t>(kText.size()));
}

TEST_F(S3BlobsTest, AreThereAgainAfterARestart) {
  ASSERT_TRUE(bring(*open(), kText).ok());
  const auto blobs = open();
  EXPECT_EQ(**blobs->size(kTextDigest), static_cast<int64_t>(kText.size()));
  const auto reader = blobs->read(kTextDigest, 4);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(all_of(**reader), kText.substr(4));
}

TEST_F(S3BlobsTest, ALongOneGoesInPartsAndComesInRanges) {
  options_.part_bytes = int64_t{5} << 20;
  const std::string content = long_content((size_t{17} << 20) + 5);
  ASSERT_TRUE(bring(*open(), content).ok());
  const auto blobs = open();
  const auto reader = blobs->read(sha256_hex(content));
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(all_of(**reader) == content);
  EXPECT_EQ(*Client(options_).abort_uploads(options_.prefix), 0);
}

TEST_F(S3BlobsTest, PartsThatWereCutOffGoAtTheNextStart) {
  Transport transport(options_);
  const std::string key = options_.prefix + "aa/" + std::string(64, 'a');
  ASSERT_TRUE(transport.send({.method = "POST", .key = key, .query = {{"uploads", ""}}}).ok());
  const auto blobs = open();
  EXPECT_EQ(*Client(options_).abort_uploads(options_.prefix), 0) << "none is left";
}

TEST_F(S3BlobsTest, MoreThanAPageIsListed) {
  Client client(options_);
  const int count = 1003;  // S3 lists a thousand at a time
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(client.put(fmt::format("{}many/{}", options_.prefix, i), "x").ok());
  }
  EXPECT_EQ(client.list(options_.prefix)->size(), static_cast<size_t>(count));
}

TEST_F(S3BlobsTest, ThoseOfAnotherDataFolderAreRefused) {
  ASSERT_TRUE(bring(*open(), kText).ok());
  const TempFolder other;
  const Status refused = S3Blobs::open(options_, other.path()).status();
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_TRUE(
      refused.message().starts_with(options_.place() + " holds the files of another data folder"))
      << refused.message();
  const auto taken = S3Blobs::open(options_, other.path(), S3Blobs::Owner::kAnybody);
  ASSERT_TRUE(taken.ok()) << taken.status().message();
  EXPECT_TRUE((*taken)->size(kTextDigest)->has_value());
  EXPECT_NE(refusal().find("another data folder"), std::string::npos) << "who had it before";
}

TEST_F(S3BlobsTest, OneRemovedFromOutsideIsNotFoundAndMayComeAgain) {
  ASSERT_TRUE(bring(*open(), kText).ok());
  const auto blobs = open();
  Client client(options_);
  const std::string key = options_.prefix + kTextDigest.substr(0, 2) + "/" + kTextDigest;
  ASSERT_TRUE(client.remove(key).ok());
  const auto reader = blobs->read(kTextDigest);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->read(10).status().code(), Code::kNotFound);
  EXPECT_FALSE(blobs->size(kTextDigest)->has_value());
  ASSERT_TRUE(bring(*blobs, kText).ok());
  EXPECT_EQ(*client.size(key), static_cast<int64_t>(kText.size()));
}

TEST_F(S3BlobsTest, AWrongKeyIsNamed) {
  options_.credentials.secret_key = "another secret";
  const std::string wrong = refusal();
  EXPECT_TRUE(
      wrong.starts_with("FAILED_PRECONDITION: s3://bucket/: GET answers 403 "
                        "SignatureDoesNotMatch: "))
      << wrong;
  EXPECT_NE(wrong.find("AWS_SECRET_ACCESS_KEY must be"), std::string::npos) << wrong;
  EXPECT_EQ(wrong.find("another secret"), std::string::npos);
  options_.credentials.access_key = "nobody";
  EXPECT_NE(refusal().find("403 InvalidAccessKeyId"), std::string::npos) << refusal();
}

TEST_F(S3BlobsTest, AMissingBucketIsNamed) {
  options_.bucket = "elsewhere";
  const std::string said = refusal();
  EXPECT_TRUE(
      said.starts_with("FAILED_PRECONDITION: s3://elsewhere/: GET answers 404 NoSuchBucket"))
      << said;
}

TEST_F(S3BlobsTest, AnEndpointThatNobodyServesIsNamed) {
  options_.endpoint = "http://127.0.0.1:1";
  options_.tries = 3;
  const std::string said = refusal();
  EXPECT_TRUE(said.starts_with("UNAVAILABLE: s3://bucket/: http://127.0.0.1:1 cannot be reached: "))
      << said;
}

TEST_F(S3BlobsTest, ASessionTokenIsSigned) {
  options_.credentials.session_token = "AbC/dEf+123==";
  ASSERT_TRUE(bring(*open(), kText).ok());
}

// Plays a store of one blob that fails in ways in which a real one does only sometimes.
class FailingStore {
 public:
  FailingStore() {
    server_.set_keep_alive_timeout(1);
    server_.Get("/bucket", [](const httplib::Request& request, httplib::Response& response) {
      const bool uploads = request.has_param("uploads");
      response.set_content(uploads ? "<ListMultipartUploadsResult/>"
                                   : "<ListBucketResult><IsTruncated>false</IsTruncated>"
                                     "</ListBucketResult>",
                           "application/xml");
    });
    server_.Get("/bucket/store", [](const httplib::Request&, httplib::Response& response) {
      response.status = 404;
      response.set_content("<Error><Code>NoSuchKey</Code></Error>", "application/xml");
    });
    server_.Put("/bucket/store", [](const httplib::Request&, httplib::Response&) {});
    server_.Put("/bucket/[0-9a-f]{2}/[0-9a-f]{64}",
                [this](const httplib::Request& request, httplib::Response& response) {
                  ++puts;
                  sent = request.body;
                  answer(response);
                });
    server_.Delete("/bucket/[0-9a-f]{2}/[0-9a-f]{64}",
                   [this](const httplib::Request&, httplib::Response& response) {
                     response.status = 503;
                     asked_to_delete.set_value();
                   });
    server_.Get("/bucket/[0-9a-f]{2}/[0-9a-f]{64}",
                [this](const httplib::Request& request, httplib::Response& response) {
                  ranges.push_back(request.get_header_value("Range"));
                  give(response);
                });
    const int port = server_.bind_to_any_port("127.0.0.1");
    options.bucket = "bucket";
    options.endpoint = "http://127.0.0.1:" + std::to_string(port);
    options.credentials = {"key", "secret", ""};
    options.pauses = {.first = Millis(1), .longest = Millis(2)};
    options.tries = 4;
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~FailingStore() {
    server_.stop();
    thread_.join();
  }
  FailingStore(const FailingStore&) = delete;
  FailingStore& operator=(const FailingStore&) = delete;

  std::unique_ptr<Blobs> open() {
    auto opened = S3Blobs::open(options, folder_.path());
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    return std::move(opened).value();
  }

  Options options;
  // What the next requests for the blob are answered, before they succeed.
  std::atomic<int> failures = 0;
  int status = 503;
  std::string error = "SlowDown";
  std::atomic<int> puts = 0;
  std::string sent;
  std::vector<std::string> ranges;
  std::promise<void> asked_to_delete;  // refused, once

 private:
  bool fails(httplib::Response& response) {
    if (failures <= 0) return false;
    --failures;
    response.status = status;
    response.set_content("<Error><Code>" + error + "</Code><Message>so it is</Message></Error>",
                         "application/xml");
    return true;
  }
  void answer(httplib::Response& response) { fails(response); }
  // Breaks off in the middle where the status is 0.
  void give(httplib::Response& response) {
    if (status != 0) {
      if (!fails(response)) response.set_content(sent, "application/octet-stream");
      return;
    }
    const bool breaks = failures > 0;
    if (breaks) --failures;
    response.set_content_provider(
        sent.size(), "application/octet-stream",
        [this, breaks](size_t offset, size_t length, httplib::DataSink& sink) {
          sink.write(sent.data() + offset, breaks ? length / 2 : length);
          return !breaks;
        });
  }

  const TempFolder folder_;
  httplib::Server server_;
  std::thread thread_;
};

TEST(FailingS3Test, IsTriedAgainAsLongAsItMayPass) {
  for (const int status : {500, 503, 429}) {
    FailingStore store;
    const auto blobs = store.open();
    store.status = status;
    store.failures = 3;
    ASSERT_TRUE(bring(*blobs, kText).ok()) << status;
    EXPECT_EQ(store.puts, 4);
    EXPECT_EQ(store.sent, kText);
  }
}

TEST(FailingS3Test, GivesUpInTheEndAndTheBlobMayComeAgain) {
  FailingStore store;
  const auto blobs = store.open();
  store.failures = 4;
  const Status status = bring(*blobs, kText);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.message().find("PUT answers 503 SlowDown: so it is"), std::string::npos)
      << status.message();
  EXPECT_FALSE(blobs->size(kTextDigest)->has_value());
  EXPECT_TRUE(bring(*blobs, kText).ok());
}

TEST(FailingS3Test, WhatIsRefusedIsNotTriedAgain) {
  FailingStore store;
  const auto blobs = store.open();
  store.status = 403;
  store.error = "RequestTimeTooSkewed";
  store.failures = 1;
  const auto writer = blobs->resume({kTextDigest, static_cast<int64_t>(kText.size()), 0});
  ASSERT_TRUE(writer.ok() && (*writer)->write(kText).ok());
  const Status status = (*writer)->finish(kTextDigest);
  EXPECT_EQ(store.puts, 1);
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_TRUE(status.message().ends_with(
      "PUT answers 403 RequestTimeTooSkewed: so it is; set the clock of this host"))
      << status.message();
}

TEST(FailingS3Test, AnUploadGoesOnFromWhatIsStaged) {
  FailingStore store;
  const auto blobs = store.open();
  const auto bytes = static_cast<int64_t>(kText.size());
  {
    const auto writer = blobs->resume({kTextDigest, bytes, 0});
    ASSERT_TRUE(writer.ok() && (*writer)->write(kText).ok());
    store.failures = 4;
    EXPECT_EQ((*writer)->finish(kTextDigest).code(), Code::kUnavailable);
  }
  EXPECT_EQ(*blobs->unfinished(kTextDigest), bytes);
  const auto writer = blobs->resume({kTextDigest, bytes, bytes});
  ASSERT_TRUE(writer.ok());
  EXPECT_TRUE((*writer)->finish(kTextDigest).ok());
  EXPECT_EQ(*blobs->unfinished(kTextDigest), 0);
}

TEST(FailingS3Test, WhatIsThereIsNotSentAgain) {
  FailingStore store;
  const auto blobs = store.open();
  ASSERT_TRUE(bring(*blobs, kText).ok());
  ASSERT_TRUE(bring(*blobs, kText).ok());
  EXPECT_EQ(store.puts, 1);
}

TEST(FailingS3Test, AReaderGoesOnAfterABrokenConnection) {
  FailingStore store;
  const auto blobs = store.open();
  const std::string content = long_content((size_t{2} << 20) + 7);  // more than is kept in memory
  ASSERT_TRUE(bring(*blobs, content).ok());
  store.status = 0;
  store.failures = 2;
  const auto reader = blobs->read(sha256_hex(content));
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(all_of(**reader) == content);
  EXPECT_EQ(store.ranges, std::vector<std::string>(3, "bytes=0-2097158"));
}

TEST(FailingS3Test, ASmallBlobIsReadWithoutAsking) {
  FailingStore store;
  const auto blobs = store.open();
  ASSERT_TRUE(bring(*blobs, kText).ok());
  const auto reader = blobs->read(kTextDigest, 4);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(all_of(**reader), kText.substr(4));
  EXPECT_TRUE(store.ranges.empty());
}

TEST(FailingS3Test, ClosesInTheMiddleOfAPause) {
  FailingStore store;
  store.options.pauses = {.first = std::chrono::hours(1), .longest = std::chrono::hours(1)};
  auto blobs = store.open();
  ASSERT_TRUE(bring(*blobs, kText).ok());
  ASSERT_TRUE(*blobs->remove(kTextDigest));
  store.asked_to_delete.get_future().wait();
  blobs.reset();
}

}  // namespace
}  // namespace prefixmem::store::s3
