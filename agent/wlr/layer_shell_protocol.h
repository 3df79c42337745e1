#pragma once
// wlr-layer-shell's generated header, which names a parameter `namespace`: a word of C++, but not of the C that it is written in.

#include <wayland-client.h>

// NOLINTBEGIN(cppcoreguidelines-macro-usage,readability-identifier-naming): for this header alone
#define namespace name_space
#include <wlr-layer-shell-unstable-v1-client-protocol.h>
#undef namespace
// NOLINTEND(cppcoreguidelines-macro-usage,readability-identifier-naming)
