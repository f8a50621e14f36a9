#include <algorithm>
#include <cctype>
#include <cstdio>

#include "common/spec/tree.h"

namespace prefixmem::spec {
namespace {

// Reads back as the same text in every position, without quotes.
bool is_simple(std::string_view text) {
  constexpr std::string_view kMarks = "_/.+-";
  if (text.empty() || text == "-" || text.starts_with("---") || text.starts_with("...")) {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || kMarks.find(c) != kMarks.npos;
  });
}

// What YAML would not read as text without quotes.
bool is_special(std::string_view text) {
  for (const std::string_view word : {"null", "Null", "NULL", "true", "false"}) {
    if (text == word) return true;
  }
  return std::isdigit(static_cast<unsigned char>(text.front())) || text.front() == '-' ||
         text.front() == '+' || text.front() == '.';
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02X", byte);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string print_scalar(const Tree& tree) {
  if (!is_simple(tree.scalar)) return quote(tree.scalar);
  return tree.quoted && is_special(tree.scalar) ? quote(tree.scalar) : tree.scalar;
}

std::string print_key(const std::string& key) { return print_scalar(Tree::text(key)); }

bool fits_one_line(const Tree& tree) {
  if (tree.is_map()) return tree.entries.empty();
  return std::all_of(tree.items.begin(), tree.items.end(),
                     [](const Tree& item) { return item.is_scalar() || item.is_null(); });
}

void print_block(const Tree& tree, const std::string& indent, std::string& out) {
  if (tree.is_list()) {
    for (const Tree& item : tree.items) out += indent + "- " + print_flow(item) + "\n";
    return;
  }
  for (const auto& [key, value] : tree.entries) {
    out += indent + print_key(key) + ':';
    if (fits_one_line(value)) {
      out += " " + print_flow(value) + "\n";
    } else {
      out += '\n';
      print_block(value, indent + "  ", out);
    }
  }
}

}  // namespace

std::string print_flow(const Tree& tree) {
  std::string out;
  switch (tree.kind) {
    case Tree::Kind::kNull:
      return "null";
    case Tree::Kind::kScalar:
      return print_scalar(tree);
    case Tree::Kind::kList:
      for (const Tree& item : tree.items) out += (out.empty() ? "" : ", ") + print_flow(item);
      return "[" + out + "]";
    case Tree::Kind::kMap:
      for (const auto& [key, value] : tree.entries) {
        out += (out.empty() ? "" : ", ") + print_key(key) + ": " + print_flow(value);
      }
      return "{" + out + "}";
  }
  return out;
}

std::string print_tree(const Tree& tree) {
  if (fits_one_line(tree)) return print_flow(tree) + "\n";
  std::string out;
  print_block(tree, "", out);
  return out;
}

}  // namespace prefixmem::spec
