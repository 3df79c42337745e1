#pragma once
// What the kernel still knows of a process through its pidfd after it was reaped. Needs Linux 6.15; older kernels answer
// "nothing known" and the callers have other sources.

#include <optional>

namespace compositord::agent {

// The exit status in wait-status form (WIFEXITED and friends). None while the process runs, while it is a zombie that
// nobody has reaped yet, and on kernels that don't tell.
std::optional<int> exit_status_from_pidfd(int pidfd) noexcept;

// Whether this kernel keeps exit statuses for whoever holds a pidfd. Found out by a child that ends at once: a version number would
// not know of backports and of sandboxes that refuse the question.
bool pidfd_tells_exit_status() noexcept;

}  // namespace compositord::agent
