#include "worker/trainer/data/fields.h"

#include "worker/trainer/data/messages.h"
#include "worker/trainer/data/preference.h"

namespace prefixmem::trainer {
namespace {

Result<std::string> label_of(const Field& field) {
  if (field.value && field.value->is_number_integer()) return field.value->dump();
  return text_of(field);
}

Result<std::string> answer_of(const Field& field) {
  if (field.missing()) return std::string();
  if (field.value->is_number()) return field.value->dump();
  return text_of(field);
}

// Whether a row that lacks the field may still be whole: the prompt of a pair may stand in its
// answers (preference.h), and of completion and answer one will do.
bool is_optional(DataFormat format, const std::string& field) {
  if (format == DataFormat::kPreference) return field == "prompt";
  return format == DataFormat::kPromptCompletion && field != "prompt";
}

}  // namespace

RowFields::RowFields(const DataSpec& data) : format_(data.format) {
  for (const std::string& field : row_fields(format_)) {
    const auto renamed = data.columns.find(field);
    columns_.push_back(
        {renamed == data.columns.end() ? field : renamed->second, !is_optional(format_, field)});
  }
}

Result<Row> RowFields::row(const SourceRow& source, const std::string& where) const {
  const auto field = [&](size_t i) { return Field{columns_[i].name, source.values[i], where}; };
  Row row;
  row.line = source.number;
  switch (format_) {
    case DataFormat::kPromptCompletion: {
      PM_ASSIGN(row.text, text_of(field(0)));
      PM_ASSIGN(row.answer, answer_of(field(2)));
      row.label = row.answer;
      if (row.answer.empty() || !field(1).missing()) {
        PM_ASSIGN(row.label, text_of(field(1)));
      }
      break;
    }
    case DataFormat::kTextLabel: {
      PM_ASSIGN(row.text, text_of(field(0)));
      PM_ASSIGN(row.label, label_of(field(1)));
      break;
    }
    case DataFormat::kMessages: {
      PM_ASSIGN(const Json messages, messages_of(field(0)));
      PM_TRY(check_answer(messages, field(0)));
      row.messages = messages.dump();
      break;
    }
    case DataFormat::kPreference: {
      PM_TRY(fill_preference(row, field(0), field(1), field(2)));
      break;
    }
  }
  return row;
}

}  // namespace prefixmem::trainer
