#pragma once

#include <string>
#include <string_view>

namespace compositord::broker {

// A YAML string that is read back as it is.
std::string yaml_string(std::string_view text);

}  // namespace compositord::broker
