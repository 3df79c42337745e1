# Screenshots: what is done with pixels, whoever has read them.
compositord_test(agent_capture
  SOURCES capture_image_test.cpp capture_layout_test.cpp capture_png_test.cpp screenshot_request_test.cpp
          screenshot_runner_test.cpp support/test_shots.cpp
  LIBRARIES compositord::test_support compositord::agent_capture compositord::clock)
compositord_test(wayland_screenshot
  SOURCES ../integration/wayland_screenshot_test.cpp
  LIBRARIES compositord::test_driver
  LABELS integration support_matrix
  TIMEOUT 120)
compositord_test(x11_screenshot
  SOURCES ../integration/x11_screenshot_test.cpp
  LIBRARIES compositord::test_driver compositord::agent_x11
  LABELS integration support_matrix
  TIMEOUT 120)
compositord_test(wayland_capture
  SOURCES wayland_capture_test.cpp weston_capture_test.cpp support/tiny_compositor.cpp
          support/weston_capture_server.cpp
  LIBRARIES compositord::test_support compositord::agent_wayland compositord_wayland_protocols
            compositord_dep::wayland_server)
# weston 12 and newer, which Debian 12 has not: its interface in a process of its own.
compositord_test(scripted_weston
  SOURCES ../integration/scripted_weston_test.cpp
  LIBRARIES compositord::test_driver
  LABELS integration
  DEPENDS scripted_compositor
  DEFINITIONS SCRIPTED_COMPOSITOR="${CMAKE_BINARY_DIR}/bin/tests/scripted_compositor"
  TIMEOUT 120)
compositord_test(kwin_screenshot
  SOURCES ../integration/kwin_screenshot_test.cpp
  LIBRARIES compositord::test_driver
  LABELS integration support_matrix
  DEFINITIONS COMPOSITOR_AGENT_DESKTOP="${PROJECT_SOURCE_DIR}/tools/packaging/compositor-agent.desktop.in"
  TIMEOUT 120)
compositord_test(mutter_screenshot
  SOURCES ../integration/mutter_screenshot_test.cpp
  LIBRARIES compositord::test_driver
  LABELS integration support_matrix
  TIMEOUT 120)
