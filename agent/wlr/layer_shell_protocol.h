#pragma once
// wlr-layer-shell's generated header, which names a parameter `namespace`: a word of C++, but not of the C that it is written in.

#include <wayland-client.h>

#define namespace \
  name_space  // NOLINT(cppcoreguidelines-macro-usage,readability-identifier-naming): for this header alone
#include <wlr-layer-shell-unstable-v1-client-protocol.h>
#undef namespace
