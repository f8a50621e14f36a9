// The output folder: what it may hold before a run and what a finished run leaves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "common/event/event.h"
#include "common/status.h"
#include "worker/trainer/data/dataset.h"
#include "worker/trainer/train/checkpoint.h"

namespace prefixmem::trainer {

// Removes a folder with what is in it, where it is there. (std::filesystem::remove_all must not be
// called here: LibTorch's wheel exports a copy of it that jumps to a null pointer.)
void remove_folder(const std::filesystem::path& folder);

// Makes every file of a folder, and of those in it, durable; gives their bytes.
Result<int64_t> sync_files(const std::filesystem::path& folder);

// Creates DIR and DIR/checkpoints. FAILED_PRECONDITION where DIR holds a run and `resume` is not
// set; what a run left that ended before its first step (empty files and folders) is no run.
Status prepare_output(const std::filesystem::path& out, bool resume);

// An adapter, complete or not there: begun beside where it is to be, filled, synced and renamed.
Result<std::filesystem::path> begin_adapter(
    const std::filesystem::path& out);  // the folder to fill
// To DIR/`name`, in the place of what is there; its bytes.
Result<int64_t> publish_adapter(const std::filesystem::path& out, const std::string& name);
// Removes what lies in DIR/`folder` but `name`; each goes at once, whoever reads it.
Status keep_only(const std::filesystem::path& out, const std::string& folder,
                 const std::string& name);

// DIR/result.json: status, message where it failed, ResultEvent's keys, the evaluations, and of the
// rows how many there were and how many were longer than allowed.
Status write_result(const std::filesystem::path& out, const Status& status,
                    const ResultEvent& result, const Progress& progress, const Dataset& data);

}  // namespace prefixmem::trainer
