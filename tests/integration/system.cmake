# The whole system with real compositors. The story is what tools/quickstart --check plays; only its times are not
# judged here.
compositord_script_test(system
  SCRIPT system_test.py
  ARGUMENTS "${CMAKE_BINARY_DIR}/bin"
  LABELS integration
  TIMEOUT 600)
compositord_script_test(install
  SCRIPT install_test.py
  ARGUMENTS "${CMAKE_BINARY_DIR}"
  LABELS integration
  TIMEOUT 300)
compositord_script_test(story
  SCRIPT ../tools/story/quickstart.py
  ARGUMENTS --bin "${CMAKE_BINARY_DIR}/bin" --check --untimed
  LABELS integration
  TIMEOUT 300)
compositord_script_test(supervision
  SCRIPT supervision_test.py
  ARGUMENTS "${CMAKE_BINARY_DIR}/bin"
  LABELS integration
  TIMEOUT 300)
compositord_script_test(systemd
  SCRIPT systemd_test.py
  ARGUMENTS "${CMAKE_BINARY_DIR}/bin"
  LABELS integration
  TIMEOUT 300)
compositord_script_test(frozen_bus
  SCRIPT frozen_bus_test.py
  ARGUMENTS "${CMAKE_BINARY_DIR}/bin"
  LABELS integration
  TIMEOUT 300)
compositord_script_test(launch
  SCRIPT launch_test.py
  ARGUMENTS "${CMAKE_BINARY_DIR}/bin"
  LABELS integration
  TIMEOUT 300)
# `--cycles 1000` by hand is the long run: see tests/integration/README.md.
set(crash_cycles_options)
if(COMPOSITORD_SANITIZE)
  set(crash_cycles_options --sanitized)
endif()
compositord_script_test(crash_cycles
  SCRIPT crash_cycles_test.py
  ARGUMENTS "${CMAKE_BINARY_DIR}/bin" ${crash_cycles_options}
  LABELS integration
  TIMEOUT 300)
