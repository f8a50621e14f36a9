#include "client/benchmarks/csv.h"

#include <algorithm>

namespace prefixmem::client {
namespace {

using Record = std::vector<std::string>;

class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }

  Result<Record> record() {
    Record record;
    while (true) {
      PM_ASSIGN(std::string cell, at_end() || text_[at_] != '"' ? plain() : quoted());
      record.push_back(std::move(cell));
      if (at_end()) return record;
      const char end = text_[at_++];
      if (end == ',') continue;
      if (end == '\r' && !at_end() && text_[at_] == '\n') ++at_;
      return record;
    }
  }

 private:
  Result<std::string> plain() {
    const size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string cell(text_.substr(at_, end - at_));
    at_ = end;
    return cell;
  }

  Result<std::string> quoted() {
    const size_t begin = at_++;
    std::string cell;
    while (true) {
      const size_t quote = text_.find('"', at_);
      if (quote == text_.npos) return broken(begin, "has no closing quote");
      cell += text_.substr(at_, quote - at_);
      at_ = quote + 1;
      if (at_end() || text_[at_] != '"') break;
      cell += text_[at_++];
    }
    const bool ended = at_end() || std::string_view(",\r\n").find(text_[at_]) != text_.npos;
    if (!ended) return broken(begin, "goes on behind its closing quote");
    return cell;
  }

  Status broken(size_t begin, const std::string& what) const {
    const auto line = std::count(text_.begin(), text_.begin() + static_cast<long>(begin), '\n') + 1;
    return data_loss("line " + std::to_string(line) + ": a cell " + what);
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<std::vector<Record>> parse_csv(std::string_view text) {
  std::vector<Record> records;
  CsvReader reader(text);
  while (!reader.at_end()) {
    PM_ASSIGN(Record record, reader.record());
    records.push_back(std::move(record));
  }
  return records;
}

std::vector<Record> parse_tsv(std::string_view text) {
  std::vector<Record> records;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    Record& record = records.emplace_back();
    while (true) {
      const size_t tab = std::min(line.find('\t'), line.size());
      record.emplace_back(line.substr(0, tab));
      if (tab == line.size()) break;
      line.remove_prefix(tab + 1);
    }
  }
  return records;
}

}  // namespace prefixmem::client
