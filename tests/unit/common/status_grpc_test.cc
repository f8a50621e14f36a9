#include "common/proto/status_grpc.h"

#include <gtest/gtest.h>

namespace prefixmem {
namespace {

TEST(StatusGrpc, EveryCodeComesBackUnderItsOwnName) {
  const std::pair<Code, grpc::StatusCode> rows[] = {
      {Code::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT},
      {Code::kNotFound, grpc::StatusCode::NOT_FOUND},
      {Code::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION},
      {Code::kDataLoss, grpc::StatusCode::DATA_LOSS},
      {Code::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED},
      {Code::kUnavailable, grpc::StatusCode::UNAVAILABLE},
      {Code::kCancelled, grpc::StatusCode::CANCELLED},
      {Code::kInternal, grpc::StatusCode::INTERNAL}};
  for (const auto& [ours, theirs] : rows) {
    const grpc::Status sent = to_grpc(Status(ours, "because"));
    EXPECT_EQ(sent.error_code(), theirs);
    EXPECT_EQ(from_grpc(sent).code(), ours);
    EXPECT_EQ(from_grpc(sent).message(), "because");
  }
  EXPECT_TRUE(to_grpc(Status()).ok());
  EXPECT_TRUE(from_grpc(grpc::Status::OK).ok());
}

TEST(StatusGrpc, ForeignCodesGoToTheNearest) {
  const std::pair<grpc::StatusCode, Code> rows[] = {
      {grpc::StatusCode::DEADLINE_EXCEEDED, Code::kUnavailable},
      {grpc::StatusCode::ABORTED, Code::kUnavailable},
      {grpc::StatusCode::ALREADY_EXISTS, Code::kFailedPrecondition},
      {grpc::StatusCode::PERMISSION_DENIED, Code::kFailedPrecondition},
      {grpc::StatusCode::UNAUTHENTICATED, Code::kFailedPrecondition},
      {grpc::StatusCode::OUT_OF_RANGE, Code::kInvalidArgument},
      {grpc::StatusCode::UNIMPLEMENTED, Code::kInternal},
      {grpc::StatusCode::UNKNOWN, Code::kInternal}};
  for (const auto& [theirs, ours] : rows) {
    EXPECT_EQ(from_grpc(grpc::Status(theirs, "x")).code(), ours) << theirs;
  }
}

}  // namespace
}  // namespace prefixmem
