# The operator's tool, and the manual pages.
compositord_test(ctl
  SOURCES ctl_text_test.cpp ctl_dump_test.cpp ctl_arguments_test.cpp ctl_manifest_test.cpp ctl_exit_code_test.cpp
          ctl_screenshot_test.cpp ctl_peers_test.cpp ctl_top_test.cpp
  LIBRARIES compositord::test_support compositord::ctl
  LABELS unit
  DEFINITIONS COMPOSITORD_CTL_PAGE="${PROJECT_SOURCE_DIR}/tools/man/compositorctl.1")
compositord_script_test(integration.ctl SCRIPT ../integration/ctl_test.py ARGUMENTS "${CMAKE_BINARY_DIR}/bin"
                        LABELS integration TIMEOUT 180)
compositord_script_test(lint.man_pages SCRIPT ../lint/man_pages_test.py
                        ARGUMENTS "${CMAKE_BINARY_DIR}/bin" "${PROJECT_SOURCE_DIR}/tools/man" LABELS lint)
