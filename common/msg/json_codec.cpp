// JSON <-> Value. The only file of the bus that includes nlohmann/json.hpp.
//
// Decoding uses the library's SAX interface, whose parser doesn't recurse, and builds Values directly within our limits.

#include <cmath>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sodium/utils.h>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/msg/value.h"

namespace compositord::msg {

namespace {

using Json = nlohmann::ordered_json;

class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, const DecodeLimits& limits) : text_(text), limits_(limits) {}

  bool null() override { return add(Value()); }
  bool boolean(bool v) override { return add(Value(v)); }
  bool number_integer(number_integer_t v) override { return add(Value(std::int64_t{v})); }
  bool number_unsigned(number_unsigned_t v) override { return add(Value(std::uint64_t{v})); }
  bool number_float(number_float_t v, const string_t&) override { return add(Value(v)); }
  bool string(string_t& v) override { return add(Value(std::move(v))); }
  bool binary(binary_t&) override { return refuse("binary in JSON"); }
  bool start_object(std::size_t) override { return open(Value(Value::Map{})); }
  bool key(string_t& v) override {
    const Value& map = open_.back().value;
    if (map.if_map()->size() < kKeysSearchedMax && map.find(v) != nullptr) return refuse_duplicate(v);
    key_ = std::move(v);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Value(Value::Array{})); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    if (!error_.text.empty()) return false;
    // The library's text repeats the position in its own words; ours names line and column as every other message does.
    std::string_view what = e.what();
    if (const auto cut = what.rfind("; "); cut != std::string_view::npos) what.remove_prefix(cut + 2);
    std::size_t line = 1;
    std::size_t column = 1;
    for (std::size_t i = 0; i + 1 < position && i < text_.size(); ++i) {
      ++column;
      if (text_[i] == '\n') {
        ++line;
        column = 1;
      }
    }
    error_ = Error{Status::kMalformed, fmt::format("JSON line {} column {}: {}", line, column, what)};
    return false;
  }

  Result<Value> take() {
    if (!error_.text.empty()) return tl::unexpected<Error>(error_);
    return std::move(root_);
  }

 private:
  struct Level {
    Value value;
    std::string key;
  };
  bool refuse(std::string text, Status status = Status::kMalformed) {
    if (error_.text.empty()) error_ = Error{status, "JSON: " + std::move(text)};
    return false;
  }
  bool refuse_duplicate(const std::string& key) {
    return refuse(fmt::format("the key \"{}\" occurs twice", key.substr(0, 64)));
  }
  bool count() {
    if (++nodes_ <= limits_.nodes_max) return true;
    return refuse(fmt::format("more than {} values", limits_.nodes_max), Status::kTooLarge);
  }
  bool open(Value empty) {
    if (!count()) return false;
    if (open_.size() >= limits_.depth_max) {
      return refuse(fmt::format("nested deeper than {}", limits_.depth_max), Status::kTooLarge);
    }
    open_.push_back(Level{std::move(empty), std::move(key_)});
    key_.clear();
    return true;
  }
  bool close() {
    Level done = std::move(open_.back());
    open_.pop_back();
    if (const Value::Map* map = done.value.if_map(); map != nullptr && map->size() > kKeysSearchedMax) {
      if (const std::string* key = find_duplicate_key(*map)) return refuse_duplicate(*key);
    }
    key_ = std::move(done.key);
    return place(std::move(done.value));
  }
  bool add(Value v) { return count() && place(std::move(v)); }
  bool place(Value v) {
    if (open_.empty()) {
      root_ = std::move(v);
    } else if (Value::Map* map = open_.back().value.if_map()) {
      map->emplace_back(std::move(key_), std::move(v));
      key_.clear();
    } else {
      open_.back().value.push(std::move(v));
    }
    return true;
  }

  std::string_view text_;
  DecodeLimits limits_;
  std::vector<Level> open_;
  std::string key_;
  std::size_t nodes_ = 0;
  Value root_;
  Error error_{Status::kMalformed, {}};
};

std::string base64(const std::string& bytes) {
  std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();  // sodium writes a terminating NUL
  return out;
}

// Scalars are spelled by the library; the structure is written here, because its ordered objects search all their keys
// at each insertion.
std::string scalar(const Value& value) {
  if (const bool* b = value.if_bool()) return *b ? "true" : "false";
  if (const std::int64_t* i = value.if_int()) return std::to_string(*i);
  if (const std::uint64_t* u = value.if_big_uint()) return std::to_string(*u);
  if (const double* d = value.if_double()) return Json(*d).dump();
  const auto text = [](const std::string& s) { return Json(s).dump(-1, ' ', false, Json::error_handler_t::replace); };
  if (const std::string* s = value.if_string()) return text(*s);
  if (const Binary* bin = value.if_binary()) return text(base64(bin->bytes));
  return "null";
}

class Printer {
 public:
  explicit Printer(int indent) : indent_(indent) {}

  void print(const Value& value) {
    if (const Value::Array* array = value.if_array()) {
      items('[', ']', array->size(), [&](std::size_t i) { print((*array)[i]); });
    } else if (const Value::Map* map = value.if_map()) {
      items('{', '}', map->size(), [&](std::size_t i) {
        out_ += scalar(Value((*map)[i].first));
        out_ += indent_ < 0 ? ":" : ": ";
        print((*map)[i].second);
      });
    } else {
      out_ += scalar(value);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  template <class PrintItem>
  void items(char open, char close, std::size_t count, PrintItem print_item) {
    out_ += open;
    ++level_;
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out_ += ',';
      new_line();
      print_item(i);
    }
    --level_;
    if (count > 0) new_line();
    out_ += close;
  }
  void new_line() {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(level_), ' ');
  }

  int indent_;
  int level_ = 0;
  std::string out_;
};

}  // namespace

Result<Value> decode_json(std::string_view text, const DecodeLimits& limits) {
  // The library takes a NUL for the end of the text: what follows it would go unread.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return fail(Status::kMalformed, fmt::format("JSON byte {}: a NUL byte", nul));
  }
  Builder builder(text, limits);
  Json::sax_parse(text, &builder);
  return builder.take();
}

std::string encode_json(const Value& value, int indent) {
  Printer printer(indent);
  printer.print(value);
  return printer.take();
}

}  // namespace compositord::msg
