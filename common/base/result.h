#pragma once
// A value or the reason why not: how every failure that isn't a programmer's error travels.

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "common/base/error_code.h"

namespace compositord {

struct Error {
  Status status = Status::kFailed;
  std::string text;  // a sentence that names the thing it happened to
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Status status, std::string text) {
  return tl::unexpected<Error>(Error{status, std::move(text)});
}

}  // namespace compositord
