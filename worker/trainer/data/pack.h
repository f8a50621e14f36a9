// Rows of a micro-batch as one ragged stream.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/trainer/data/common_prefixes.h"
#include "worker/trainer/data/example.h"
#include "worker/trainer/data/token_trie.h"
#include "worker/trainer/model/ragged.h"

namespace prefixmem::trainer {

// The examples as a tree of segments, each beginning that they share computed once; labels at every
// id behind the prompt, example after example: those in a shared part count for each example. Under
// kShareNothing segment i is example i.
RaggedBatch pack_rows(const std::vector<int64_t>& rows, const std::vector<Example>& examples,
                      int64_t min_shared = kMinShared);

// Adds a segment a node, of the same number; to an empty builder.
void add_segments(const TokenTrie& trie, const CommonPrefixes& sequences, RaggedBuilder& builder);

}  // namespace prefixmem::trainer
