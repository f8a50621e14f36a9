#include "coordinator/auth/policy.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "coordinator/rpc/audit.h"
#include "prefixmem/v1/job_service.pb.h"
#include "prefixmem/v1/worker_service.pb.h"

namespace prefixmem::auth {
namespace {

namespace fs = std::filesystem;

// The methods of every service in proto/prefixmem.
std::set<std::string> methods() {
  v1::GetJobRequest::descriptor();  // links what is looked up by name
  v1::Register::descriptor();
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(PROTO_FOLDER "/prefixmem")) {
    if (entry.path().extension() != ".proto") continue;
    const std::string name = entry.path().lexically_relative(PROTO_FOLDER).string();
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    EXPECT_NE(file, nullptr) << name << " is not linked into this test";
    for (int s = 0; file != nullptr && s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        names.insert(file->service(s)->full_name() + "/" + file->service(s)->method(m)->name());
      }
    }
  }
  return names;
}

TEST(Policy, EveryMethodOfEveryServiceHasOne) {
  EXPECT_GE(methods().size(), 16u);
  for (const std::string& method : methods()) EXPECT_TRUE(policy_of(method).has_value()) << method;
}

TEST(Policy, IsOfMethodsThatAreThere) {
  const auto known = methods();
  for (const MethodPolicy& policy : policies()) {
    if (!policy.method.starts_with("prefixmem.")) continue;
    EXPECT_TRUE(known.contains(std::string(policy.method))) << policy.method;
  }
}

TEST(Policy, OnlyHealthIsForAnyone) {
  for (const MethodPolicy& policy : policies()) {
    if (policy.access != Access::kAnyone) continue;
    EXPECT_TRUE(policy.method.starts_with("grpc.health.v1.Health/")) << policy.method;
  }
}

TEST(Policy, WorkerServiceIsForWorkersAlone) {
  for (const std::string& method : methods()) {
    const bool of_workers = method.starts_with("prefixmem.v1.WorkerService/");
    EXPECT_EQ(policy_of(method)->access == Access::kWorker, of_workers) << method;
  }
}

TEST(Policy, WhatChangesSomethingIsDescribedInTheAuditLog) {
  for (const MethodPolicy& policy : policies()) {
    EXPECT_EQ(rpc::is_described(std::string(policy.method)), policy.changes) << policy.method;
  }
}

TEST(Policy, ViewersOnlyLook) {
  for (const MethodPolicy& policy : policies()) {
    EXPECT_FALSE(policy.changes && allows(v1::ROLE_VIEWER, policy.access)) << policy.method;
    EXPECT_FALSE(allows(v1::ROLE_UNSPECIFIED, policy.access) && policy.access != Access::kAnyone);
  }
  EXPECT_TRUE(allows(v1::ROLE_SUBMITTER, Access::kViewer));
  EXPECT_FALSE(allows(v1::ROLE_SUBMITTER, Access::kAdmin));
  EXPECT_TRUE(allows(v1::ROLE_ADMIN, Access::kSubmitter));
  EXPECT_FALSE(allows(v1::ROLE_ADMIN, Access::kWorker)) << "workers show certificates";
}

TEST(Policy, WhatIsNotThereHasNone) {
  EXPECT_FALSE(policy_of("").has_value());
  EXPECT_FALSE(policy_of("prefixmem.v1.JobService/DropEverything").has_value());
}

}  // namespace
}  // namespace prefixmem::auth
