// What Server and EventFeed share, with gRPC's heavy headers: included by their .cc files alone.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "client/channel/credentials.h"
#include "common/clock.h"
#include "common/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "prefixmem/v1/admin_service.grpc.pb.h"
#include "prefixmem/v1/content_service.grpc.pb.h"
#include "prefixmem/v1/job_service.grpc.pb.h"

namespace prefixmem::client {

struct Connection {
  std::string address;
  Millis timeout;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::JobService::Stub> stub;
  std::unique_ptr<v1::AdminService::Stub> admin;
  std::unique_ptr<v1::ContentService::Stub> content;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

// What tls::check says of the files; INVALID_ARGUMENT for a token without TLS.
Result<std::unique_ptr<Connection>> make_connection(std::string address, Millis timeout,
                                                    const Credentials& credentials);

void set_deadline(grpc::ClientContext& context, Millis limit);

// The failure of a call that was given `limit`, naming the server where it is away or silent.
Status call_status(const grpc::Status& status, const std::string& address, Millis limit);

}  // namespace prefixmem::client
