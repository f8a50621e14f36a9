#include "worker/trainer/data/fields.h"

#include "worker/trainer/data/messages.h"
#include "worker/trainer/data/preference.h"

namespace prefixmem::trainer {
namespace {

std::vector<Table::Column> fields_of(DataFormat format) {
  switch (format) {
    case DataFormat::kPromptCompletion:
      return {{"prompt"}, {"completion"}};
    case DataFormat::kTextLabel:
      return {{"text"}, {"label"}};
    case DataFormat::kMessages:
      return {{"messages"}};
    case DataFormat::kPreference:
      break;
  }
  return {{"prompt", false}, {"chosen"}, {"rejected"}};
}

Result<std::string> label_of(const Field& field) {
  if (field.value && field.value->is_number_integer()) return field.value->dump();
  return text_of(field);
}

}  // namespace

RowFields::RowFields(const DataSpec& data)
    : format_(data.format), columns_(fields_of(data.format)) {
  for (auto& column : columns_) {
    const auto renamed = data.columns.find(column.name);
    if (renamed != data.columns.end()) column.name = renamed->second;
  }
}

Result<Row> RowFields::row(const SourceRow& source, const std::string& where) const {
  const auto field = [&](size_t i) { return Field{columns_[i].name, source.values[i], where}; };
  Row row;
  row.line = source.number;
  switch (format_) {
    case DataFormat::kPromptCompletion: {
      PM_ASSIGN(row.text, text_of(field(0)));
      PM_ASSIGN(row.label, text_of(field(1)));
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
