// The gRPC port with TLS, dialled as clients and workers dial it.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>
#include <thread>

#include "common/files.h"
#include "common/tls/credentials.h"
#include "tests/unit/common/certificates.h"
#include "tests/unit/coordinator/served.h"

namespace prefixmem {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

class TlsPort : public ServedTest {
 protected:
  void SetUp() override {
    options_.tls = authority_.server();
    options_.tls.client_ca = workers_authority_.ca();
    credentials_ = credentials(authority_.client());
    start();
  }

  static std::shared_ptr<grpc::ChannelCredentials> credentials(const tls::ClientFiles& files) {
    auto made = tls::channel_credentials(files);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return std::move(made).value();
  }
  // A connection of its own, which dials `host` as it names it.
  std::shared_ptr<grpc::Channel> dial(const tls::ClientFiles& files, const std::string& name = "") {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (!name.empty()) arguments.SetSslTargetNameOverride(name);
    return grpc::CreateCustomChannel(service_->grpc_address(), credentials(files), arguments);
  }
  // Of a call that any user may make.
  static grpc::Status list(const std::shared_ptr<grpc::Channel>& channel,
                           grpc::ClientContext& context) {
    v1::ListWorkersResponse response;
    return v1::JobService::NewStub(channel)->ListWorkers(&context, {}, &response);
  }
  static grpc::Status list(const std::shared_ptr<grpc::Channel>& channel) {
    return list(channel, *call());
  }
  // What a worker hears that registers over this channel.
  static grpc::Status registered(const std::shared_ptr<grpc::Channel>& channel) {
    TestWorker worker(channel);
    v1::WorkerMessage message;
    message.mutable_register_()->set_worker_id("w");
    message.mutable_register_()->set_slots(1);
    message.mutable_register_()->set_device("cpu");
    worker.try_say(message);
    if (worker.hear().has_registered()) return {};
    return worker.end();
  }
  // Workers show certificates of this one in `files` that trust the port's.
  tls::ClientFiles worker(const Authority& signer, const std::string& name = "worker-1") const {
    tls::ClientFiles files = signer.client_as(name);
    files.ca = authority_.ca();
    return files;
  }
  // The certificate that a new connection is shown.
  std::string served() {
    const auto context = call();
    EXPECT_TRUE(list(dial(authority_.client()), *context).ok());
    const auto found = context->auth_context()->FindPropertyValues("x509_pem_cert");
    return found.empty() ? "" : std::string(found.front().data(), found.front().size());
  }

  const Authority authority_, workers_authority_;
};

TEST_F(TlsPort, ServesWhoTrustsItsAuthority) {
  const std::string id = submit_one();
  EXPECT_EQ(job(id).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(TlsPort, IsRefusedByWhoTrustsAnother) {
  const Authority other;
  EXPECT_EQ(list(dial(other.client())).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(TlsPort, IsRefusedUnderAnotherName) {
  EXPECT_TRUE(list(dial(authority_.client(), "localhost")).ok());
  const auto status = list(dial(authority_.client(), "elsewhere.example"));
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << status.error_message();
}

TEST_F(TlsPort, DoesNotTalkWithoutTls) {
  const auto plain =
      grpc::CreateChannel(service_->grpc_address(), grpc::InsecureChannelCredentials());
  EXPECT_EQ(list(plain).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(TlsPort, TakesAWorkerWithACertificateOfItsAuthority) {
  const auto status = registered(dial(worker(workers_authority_)));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(TlsPort, RefusesAWorkerWithoutACertificate) {
  const auto status = registered(channel_);
  EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(status.error_message(),
            "prefixmem.v1.WorkerService/Connect is for workers, which show a certificate that the "
            "coordinator's --tls-client-ca has signed; give pmt-worker --tls-cert and --tls-key");
  v1::FetchArtifactResponse response;
  const auto context = call();
  EXPECT_EQ(workers_->FetchArtifact(context.get(), {})->Finish().error_code(),
            StatusCode::UNAUTHENTICATED);
  v1::UploadArtifactResponse uploaded;
  const auto uploading = call();
  EXPECT_EQ(workers_->UploadArtifact(uploading.get(), &uploaded)->Finish().error_code(),
            StatusCode::UNAUTHENTICATED);
}

TEST_F(TlsPort, BreaksWithACertificateOfAnotherAuthority) {
  EXPECT_EQ(registered(dial(worker(Authority()))).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(registered(dial(worker(authority_))).error_code(), StatusCode::UNAVAILABLE)
      << "the authority of the port is none of workers";
}

TEST_F(TlsPort, KnowsNoOtherMethods) {
  grpc::GenericStub stub(channel_);
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  const auto context = call();
  std::promise<grpc::Status> ended;
  stub.UnaryCall(context.get(), "/prefixmem.v1.JobService/DropEverything", {}, &request, &response,
                 [&](grpc::Status status) { ended.set_value(std::move(status)); });
  EXPECT_EQ(ended.get_future().get().error_code(), StatusCode::UNIMPLEMENTED);
}

TEST_F(TlsPort, ServesACertificateThatReplacedItsOwnWithoutARestart) {
  const std::string before = served();
  ASSERT_FALSE(before.empty());
  authority_.issue("server");
  const std::string wanted = *read_file(authority_.cert("server"));
  ASSERT_NE(before, wanted);
  const auto deadline = std::chrono::steady_clock::now() + TestWorker::kPatience;
  std::string now;
  while ((now = served()) != wanted && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(Millis(50));  // nothing tells that gRPC has looked
  }
  EXPECT_EQ(now, wanted);
  EXPECT_TRUE(list(channel_).ok()) << "connections from before go on";
}

TEST(TlsOptions, BadFilesKeepACoordinatorFromStarting) {
  const TempFolder folder;
  const Authority authority;
  ServiceOptions options;
  options.data_dir = folder.path() / "data";
  options.listen = options.http = "127.0.0.1:0";
  options.tls = authority.server();
  options.tls.key = authority.key("ca");
  const Status status = Service::start(options).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("--tls-key " + options.tls.key + " is not the key of"));
  EXPECT_FALSE(std::filesystem::exists(options.data_dir)) << "nothing was made yet";
}

}  // namespace
}  // namespace prefixmem
