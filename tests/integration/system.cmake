# The whole system with real compositors. The story is what tools/quickstart --check plays; only its times are not judged here.
compositord_script_test(system
  SCRIPT system_test.py
  ARGUMENTS "${CMAKE_BINARY_DIR}/bin"
  LABELS integration
  TIMEOUT 600)
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
compositord_script_test(launch
  SCRIPT launch_test.py
  ARGUMENTS "${CMAKE_BINARY_DIR}/bin"
  LABELS integration
  TIMEOUT 300)
