// A safetensors file written piece by piece, for tensors that never are in memory all at once.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"
#include "common/sha256.h"
#include "common/status.h"
#include "worker/trainer/model/safetensors_header.h"

namespace prefixmem::trainer {

class SafetensorsWriter {
 public:
  struct Written {
    int64_t bytes = 0;   // of the file
    std::string digest;  // of the data region; empty where no metadata asked for it
  };

  // Metadata of this value are replaced by the digest of the data region.
  static constexpr std::string_view kDigest =
      "0000000000000000000000000000000000000000000000000000000000000000";

  // Begins a temporary file beside `file`, which must not be used by anybody else until finish().
  static Result<SafetensorsWriter> create(const std::filesystem::path& file,
                                          const std::vector<TensorShape>& tensors,
                                          const std::map<std::string, std::string>& metadata);
  SafetensorsWriter(SafetensorsWriter&&) noexcept = default;
  SafetensorsWriter& operator=(SafetensorsWriter&&) = delete;
  ~SafetensorsWriter();  // removes what is not finished

  // The next tensor's values, or some of them; of its dtype, on any device.
  Status append(const torch::Tensor& values);

  // Names the file, whole and durable. INTERNAL where data are missing.
  Result<Written> finish();

 private:
  SafetensorsWriter(std::filesystem::path file, std::filesystem::path temporary, Fd fd,
                    std::string header);

  std::filesystem::path file_, temporary_;
  Fd fd_;  // invalid once finished or moved from
  std::string header_;
  int64_t expected_ = 0, written_ = 0;  // bytes of data
  Sha256 digest_;
};

}  // namespace prefixmem::trainer
