#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <set>
#include <sstream>

#include "common/spec/tree.h"
#include "common/spec/utf8.h"

namespace prefixmem::spec {
namespace {

[[noreturn]] void refuse(const YAML::Mark& mark, const std::string& reason) {
  throw YAML::ParserException(mark, reason);
}

// Builds a Tree from the parser's events. Leaves by YAML::ParserException, which parse_tree
// catches.
class TreeBuilder final : public YAML::EventHandler {
 public:
  Tree take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, anchor, "", Tree());
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "aliases (*name) are not allowed");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    add(mark, anchor, tag, tag == "!" ? Tree::text(value) : Tree::plain(value));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, tag, Tree::list());
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, tag, Tree::map());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Tree tree;
    std::string key;  // of a map: the one whose value comes next
    bool has_key = false;
    std::set<std::string> keys;
  };

  static void check(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag) {
    if (anchor != YAML::NullAnchor) refuse(mark, "anchors (&name) are not allowed");
    if (!tag.empty() && tag != "!" && tag != "?")
      refuse(mark, "tags (" + tag + ") are not allowed");
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag, Tree tree) {
    check(mark, anchor, tag);
    if (levels_.size() >= kMaxDepth) {
      refuse(mark,
             "nesting is too deep; allowed: at most " + std::to_string(kMaxDepth) + " levels");
    }
    if (expects_key()) refuse(mark, "a key is a list or a map; allowed: text");
    levels_.push_back({std::move(tree), "", false, {}});
  }

  void close() {
    Tree tree = std::move(levels_.back().tree);
    levels_.pop_back();
    place(std::move(tree));
  }

  void add(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag, Tree tree) {
    check(mark, anchor, tag);
    if (!expects_key()) return place(std::move(tree));
    if (!tree.is_scalar()) refuse(mark, "a key is empty; allowed: text");
    Level& level = levels_.back();
    if (!level.keys.insert(tree.scalar).second) {
      refuse(mark, "key " + shortened(tree.scalar, 80) + " is given twice");
    }
    level.key = tree.scalar;
    level.has_key = true;
  }

  bool expects_key() const {
    return !levels_.empty() && levels_.back().tree.is_map() && !levels_.back().has_key;
  }

  void place(Tree tree) {
    if (levels_.empty()) {
      root_ = std::move(tree);
      return;
    }
    Level& level = levels_.back();
    if (level.tree.is_list()) {
      level.tree.items.push_back(std::move(tree));
    } else {
      level.tree.entries.push_back({std::move(level.key), std::move(tree)});
      level.has_key = false;
    }
  }

  Tree root_;
  std::vector<Level> levels_;
};

Status check_text(std::string_view yaml) {
  if (yaml.size() > kMaxBytes) {
    return invalid_argument("the text is " + std::to_string(yaml.size()) +
                            " bytes long; allowed: at most " + std::to_string(kMaxBytes));
  }
  if (yaml.find('\0') != std::string_view::npos) {
    return invalid_argument("the text holds a zero byte; allowed: UTF-8 text");
  }
  if (!is_utf8(yaml)) return invalid_argument("the text is no valid UTF-8; allowed: UTF-8 text");
  return {};
}

}  // namespace

Result<Tree> parse_tree(std::string_view yaml) {
  PM_TRY(check_text(yaml));
  std::istringstream stream{std::string(yaml)};
  try {
    YAML::Parser parser(stream);
    TreeBuilder builder, rest;
    if (!parser.HandleNextDocument(builder)) return Tree();
    if (parser.HandleNextDocument(rest)) {
      return invalid_argument("the text holds more than one YAML document; allowed: one");
    }
    return builder.take();
  } catch (const YAML::Exception& error) {
    return invalid_argument("line " + std::to_string(error.mark.line + 1) + ", column " +
                            std::to_string(error.mark.column + 1) + ": " + error.msg);
  } catch (const std::exception& error) {
    return invalid_argument(std::string("the text cannot be read as YAML: ") + error.what());
  }
}

}  // namespace prefixmem::spec
